/** RecordingOrigin: answers every request that a strict reader finds in what a proxy sends, and remembers each. */
import { readChunked, readRequest } from "../fuzz/reference.ts";
import { bytesOf, textOf } from "../support/bytes_notation.ts";

/** A request as its recipient reads it. */
export interface SeenRequest {
  readonly method: string;
  /** Path, and query where there is one. */
  readonly target: string;
  /** Without chunk framing. */
  readonly body: string;
}

/** What a strict reader makes of a stream of bytes. */
export interface Reading {
  readonly requests: readonly SeenRequest[];
  /** Where the last whole request ends. */
  readonly end: number;
  /** `between` requests, `within` one, or at something that is `not` one. */
  readonly rest: "between" | "within" | "not";
}

/** Reads one request after another; `stopsAtClose` where one says that it is the last. */
export function readRequests(text: string, stopsAtClose: boolean): Reading {
  const requests: SeenRequest[] = [];
  let end = 0;
  while (end < text.length) {
    const rest = text.slice(end);
    const head = readRequest(rest);
    if (head === null) return { requests, end, rest: /\r\n\r\n/.test(rest) ? "not" : "within" };
    const body = readBody(rest.slice(Number(head.end)), head.body);
    if (typeof body === "string") return { requests, end, rest: body as "within" | "not" };
    end += Number(head.end) + body.length;
    requests.push({ method: head.method, target: targetOf(rest), body: body.data });
    if (stopsAtClose && head.persistent === "no") break;
  }
  return { requests, end, rest: "between" };
}

function readBody(text: string, framing: string): { data: string; length: number } | string {
  if (framing === "none") return { data: "", length: 0 };
  if (framing !== "chunked") {
    const length = Number(framing);
    return text.length < length ? "within" : { data: text.slice(0, length), length };
  }
  const chunked = readChunked(text);
  // The reference does not tell what is malformed from what is not all there.
  if (chunked.ends !== "done") return "within";
  return { data: chunked.data, length: Number(chunked.end) };
}

/** In origin form, as it is passed on. */
function targetOf(head: string): string {
  const target = head.trimStart().split(" ")[1];
  const path = target.replace(/^https?:\/\/[^/?]*/i, "");
  return path.startsWith("/") || path === "*" ? path : `/${path}`;
}

export class RecordingOrigin {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections = new Set<Deno.TcpConn>();
  /** By connection: all that came. */
  #streams: { text: string }[] = [];

  constructor() {
    this.#accept();
  }

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  /** What each connection brought since the last call; connections that are still open go on with nothing. */
  take(): Reading[] {
    const readings = this.#streams.filter(({ text }) => text !== "")
      .map(({ text }) => readRequests(text, false));
    for (const stream of this.#streams) stream.text = "";
    return readings;
  }

  close(): void {
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
  }

  async #accept(): Promise<void> {
    try {
      for (;;) this.#serve(await this.#listener.accept());
    } catch {
      // Closed.
    }
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    this.#connections.add(connection);
    const stream = { text: "" };
    this.#streams.push(stream);
    const chunk = new Uint8Array(65_536);
    try {
      for (;;) {
        const count = await connection.read(chunk);
        if (count === null) break;
        const known = readRequests(stream.text, false).requests.length;
        stream.text += textOf(chunk.subarray(0, count));
        const reading = readRequests(stream.text, false);
        for (let i = known; i < reading.requests.length; i++) {
          await connection.write(bytesOf("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nseen"));
        }
        if (reading.rest === "not") break;
      }
    } catch {
      // The proxy went away.
    }
    this.#connections.delete(connection);
    try {
      connection.close();
    } catch {
      // Closed by `close`.
    }
  }
}
