/**
 * CuttingRelay: connections to another port of this machine, passed on as they are until a test has them cut. What a cut connection was
 * about to be told is lost, wholly or after some bytes.
 */
import { freePort } from "./free_port.ts";

interface Pair {
  readonly client: Deno.TcpConn;
  readonly server: Deno.TcpConn;
  /** Bytes of what the server says next that still get through; null: all of it. */
  passing: number | null;
}

export class CuttingRelay {
  readonly port = freePort();
  readonly #to: number;
  readonly #listener: Deno.TcpListener;
  readonly #pairs = new Set<Pair>();

  constructor(to: number) {
    this.#to = to;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: this.port });
    this.#accept();
  }

  /** Each connection that there is now is cut when it is told something, after so many bytes of it. */
  cutAfter(bytes: number): void {
    for (const pair of this.#pairs) pair.passing = bytes;
  }

  stop(): void {
    this.#listener.close();
    for (const pair of this.#pairs) this.#end(pair);
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) {
      const server = await Deno.connect({ hostname: "127.0.0.1", port: this.#to })
        .catch(() => null);
      if (server === null) client.close();
      else this.#relay({ client, server, passing: null });
    }
  }

  #relay(pair: Pair): void {
    this.#pairs.add(pair);
    for (const end of [pair.client, pair.server]) end.setNoDelay(true);
    this.#pass(pair, pair.client, pair.server);
    this.#pass(pair, pair.server, pair.client);
  }

  async #pass(pair: Pair, from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (let size; (size = await from.read(buffer)) !== null;) {
        const passing = from === pair.server ? pair.passing : null;
        const end = Math.min(size, passing ?? size);
        for (let at = 0; at < end;) at += await to.write(buffer.subarray(at, end));
        if (passing === null) continue;
        break;
      }
    } catch {
      // It was cut, or one of its ends is gone.
    }
    this.#end(pair);
  }

  #end(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return;
    for (const end of [pair.client, pair.server]) end.close();
  }
}
