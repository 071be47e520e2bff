/**
 * An HTTP/1.1 reader of its own, so that the proxy's parser is not judged by itself: strict, plain and slow. It
 * takes bytes as they come and tells of heads, body bytes and ends.
 */

export interface MessageHead {
  /** The request or status line. */
  readonly line: string;
  /** Names in lower case, in order. */
  readonly headers: readonly (readonly [string, string])[];
}

/** How the body of a message that was just begun ends; `tunnel`: all that follows is no message. */
export type Framing =
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" | "close" | "tunnel" };

export const NO_BODY: Framing = { kind: "length", length: 0 };

export interface Receiver {
  onHead(head: MessageHead): Framing;
  onBody(bytes: Uint8Array): void;
  /** A line of the trailers of a chunked body. */
  onTrailer?(line: string): void;
  onEnd(): void;
}

/** Bytes that are no message. */
class WireError extends Error {
  override readonly name = "WireError";
}

type State = "head" | "length" | "size" | "data" | "data-end" | "trailer" | "until-close";

export function valuesOf(head: MessageHead, name: string): string[] {
  return head.headers.filter(([key]) => key === name).map(([, value]) => value);
}

export class WireReader {
  /** Set by the receiver: what is left over is not looked at any more. */
  isStopped = false;
  readonly #receiver: Receiver;
  #state: State = "head";
  #line = "";
  #lines: string[] = [];
  #remaining = 0;

  constructor(receiver: Receiver) {
    this.#receiver = receiver;
  }

  /** The stream may end here without cutting a message. */
  get isBetween(): boolean {
    return this.#state === "head" && this.#line === "" && this.#lines.length === 0;
  }

  /** The stream ends the message. */
  get isUntilClose(): boolean {
    return this.#state === "until-close";
  }

  feed(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length && !this.isStopped) {
      switch (this.#state) {
        case "until-close":
          this.#receiver.onBody(bytes.subarray(at));
          return;
        case "length":
        case "data": {
          const part = bytes.subarray(at, at + this.#remaining);
          at += part.length;
          this.#remaining -= part.length;
          this.#receiver.onBody(part);
          if (this.#remaining === 0) this.#endData();
          break;
        }
        default:
          this.#takeByte(bytes[at++]);
      }
    }
  }

  #endData(): void {
    if (this.#state === "data") this.#state = "data-end";
    else this.#endMessage();
  }

  #endMessage(): void {
    this.#state = "head";
    this.#receiver.onEnd();
  }

  #takeByte(byte: number): void {
    this.#line += String.fromCharCode(byte);
    if (byte !== 10) {
      if (this.#line.length > 20_000) throw new WireError("A line without end");
      return;
    }
    if (!this.#line.endsWith("\r\n")) throw new WireError(`A bare line feed: ${this.#line}`);
    const line = this.#line.slice(0, -2);
    this.#line = "";
    this.#takeLine(line);
  }

  #takeLine(line: string): void {
    switch (this.#state) {
      case "head":
        if (line !== "") return void this.#lines.push(line);
        return this.#beginBody(parseHead(this.#lines.splice(0)));
      case "size": {
        const size = /^([0-9a-fA-F]+)(;[^"]*)?$/.exec(line);
        if (size === null) throw new WireError(`A chunk size "${line}"`);
        this.#remaining = parseInt(size[1], 16);
        this.#state = this.#remaining === 0 ? "trailer" : "data";
        return;
      }
      case "data-end":
        if (line !== "") throw new WireError(`After a chunk: "${line}"`);
        this.#state = "size";
        return;
      case "trailer":
        if (line === "") this.#endMessage();
        else this.#receiver.onTrailer?.(line);
        return;
    }
  }

  #beginBody(head: MessageHead): void {
    const framing = this.#receiver.onHead(head);
    if (framing.kind === "chunked") this.#state = "size";
    else if (framing.kind !== "length") this.#state = "until-close";
    else if (framing.length > 0) {
      this.#state = "length";
      this.#remaining = framing.length;
    } else this.#endMessage();
  }
}

function parseHead([line, ...rest]: string[]): MessageHead {
  if (line === undefined) throw new WireError("An empty head");
  const headers = rest.map((field) => {
    const colon = field.indexOf(":");
    if (colon <= 0 || /[\s]/.test(field.slice(0, colon))) throw new WireError(`Header "${field}"`);
    return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()] as const;
  });
  return { line, headers };
}

/** Body length or chunking as the head says it, with what two readers could take two ways refused. */
export function framingOf(head: MessageHead, otherwise: Framing): Framing {
  const lengths = valuesOf(head, "content-length");
  const codings = valuesOf(head, "transfer-encoding");
  if (lengths.length > 1 || codings.length > 1 || lengths.length + codings.length > 1) {
    throw new WireError(`Ambiguous framing in "${head.line}"`);
  }
  if (codings.length === 1) {
    if (codings[0] !== "chunked") throw new WireError(`Transfer coding "${codings[0]}"`);
    return { kind: "chunked" };
  }
  if (lengths.length === 0) return otherwise;
  if (!/^\d+$/.test(lengths[0])) throw new WireError(`Content-Length "${lengths[0]}"`);
  return { kind: "length", length: Number(lengths[0]) };
}
