/** Both drivers against the cases of `io_cases.ts`, and what only one of them has. */
import { equal, ok } from "node:assert/strict";
import { EpollIo } from "../../proxy/io/epoll.ts";
import { IPPROTO_TCP, openLibc, TCP_NODELAY } from "../../proxy/io/libc.ts";
import { Pipe } from "../../proxy/io/pipe.ts";
import {
  Bench,
  BENCH_ARENA_BYTES,
  BenchHandler,
  type IoCase,
  READ_AT,
  READ_BYTES,
} from "./bench.ts";
import { IO_DRIVERS, isLinux } from "./drivers.ts";
import { IO_CASES } from "./io_cases.ts";
import { SPLICE_CASES } from "./io_splice_cases.ts";

/** Whether `::1` is there. */
function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

/** Why a case cannot be shown here, or empty. */
function obstacleOf({ needsLinux, needsIpv6 }: IoCase): string {
  if (needsLinux && !isLinux) return " (skipped: needs Linux)";
  return needsIpv6 && !hasIpv6() ? " (skipped: no IPv6 here)" : "";
}

for (const { name, make, ignore } of IO_DRIVERS) {
  for (const ioCase of name === "native" ? [...IO_CASES, ...SPLICE_CASES] : IO_CASES) {
    const obstacle = obstacleOf(ioCase);
    Deno.test({
      name: `${name}: ${ioCase.name}${obstacle}`,
      ignore: ignore || obstacle !== "",
      async fn() {
        const bench = new Bench(make());
        try {
          await ioCase.run(bench);
        } finally {
          await bench.end();
        }
      },
    });
  }
}

Deno.test({
  name: "native: run ends when a command that came through the pipe says so",
  ignore: !isLinux,
  fn() {
    const io = new EpollIo({ arenaBytes: BENCH_ARENA_BYTES, reusePort: false });
    const pipe = new Pipe();
    let received = "";
    io.watchQuietly(pipe.readEnd, {
      onReadable() {
        const count = io.read(pipe.readEnd, READ_AT, READ_BYTES);
        received += new TextDecoder().decode(io.arena.subarray(READ_AT, READ_AT + count));
        if (received.endsWith("stop")) io.stop();
      },
      onWritable() {},
      onHangup() {},
      onFault(error) {
        throw error;
      },
    });
    equal(pipe.write(new TextEncoder().encode("please stop")), 11);
    io.run();
    equal(received, "please stop");
    pipe.close();
  },
});

/** The child gets so few descriptors that not all the clients that wait can be accepted at once. */
const DESCRIPTORS = 128;
const CLIENTS = 200;

for (const { name, ignore } of IO_DRIVERS) {
  Deno.test({
    name: `${name}: out of descriptors: no spinning, and accepting goes on once there are some`,
    ignore: ignore || !isLinux,
    async fn() {
      const script = new URL("./out_of_descriptors.ts", import.meta.url).pathname;
      const deno = [Deno.execPath(), "run", "--no-prompt", "--no-check", "-A", script];
      await using child = new Deno.Command("sh", {
        args: ["-c", `ulimit -n ${DESCRIPTORS}; exec "$0" "$@"`, ...deno, name, `${CLIENTS}`],
        stdin: "piped",
        stdout: "piped",
        env: { NO_COLOR: "1" },
      }).spawn();
      const lines = child.stdout.getReader();
      const read = async () => new TextDecoder().decode((await lines.read()).value);
      const port = Number(await read());
      const dials = Array.from({ length: CLIENTS }, () => Deno.connect({ port }));
      const clients = await Promise.all(dials);
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode("go\n"));
      const { refused, spinning } = JSON.parse(await read());
      ok(refused > 0, "The case wants more clients than descriptors");
      ok(spinning < 100, `${spinning} batches while nothing could be accepted`);
      for (const client of clients) client.close();
      await writer.close();
      await lines.cancel();
      ok((await child.status).success);
    },
  });
}

Deno.test({
  name: "native: what a listener accepts sends small writes at once (TCP_NODELAY)",
  ignore: !isLinux,
  async fn() {
    const [native] = IO_DRIVERS;
    const bench = new Bench(native.make());
    try {
      const { fd } = await bench.pair(new BenchHandler());
      const value = new Int32Array(1);
      const bytes = new Uint8Array(value.buffer);
      openLibc().getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, bytes, Uint8Array.of(4, 0, 0, 0));
      equal(value[0], 1);
    } finally {
      await bench.end();
    }
  },
});
