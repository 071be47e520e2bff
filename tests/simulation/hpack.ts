/**
 * HPACK for the peers of the simulation: a literal-only encoder and a decoder over strings and lists. It shares the
 * numbers of RFC 7541's appendices with the data plane and not a line of its code, so that a mistake of one is not the
 * other's too.
 */
import {
  CODE_LENGTHS,
  CODES,
  END_OF_STRING,
} from "../../proxy/protocol/http2/hpack/huffman_code.ts";

export type HeaderField = readonly [name: string, value: string];

const ENTRY_BYTES = 32;

/** RFC 7541 appendix A, from 1; `name value`, or a name alone. */
const STATIC: readonly HeaderField[] =
  (":authority|:method GET|:method POST|:path /|:path /index.html|" +
    ":scheme http|:scheme https|:status 200|:status 204|:status 206|:status 304|:status 400|" +
    ":status 404|:status 500|accept-charset|accept-encoding gzip, deflate|accept-language|" +
    "accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|" +
    "content-disposition|content-encoding|content-language|content-length|content-location|" +
    "content-range|content-type|cookie|date|etag|expect|expires|from|host|if-match|" +
    "if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|link|location|" +
    "max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|server|" +
    "set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate")
    .split("|").map((entry) => {
      const blank = entry.indexOf(" ");
      return blank < 0 ? [entry, ""] : [entry.slice(0, blank), entry.slice(blank + 1)];
    });

/** Symbols by the bits of their codes, the length first. */
const SYMBOLS = new Map(
  Array.from(CODES, (code, symbol) => [`${CODE_LENGTHS[symbol]} ${code}`, symbol]),
);

/** A block that no table can change the meaning of: every field as a literal, never to be indexed by its reader. */
export function encodeLiterals(fields: readonly HeaderField[]): Uint8Array {
  const bytes: number[] = [];
  for (const [name, value] of fields) bytes.push(0, ...literal(name), ...literal(value));
  return Uint8Array.from(bytes);
}

function literal(text: string): number[] {
  return [...integer(text.length, 0, 7), ...Array.from(text, (one) => one.charCodeAt(0))];
}

/** RFC 7541 5.1. */
export function integer(value: number, first: number, bits: number): number[] {
  const most = 2 ** bits - 1;
  if (value < most) return [first | value];
  const bytes = [first | most];
  for (value -= most; value >= 128; value = Math.floor(value / 128)) bytes.push(value % 128 | 128);
  return [...bytes, value];
}

/** Decodes the blocks of one connection, in order. */
export class HpackDecoder {
  /** Newest first. */
  readonly #table: HeaderField[] = [];
  #sizeMax = 4_096;
  #sizeLimit = 4_096;

  /** The peer has acknowledged that the table may have as much: where that is less, its next block says so first. */
  limit(size: number): void {
    this.#sizeLimit = size;
  }

  /** @throws {HpackError} */
  decode(block: Uint8Array): HeaderField[] {
    const reader = new BlockReader(block);
    const fields: HeaderField[] = [];
    const mustResize = this.#sizeMax > this.#sizeLimit;
    if (mustResize && (reader.peek() & 0xe0) !== 0x20) {
      throw new HpackError("The table is too large");
    }
    while (!reader.isDone) {
      const first = reader.peek();
      if (first >= 0x80) fields.push(this.#entry(reader.integer(7)));
      else if (first >= 0x40) {
        const field = this.#literal(reader, 6);
        fields.push(field);
        this.#insert(field);
      } else if (first < 0x20) fields.push(this.#literal(reader, 4));
      else if (fields.length > 0) throw new HpackError("The table changes after a field");
      else this.#resize(reader.integer(5));
    }
    return fields;
  }

  #literal(reader: BlockReader, bits: number): HeaderField {
    const index = reader.integer(bits);
    const name = index === 0 ? reader.text() : this.#entry(index)[0];
    return [name, reader.text()];
  }

  #entry(index: number): HeaderField {
    const entry = index <= STATIC.length
      ? STATIC[index - 1]
      : this.#table[index - STATIC.length - 1];
    if (entry === undefined) throw new HpackError(`No entry ${index}`);
    return entry;
  }

  #insert(field: HeaderField): void {
    this.#table.unshift(field);
    this.#evict();
  }

  #resize(size: number): void {
    if (size > this.#sizeLimit) throw new HpackError(`A table of ${size} bytes`);
    this.#sizeMax = size;
    this.#evict();
  }

  #evict(): void {
    let size = 0;
    for (const [place, [name, value]] of this.#table.entries()) {
      size += name.length + value.length + ENTRY_BYTES;
      if (size > this.#sizeMax) return void this.#table.splice(place);
    }
  }
}

/** A header block that is none. */
export class HpackError extends Error {
  override readonly name = "HpackError";
}

class BlockReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isDone(): boolean {
    return this.#at === this.#bytes.length;
  }

  peek(): number {
    if (this.isDone) throw new HpackError("The block ends early");
    return this.#bytes[this.#at];
  }

  integer(bits: number): number {
    const most = 2 ** bits - 1;
    let value = this.#next() & most;
    if (value < most) return value;
    for (let factor = 1;; factor *= 128) {
      const byte = this.#next();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      // Four bytes hold more than any length or index that can be right.
      if (factor === 128 ** 3) throw new HpackError("An integer without end");
    }
  }

  text(): string {
    const isCoded = this.peek() >= 0x80;
    const length = this.integer(7);
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new HpackError("A text that is cut");
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return isCoded ? decodeHuffman(bytes) : String.fromCharCode(...bytes);
  }

  #next(): number {
    const byte = this.peek();
    this.#at++;
    return byte;
  }
}

/** Bit by bit. */
function decodeHuffman(bytes: Uint8Array): string {
  let text = "";
  let code = 0;
  let length = 0;
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    code = code * 2 + ((bytes[bit >> 3] >> (7 - bit % 8)) & 1);
    length++;
    const symbol = SYMBOLS.get(`${length} ${code}`);
    if (symbol === undefined) continue;
    if (symbol === END_OF_STRING) throw new HpackError("The end of a string is sent");
    text += String.fromCharCode(symbol);
    code = length = 0;
  }
  if (length > 7 || code !== 2 ** length - 1) throw new HpackError("Padding of other bits");
  return text;
}
