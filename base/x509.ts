/**
 * What is read of certificates (RFC 5280): the URIs among their alternative names, and until when they are valid. It is read
 * from their DER form (X.690), because text made for people cannot be trusted with it: a DNS name may hold whatever looks
 * like the next entry. Verifies nothing.
 */

import { bytesInPem, CERTIFICATE } from "./pem.ts";
import { childrenOf, type Element, elementsOf, TAG } from "./der_reader.ts";

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
  const [toBeSigned] = childrenOf(der, certificate, TAG.sequence);
  const wrapper = childrenOf(der, toBeSigned, TAG.sequence).find(({ tag }) => tag === EXTENSIONS);
  const [extensions] = childrenOf(der, wrapper, EXTENSIONS);
  for (const extension of childrenOf(der, extensions, TAG.sequence)) {
    const parts = childrenOf(der, extension, TAG.sequence);
    const [identifier] = parts;
    const value = parts.at(-1);
    if (identifier?.tag !== TAG.oid || !isAltName(der, identifier)) continue;
    const [names] = childrenOf(der, value, TAG.octets);
    return childrenOf(der, names, TAG.sequence)
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
  return validityOf(pem)?.untilMs ?? null;
}

/** From when and until when the first certificate of `pem` is valid, likewise. */
export function validityOf(
  pem: string,
): { readonly fromMs: number; readonly untilMs: number } | null {
  const [der] = bytesInPem(pem, CERTIFICATE) ?? [];
  if (der === undefined) return null;
  const [certificate] = elementsOf(der, 0, der.length);
  const [toBeSigned] = childrenOf(der, certificate, TAG.sequence);
  const fields = childrenOf(der, toBeSigned, TAG.sequence).filter(({ tag }) => tag !== VERSION);
  const [fromMs, untilMs] = childrenOf(der, fields[FIELDS_BEFORE_VALIDITY], TAG.sequence)
    .map(({ tag, start, end }) => timeOf(tag, new TextDecoder().decode(der.subarray(start, end))));
  if (typeof fromMs !== "number" || typeof untilMs !== "number") return null;
  return { fromMs, untilMs };
}

/** Milliseconds since 1970; null: it is no time. Both forms are in seconds and UTC (RFC 5280 4.1.2.5). */
export function timeOf(tag: number, text: string): number | null {
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
