/** An endpoint that takes no connections, and does not say so. */
import { openLibc } from "../../proxy/io/libc.ts";

/** Why `unreachable` does not work here, or empty. */
export function skipWithoutLinux(): string {
  return Deno.build.os === "linux" ? "" : "a full queue is made with Linux's libc";
}

/** Listens, and lets no more connections be made: its queue is full and nothing accepts. */
export async function unreachable(): Promise<{ readonly port: number } & AsyncDisposable> {
  const libc = openLibc();
  const fd = libc.socket(2, 1, 0);
  const address = new Uint8Array(16);
  address.set([2, 0, 0, 0, 127, 0, 0, 1]);
  libc.bind(fd, address, 16);
  libc.listen(fd, 0);
  libc.getsockname(fd, address, Uint8Array.of(16, 0, 0, 0));
  const port = (address[2] << 8) | address[3];
  const filler = await Deno.connect({ hostname: "127.0.0.1", port });
  return {
    port,
    [Symbol.asyncDispose]() {
      filler.close();
      libc.close(fd);
      return Promise.resolve();
    },
  };
}
