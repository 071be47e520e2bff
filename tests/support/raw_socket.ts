/**
 * RawSocket: a TCP connection whose bytes a test writes and reads itself, and a strict reader of HTTP/1.1 messages
 * that shares nothing with Weft's machines.
 */
import { bytesOf, textOf } from "./bytes_notation.ts";
import { within } from "./until.ts";

/** One message as it came off the wire. Names of headers are lower case. */
export interface RawMessage {
  readonly startLine: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Without chunk framing. */
  readonly body: string;
  /** Lines after the last chunk. */
  readonly trailers: readonly string[];
  readonly raw: string;
}

export function statusOf(message: RawMessage): number {
  return Number(message.startLine.split(" ")[1]);
}

/** The values of a header, joined; undefined where it is missing. */
export function headerOf(message: RawMessage, name: string): string | undefined {
  const values = message.headers.filter(([other]) => other === name).map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(", ");
}

interface ReadOptions {
  /** The answer to HEAD has no body. */
  readonly isHead?: boolean;
}

export class RawSocket {
  readonly #connection: Deno.TcpConn;
  readonly #chunk = new Uint8Array(65_536);
  /** Received and not yet taken; one character a byte. */
  #pending = "";
  #isEnded = false;
  #isSkipping = false;
  #skipped = 0;
  /** Why reading failed; a reset, mostly. */
  failure = "";

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
    connection.setNoDelay(true);
  }

  static async connect(port: number, hostname = "127.0.0.1"): Promise<RawSocket> {
    return new RawSocket(await Deno.connect({ hostname, port }));
  }

  /** Text goes out one byte a character. */
  async send(data: string | Uint8Array<ArrayBuffer>): Promise<void> {
    const bytes = typeof data === "string" ? bytesOf(data) : data;
    for (let at = 0; at < bytes.length;) {
      at += await within(this.#connection.write(bytes.subarray(at)), () => this.close());
    }
  }

  /** Sends no more; the other side may go on. */
  async endSending(): Promise<void> {
    await this.#connection.closeWrite();
  }

  close(): void {
    try {
      this.#connection.close();
    } catch {
      // Closed before.
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Reads on once. False: the other side has ended, or the connection is broken (`failure`). */
  async readMore(): Promise<boolean> {
    if (this.#isEnded) return false;
    let isLate = false;
    try {
      const count = await within(this.#connection.read(this.#chunk), () => {
        isLate = true;
        this.close();
      });
      if (count === null) this.#isEnded = true;
      else if (this.#isSkipping) this.#skipped += count;
      else this.#pending += textOf(this.#chunk.subarray(0, count));
    } catch (error) {
      this.#isEnded = true;
      this.failure = error instanceof Error ? error.name : String(error);
    }
    if (isLate) throw new Error(`Nothing came; so far: ${JSON.stringify(this.#pending)}`);
    return !this.#isEnded;
  }

  /** Reads and drops whatever comes until at least `bytes` have come, or the end; returns how many did. */
  async skip(bytes: number): Promise<number> {
    this.#skipped = this.#take(this.#pending.length).length;
    this.#isSkipping = true;
    while (this.#skipped < bytes && await this.readMore());
    this.#isSkipping = false;
    return this.#skipped;
  }

  /** What has been received and not been taken. */
  takeAll(): string {
    return this.#take(this.#pending.length);
  }

  /** Everything up to the end. */
  async readRest(): Promise<string> {
    while (await this.readMore());
    return this.#take(this.#pending.length);
  }

  /** Exactly so many bytes. */
  async readExactly(count: number): Promise<string> {
    while (this.#pending.length < count) if (!await this.readMore()) throw this.#short();
    return this.#take(count);
  }

  /** Up to and with `mark`. */
  async readThrough(mark: string): Promise<string> {
    for (;;) {
      const at = this.#pending.indexOf(mark);
      if (at >= 0) return this.#take(at + mark.length);
      if (!await this.readMore()) throw this.#short();
    }
  }

  /** A request, or null where the connection ended before one began. */
  async readRequest(): Promise<RawMessage | null> {
    if (this.#pending === "" && !await this.readMore()) return null;
    return this.#readMessage((head) => bodyKind(head));
  }

  /** The next response, interim ones too. */
  readResponse({ isHead = false }: ReadOptions = {}): Promise<RawMessage> {
    return this.#readMessage((head) => {
      const status = Number(head.startLine.split(" ")[1]);
      if (isHead || status < 200 || status === 204 || status === 304) return 0;
      const kind = bodyKind(head);
      const isFramed = head.headers.some(([name]) =>
        /^(content-length|transfer-encoding)$/.test(name)
      );
      return isFramed ? kind : "until close";
    });
  }

  async #readMessage(
    kindOf: (head: RawMessage) => number | "chunked" | "until close",
  ): Promise<RawMessage> {
    const head = parseHead(await this.readThrough("\r\n\r\n"));
    const kind = kindOf(head);
    if (kind === "chunked") return this.#readChunked(head);
    const body = kind === "until close" ? await this.readRest() : await this.readExactly(kind);
    return { ...head, body, raw: head.raw + body };
  }

  async #readChunked(head: RawMessage): Promise<RawMessage> {
    let body = "";
    let { raw } = head;
    for (;;) {
      const line = await this.readThrough("\r\n");
      raw += line;
      const size = parseInt(line, 16);
      if (size === 0) break;
      const chunk = await this.readExactly(size + 2);
      raw += chunk;
      if (!chunk.endsWith("\r\n")) throw new Error(`A chunk does not end: ${JSON.stringify(raw)}`);
      body += chunk.slice(0, -2);
    }
    const trailers: string[] = [];
    for (;;) {
      const line = await this.readThrough("\r\n");
      raw += line;
      if (line === "\r\n") return { ...head, body, trailers, raw };
      trailers.push(line.slice(0, -2));
    }
  }

  #take(count: number): string {
    const taken = this.#pending.slice(0, count);
    this.#pending = this.#pending.slice(count);
    return taken;
  }

  #short(): Error {
    const ending = this.failure === "" ? "ended" : this.failure;
    return new ShortMessage(`The connection ${ending} after: ${JSON.stringify(this.#pending)}`);
  }
}

/** The connection ended within a message. */
export class ShortMessage extends Error {
  override readonly name = "ShortMessage";
}

function parseHead(raw: string): RawMessage {
  const [startLine, ...lines] = raw.slice(0, -4).split("\r\n");
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { startLine, headers, body: "", trailers: [], raw };
}

function bodyKind(head: RawMessage): number | "chunked" {
  if (headerOf(head, "transfer-encoding") !== undefined) return "chunked";
  return Number(headerOf(head, "content-length") ?? 0);
}
