/** Ranges of IP addresses, and whether an address is in one of them. */
import { parseIpRange } from "./capture_lists.ts";
import { canonicalIp, parseIp } from "./ip.ts";

interface Range {
  readonly bytes: Uint8Array;
  readonly bits: number;
}

export class IpRanges {
  readonly #ranges: readonly Range[];

  /** @param texts such as `192.0.2.0/24`; what is none has no address in it */
  constructor(texts: readonly string[]) {
    this.#ranges = texts.flatMap((text) => rangeOf(text) ?? []);
  }

  /** An IPv4 address is the same one in its IPv6 spelling. */
  has(address: string): boolean {
    const bytes = parseIp(canonicalIp(address) ?? "");
    return bytes !== null && this.#ranges.some((range) => isIn(bytes, range));
  }
}

function rangeOf(text: string): Range | null {
  const [address, bits] = parseIpRange(text)?.text.split("/") ?? [];
  const bytes = parseIp(address ?? "");
  return bytes === null ? null : { bytes, bits: Number(bits) };
}

function isIn(address: Uint8Array, { bytes, bits }: Range): boolean {
  if (address.length !== bytes.length) return false;
  return address.every((byte, i) => {
    const shift = 8 - Math.min(8, Math.max(0, bits - 8 * i));
    return byte >> shift === bytes[i] >> shift;
  });
}
