/** DER, the encoding of certificates (X.690): what it takes to write one. Bytes in, bytes out. */

/** One value with its tag and length. */
function tagged(tag: number, ...parts: Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const size = length < 0x80 ? [length] : [0x80 | bytesOf(length).length, ...bytesOf(length)];
  const bytes = new Uint8Array(1 + size.length + length);
  bytes.set([tag, ...size]);
  let at = 1 + size.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A whole number, most significant byte first. */
function bytesOf(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return bytes;
}

export const der = {
  sequence: (...parts: Uint8Array[]) => tagged(0x30, ...parts),
  set: (...parts: Uint8Array[]) => tagged(0x31, ...parts),
  boolean: (value: boolean) => tagged(0x01, new Uint8Array([value ? 0xff : 0])),
  octets: (bytes: Uint8Array) => tagged(0x04, bytes),
  text: (text: string) => tagged(0x0c, new TextEncoder().encode(text)),
  /** Of context-specific tag `number`, which is no sequence of its own. */
  plain: (number: number, bytes: Uint8Array) => tagged(0x80 | number, bytes),
  /** What has context-specific tag `number` around it. */
  explicit: (number: number, ...parts: Uint8Array[]) => tagged(0xa0 | number, ...parts),
  /** A positive integer of these bytes, most significant first. */
  integer(bytes: Uint8Array): Uint8Array {
    const start = bytes.findIndex((byte) => byte !== 0);
    const magnitude = start === -1 ? new Uint8Array(1) : bytes.subarray(start);
    // The first bit of an integer is its sign.
    return magnitude[0] < 0x80
      ? tagged(0x02, magnitude)
      : tagged(0x02, new Uint8Array(1), magnitude);
  },
  bits: (bytes: Uint8Array, unused = 0) => tagged(0x03, new Uint8Array([unused]), bytes),
  /** `1.2.840.10045.4.3.2` */
  oid(text: string): Uint8Array {
    const [first, second, ...rest] = text.split(".").map(Number);
    const groups = [40 * first + second, ...rest].flatMap((arc) => {
      const septets = [arc % 128];
      for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
        septets.unshift(0x80 | left % 128);
      }
      return septets;
    });
    return tagged(0x06, new Uint8Array(groups));
  },
  /** To the second; years from 2050 on are written in full. */
  time(date: Date): Uint8Array {
    const digits = date.toISOString().replace(/\D/g, "").slice(0, 14);
    const isShort = date.getUTCFullYear() < 2050;
    const text = `${isShort ? digits.slice(2) : digits}Z`;
    return tagged(isShort ? 0x17 : 0x18, new TextEncoder().encode(text));
  },
};
