/** Until when a certificate is valid, read from its PEM form. Verifies nothing. */
import { elementsOf, SEQUENCE, within } from "./der.ts";

/** `version` of a TBSCertificate, which may be left out (RFC 5280 4.1). */
const VERSION = 0xa0;
/** Serial number, signature algorithm and issuer stand before the validity. */
const FIELDS_BEFORE_VALIDITY = 3;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;

/** When the first certificate of `pem` expires, in milliseconds since 1970; null where that cannot be read. */
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
