/** RecordingOrigin: answers every request that a strict reader finds in what a proxy sends, and remembers each. */
import { readChunked, readRequest } from "../fuzz/reference.ts";
import type { RawSocket } from "../support/raw_socket.ts";
import { ok, ScriptedOrigin } from "../support/scripted_origin.ts";

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
  readonly #origin = new ScriptedOrigin((socket) => this.#serve(socket), { mayFail: true });
  /** By connection: all that came. */
  readonly #streams: { text: string }[] = [];

  get port(): number {
    return this.#origin.port;
  }

  /** What each connection brought since the last call; connections that are still open go on with nothing. */
  take(): Reading[] {
    const readings = this.#streams.filter(({ text }) => text !== "")
      .map(({ text }) => readRequests(text, false));
    for (const stream of this.#streams) stream.text = "";
    return readings;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#origin[Symbol.asyncDispose]();
  }

  async #serve(socket: RawSocket): Promise<void> {
    const stream = { text: "" };
    this.#streams.push(stream);
    while (await socket.readMore()) {
      const known = readRequests(stream.text, false).requests.length;
      stream.text += socket.takeAll();
      const reading = readRequests(stream.text, false);
      for (let i = known; i < reading.requests.length; i++) await socket.send(ok("seen"));
      if (reading.rest === "not") return;
    }
  }
}
