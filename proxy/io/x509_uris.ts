/**
 * The URIs among a certificate's alternative names, read from its DER form. Text made for people cannot be trusted with
 * it: a DNS name may hold whatever looks like the next entry. Knows as much ASN.1 as that takes, and verifies nothing.
 */

const SEQUENCE = 0x30;
const OBJECT_IDENTIFIER = 0x06;
const OCTET_STRING = 0x04;
/** The extensions of a TBSCertificate (RFC 5280 4.1). */
const EXTENSIONS = 0xa3;
/** `uniformResourceIdentifier` of a GeneralName (RFC 5280 4.2.1.6). */
const URI = 0x86;
/** 2.5.29.17 */
const SUBJECT_ALT_NAME = [0x55, 0x1d, 0x11];

/** A value with its tag: `tag` and where in the certificate the value is. */
interface Element {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

/** Empty also where `der` is no certificate. */
export function urisOf(der: Uint8Array): string[] {
  const [certificate] = elementsOf(der, 0, der.length);
  const [toBeSigned] = within(der, certificate, SEQUENCE);
  const wrapper = within(der, toBeSigned, SEQUENCE).find(({ tag }) => tag === EXTENSIONS);
  const [extensions] = within(der, wrapper, EXTENSIONS);
  for (const extension of within(der, extensions, SEQUENCE)) {
    const parts = within(der, extension, SEQUENCE);
    const [identifier] = parts;
    const value = parts.at(-1);
    if (identifier?.tag !== OBJECT_IDENTIFIER || !isAltName(der, identifier)) continue;
    const [names] = within(der, value, OCTET_STRING);
    return within(der, names, SEQUENCE)
      .filter(({ tag }) => tag === URI)
      .map(({ start, end }) => new TextDecoder().decode(der.subarray(start, end)));
  }
  return [];
}

function isAltName(der: Uint8Array, { start, end }: Element): boolean {
  return end - start === SUBJECT_ALT_NAME.length &&
    SUBJECT_ALT_NAME.every((byte, i) => der[start + i] === byte);
}

/** The elements that `element` holds; none where it is missing or of another kind. */
function within(der: Uint8Array, element: Element | undefined, tag: number): Element[] {
  if (element === undefined || element.tag !== tag) return [];
  return elementsOf(der, element.start, element.end);
}

/** The elements one after another; up to what is malformed. */
function elementsOf(der: Uint8Array, start: number, end: number): Element[] {
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
