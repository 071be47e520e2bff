/** DER as it is read (X.690): elements with their tags and places. Bytes in, places out; what the elements mean is known elsewhere. */
import { DER_LENGTH_BYTES_MAX } from "./limits.ts";

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  sequence: 0x30,
  set: 0x31,
} as const;

/** A value with its tag: where the element begins, and where its value is. */
export interface Element {
  readonly tag: number;
  readonly from: number;
  readonly start: number;
  readonly end: number;
}

/** The elements one after another; up to what is malformed. */
export function elementsOf(der: Uint8Array, start: number, end: number): Element[] {
  const elements: Element[] = [];
  for (let at = start; at + 2 <= end;) {
    const from = at;
    const tag = der[at];
    let length = der[at + 1];
    at += 2;
    // A length that only the end of the value tells is of BER alone.
    if (length === 0x80) break;
    if (length > 0x80) {
      const lengthBytes = length - 0x80;
      if (lengthBytes > DER_LENGTH_BYTES_MAX || at + lengthBytes > end) break;
      length = 0;
      for (let i = 0; i < lengthBytes; i++) length = length * 256 + der[at++];
    }
    if (at + length > end) break;
    elements.push({ tag, from, start: at, end: at + length });
    at += length;
  }
  return elements;
}

/** The elements that `element` holds; none if it is missing or of another kind. */
export function childrenOf(der: Uint8Array, element: Element | undefined, tag: number): Element[] {
  if (element === undefined || element.tag !== tag) return [];
  return elementsOf(der, element.start, element.end);
}

/** The bytes of an element's value. */
function valueOf(der: Uint8Array, { start, end }: Element): Uint8Array {
  return der.subarray(start, end);
}

/** The bytes of an element as it stands there, with its tag and length. */
function wholeOf(der: Uint8Array, { from, end }: Element): Uint8Array {
  return der.subarray(from, end);
}

function isShortest({ from, start, end }: Element): boolean {
  const length = end - start;
  const lengthBytes = length < 0x80 ? 0 : length < 0x100 ? 1 : length < 0x10000 ? 2 : 3;
  return start - from === 2 + lengthBytes;
}

/** Bytes that are not what they have to be. Its message ends a sentence: "the CSR has …". */
export class DerError extends Error {
  override readonly name = "DerError";
}

/**
 * Reads one element after another, and takes nothing that has something left over: what two readers could understand in two ways is
 * refused.
 */
export class DerReader {
  readonly #der: Uint8Array;
  readonly #elements: readonly Element[];
  #at = 0;

  /** @throws {DerError} the bytes are no sequence of elements */
  constructor(der: Uint8Array, start = 0, end = der.length) {
    this.#der = der;
    this.#elements = elementsOf(der, start, end);
    if ((this.#elements.at(-1)?.end ?? start) !== end) throw new DerError("is malformed");
    // Of the ways to write a length only the shortest is DER.
    if (!this.#elements.every(isShortest)) throw new DerError("is BER and no DER");
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#elements.length;
  }

  /** Whether the next element has this tag. */
  is(tag: number): boolean {
    return this.#elements[this.#at]?.tag === tag;
  }

  /** @throws {DerError} the next element has another tag, or there is none */
  take(tag: number): Element {
    const element = this.#elements[this.#at++];
    if (element?.tag !== tag) throw new DerError("is not of the form that it must have");
    return element;
  }

  /** Whatever comes next. */
  any(): { readonly tag: number; readonly value: Uint8Array } {
    const element = this.#elements[this.#at++];
    if (element === undefined) throw new DerError("is not of the form that it must have");
    return { tag: element.tag, value: valueOf(this.#der, element) };
  }

  /** @throws {DerError} it is no text in UTF-8 */
  text(tag: number): string {
    const bytes = this.bytes(tag);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new DerError("holds a text that is no UTF-8");
    }
  }

  /** @throws {DerError} it is neither true nor false */
  boolean(): boolean {
    const [byte, ...more] = this.bytes(TAG.boolean);
    if ((byte !== 0 && byte !== 0xff) || more.length > 0) throw new DerError("is no DER");
    return byte !== 0;
  }

  /** What is in the next element, which has this tag. */
  enter(tag: number): DerReader {
    const { start, end } = this.take(tag);
    return new DerReader(this.#der, start, end);
  }

  bytes(tag: number): Uint8Array {
    return valueOf(this.#der, this.take(tag));
  }

  /** The next element as it stands there. */
  whole(tag: number): Uint8Array {
    return wholeOf(this.#der, this.take(tag));
  }

  /** An object identifier, as bytes in hexadecimal digits. */
  oid(): string {
    return this.bytes(TAG.oid).toHex();
  }

  /** @throws {DerError} something is left */
  end(): void {
    if (!this.isAtEnd) throw new DerError("has more than it may have");
  }
}

/** As `oid()` gives it. */
export const OID = {
  subjectAltName: "551d11",
  basicConstraints: "551d13",
  keyUsage: "551d0f",
  extendedKeyUsage: "551d25",
  subjectKeyId: "551d0e",
  challengePassword: "2a864886f70d010907",
  extensionRequest: "2a864886f70d01090e",
  ecdsaWithSha256: "2a8648ce3d040302",
} as const;
