/**
 * What is read of certificates (RFC 5280): the URIs among their alternative names, and until when they are valid. It is read
 * from their DER form (X.690), because text made for people cannot be trusted with it: a DNS name may hold whatever looks
 * like the next entry. Verifies nothing.
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
/** `version` of a TBSCertificate, which may be left out (RFC 5280 4.1). */
const VERSION = 0xa0;
/** Serial number, signature algorithm and issuer stand before the validity. */
const FIELDS_BEFORE_VALIDITY = 3;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;

/** The URIs among the alternative names; empty also where `der` is no certificate. */
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

/** When the first certificate of `pem` expires, in milliseconds since 1970; null if that cannot be read. */
export function expiryOf(pem: string): number | null {
  const der = derOf(pem);
  if (der === null) return null;
  const [certificate] = elementsOf(der, 0, der.length);
  const [toBeSigned] = within(der, certificate, SEQUENCE);
  const fields = within(der, toBeSigned, SEQUENCE).filter(({ tag }) => tag !== VERSION);
  const [, notAfter] = within(der, fields[FIELDS_BEFORE_VALIDITY], SEQUENCE);
  if (notAfter === undefined) return null;
  return timeOf(notAfter.tag, new TextDecoder().decode(der.subarray(notAfter.start, notAfter.end)));
}

function derOf(pem: string): Uint8Array | null {
  const [, base64] = /-----BEGIN CERTIFICATE-----([^-]*)-----END/.exec(pem) ?? [];
  if (base64 === undefined) return null;
  try {
    return Uint8Array.from(atob(base64.replace(/\s/g, "")), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}

/** Both forms are in seconds and UTC (RFC 5280 4.1.2.5). */
function timeOf(tag: number, text: string): number | null {
  const isShort = tag === UTC_TIME;
  if (!isShort && tag !== GENERALIZED_TIME) return null;
  const form = isShort
    ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/
    : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
  const parts = form.exec(text)?.slice(1).map(Number);
  if (parts === undefined) return null;
  const [year, month, day, hour, minute, second] = parts;
  // Two digits from 50 on are of the last century.
  const fullYear = isShort ? year + (year >= 50 ? 1_900 : 2_000) : year;
  return Date.UTC(fullYear, month - 1, day, hour, minute, second);
}

/** A value with its tag: `tag` and where in the certificate the value is. */
interface Element {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

/** The elements that `element` holds; none if it is missing or of another kind. */
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
