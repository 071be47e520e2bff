/** PEM (RFC 7468): bytes as text between two lines that say what they are. */

/** Labels of blocks. */
export const CERTIFICATE = "CERTIFICATE";
/** PKCS#8, not encrypted. */
export const PRIVATE_KEY = "PRIVATE KEY";

export function pemOf(label: string, bytes: Uint8Array): string {
  const lines = bytes.toBase64().match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** The blocks with this label, in order; null where one of them is no base64. */
export function bytesInPem(text: string, label: string): Uint8Array[] | null {
  const form = new RegExp(
    `-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]*)-----END ${label}-----`,
    "g",
  );
  try {
    return [...text.matchAll(form)].map(([, base64]) => Uint8Array.fromBase64(base64));
  } catch {
    return null;
  }
}
