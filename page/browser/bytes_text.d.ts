/** What Deno 2.6 does not declare where `lib` is given: bytes as text (ECMAScript 2026, Uint8Array to and from base64). */
interface Uint8Array {
  toHex(): string;
  toBase64(): string;
}

interface Uint8ArrayConstructor {
  fromBase64(text: string): Uint8Array<ArrayBuffer>;
}
