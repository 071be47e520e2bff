/**
 * What a TLS client asks for, read from the first bytes of its ClientHello without taking part in the handshake: the server name (SNI,
 * RFC 6066 3), and the protocols of ALPN (RFC 7301 3.1).
 */
import { SERVER_NAME_BYTES_MAX } from "../../limits.ts";

const RECORD_HEADER_BYTES = 5;
/** Message type and length, version, random. */
const FIXED_BYTES = 4 + 2 + 32;
const SERVER_NAME = 0;
const HOST_NAME = 0;
const ALPN = 16;

/** Reads numbers and vectors one after another; reading past the end gives -1 from then on. */
class Cursor {
  readonly #bytes: Uint8Array;
  #at: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = Math.min(end, bytes.length);
  }

  get isDone(): boolean {
    return this.#at >= this.#end;
  }

  get left(): number {
    return this.#end - this.#at;
  }

  number(byteCount: number): number {
    let value = 0;
    for (let i = 0; i < byteCount; i++) {
      if (this.isDone) return -1;
      value = value * 256 + this.#bytes[this.#at++];
    }
    return value;
  }

  skip(byteCount: number): void {
    this.#at = byteCount < 0 ? this.#end : this.#at + byteCount;
  }

  /** What a length of `lengthBytes` announces, as far as it has arrived. */
  vector(lengthBytes: number): Cursor {
    const length = Math.max(0, this.number(lengthBytes));
    const inner = new Cursor(this.#bytes, this.#at, Math.min(this.#at + length, this.#end));
    this.skip(length);
    return inner;
  }

  /** All that is left, as text; empty where it is no host name. */
  hostName(): string {
    const bytes = this.#bytes.subarray(this.#at, this.#end);
    if (bytes.length > SERVER_NAME_BYTES_MAX) return "";
    const name = String.fromCharCode(...bytes);
    return /^[A-Za-z0-9._-]+$/.test(name) ? name.toLowerCase() : "";
  }

  /** All that is left, as it is. */
  text(): string {
    return String.fromCharCode(...this.#bytes.subarray(this.#at, this.#end));
  }
}

/**
 * The name in lower case; empty where there is none. For logs: nothing is decided by it, so a ClientHello that has not all arrived, or is
 * cut into several records, simply has none.
 */
export function serverNameOf(bytes: Uint8Array, start: number, end: number): string {
  const extension = extensionOf(helloAt(bytes, start, end), SERVER_NAME);
  const names = extension?.vector(2);
  while (names !== undefined && !names.isDone) {
    const kind = names.number(1);
    const name = names.vector(2);
    if (kind === HOST_NAME) return name.hostName();
  }
  return "";
}

/** What a client offers by ALPN, none where it does not use that. Null: its ClientHello has not all arrived. */
export function offersOf(bytes: Uint8Array, start: number, end: number): readonly string[] | null {
  const record = new Cursor(bytes, start + RECORD_HEADER_BYTES - 2, end);
  const length = record.number(2);
  // What is cut into several records is no mesh's client.
  if (record.left < length) return null;
  const offers = extensionOf(helloAt(bytes, start, end), ALPN)?.vector(2);
  const names: string[] = [];
  while (offers !== undefined && !offers.isDone) names.push(offers.vector(1).text());
  return names;
}

function helloAt(bytes: Uint8Array, start: number, end: number): Cursor {
  return new Cursor(bytes, start + RECORD_HEADER_BYTES, end);
}

/** Undefined: there is none of that type, as far as the ClientHello has arrived. */
function extensionOf(hello: Cursor, wanted: number): Cursor | undefined {
  hello.skip(FIXED_BYTES);
  hello.vector(1); // Session id.
  hello.vector(2); // Cipher suites.
  hello.vector(1); // Compression methods.
  const extensions = hello.vector(2);
  while (!extensions.isDone) {
    const type = extensions.number(2);
    const extension = extensions.vector(2);
    if (type === wanted) return extension;
  }
  return undefined;
}
