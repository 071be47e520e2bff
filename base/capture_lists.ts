/** The items of lists that say what of a pod's traffic is captured: ports and address ranges, as `weft proxy-init` and annotations have them. */
import { formatIp, parseIp } from "./ip.ts";

export type IpVersion = 4 | 6;

/** A port, or two with `first` below `last`. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** An address block, such as 10.0.0.0/8. */
export interface IpRange {
  readonly version: IpVersion;
  /** In its shortest spelling, with prefix length. */
  readonly text: string;
}

/** The words of a list, with commas between them; an empty list may be written as empty text. */
export function wordsOfList(list: string): string[] {
  return list.trim() === "" ? [] : list.split(",").map((word) => word.trim());
}

/** `80`, or `8000-8080`. Null: neither. */
export function parsePortRange(text: string): PortRange | null {
  const [, first, last] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const range = { first: Number(first), last: Number(last ?? first) };
  return range.first >= 1 && range.first <= range.last && range.last <= 65_535 ? range : null;
}

/** A range, or a single address; bits after the prefix are cleared, as iptables does. Null: neither. */
export function parseIpRange(text: string): IpRange | null {
  const [, address, length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const bytes = parseIp(address ?? "");
  if (bytes === null) return null;
  const bits = 8 * bytes.length;
  const prefix = length === undefined ? bits : Number(length);
  if (prefix > bits) return null;
  for (let i = 0; i < bytes.length; i++) {
    const kept = Math.min(8, Math.max(0, prefix - 8 * i));
    bytes[i] &= 0xff00 >> kept;
  }
  const version = bytes.length === 4 ? 4 : 6;
  return { version, text: `${formatIp(bytes, 0, version === 4 ? 4 : 16)}/${prefix}` };
}
