/**
 * The URIs among a certificate's alternative names, read from its DER form. Text made for people cannot be trusted with
 * it: a DNS name may hold whatever looks like the next entry. Verifies nothing.
 */
import { type Element, elementsOf, SEQUENCE, within } from "./der.ts";

const OBJECT_IDENTIFIER = 0x06;
const OCTET_STRING = 0x04;
/** The extensions of a TBSCertificate (RFC 5280 4.1). */
const EXTENSIONS = 0xa3;
/** `uniformResourceIdentifier` of a GeneralName (RFC 5280 4.2.1.6). */
const URI = 0x86;
/** 2.5.29.17 */
const SUBJECT_ALT_NAME = [0x55, 0x1d, 0x11];

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
