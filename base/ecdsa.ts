/** Signatures of ECDSA: as WebCrypto has them, two numbers in full length, and as certificates have them (RFC 3279), a BIT STRING of DER. */
import { der } from "./der.ts";
import { DerError, DerReader, TAG } from "./der_reader.ts";

/** The BIT STRING, as a whole element. */
export function derSignature(raw: ArrayBuffer): Uint8Array {
  const half = raw.byteLength / 2;
  const [r, s] = [0, half].map((at) => der.integer(new Uint8Array(raw, at, half)));
  return der.bits(der.sequence(r, s));
}

/**
 * From the value of a BIT STRING.
 * @param halfBytes of each number: 32 on P-256
 * @throws {DerError} it is of another form
 */
export function rawSignature(bits: Uint8Array, halfBytes: number): Uint8Array<ArrayBuffer> {
  if (bits[0] !== 0) throw new DerError("has a signature of another form");
  const file = new DerReader(bits, 1);
  const numbers = file.enter(TAG.sequence);
  file.end();
  const raw = new Uint8Array(2 * halfBytes);
  for (const end of [halfBytes, 2 * halfBytes]) {
    const bytes = numbers.bytes(TAG.integer);
    const number = bytes[0] === 0 ? bytes.subarray(1) : bytes;
    if (number.length > halfBytes) throw new DerError("has a signature of another form");
    raw.set(number, end - number.length);
  }
  numbers.end();
  return raw;
}
