/** As much of DER, the form of certificates, as reading fields of one takes (X.690). Verifies nothing. */

export const SEQUENCE = 0x30;

/** A value with its tag: `tag` and where in the certificate the value is. */
export interface Element {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

/** The elements that `element` holds; none where it is missing or of another kind. */
export function within(der: Uint8Array, element: Element | undefined, tag: number): Element[] {
  if (element === undefined || element.tag !== tag) return [];
  return elementsOf(der, element.start, element.end);
}

/** The elements one after another; up to what is malformed. */
export function elementsOf(der: Uint8Array, start: number, end: number): Element[] {
  const elements: Element[] = [];
  for (let at = start; at + 2 <= end;) {
    const tag = der[at];
    let length = der[at + 1];
    at += 2;
    if (length > 0x80) {
      // Long form; a certificate of 16 MiB is none.
      const lengthBytes = length - 0x80;
      if (lengthBytes > 3 || at + lengthBytes > end) break;
      length = 0;
      for (let i = 0; i < lengthBytes; i++) length = length * 256 + der[at++];
    }
    if (at + length > end) break;
    elements.push({ tag, start: at, end: at + length });
    at += length;
  }
  return elements;
}
