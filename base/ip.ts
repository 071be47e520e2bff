/** IP addresses as bytes and as text. Knows no DNS: a name is not an address. */

/** Parses dotted IPv4 (4 bytes) or IPv6 (16 bytes, RFC 4291 2.2); null if the text is neither. */
export function parseIp(text: string): Uint8Array | null {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): Uint8Array | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return null;
  const bytes = Uint8Array.from(match.slice(1), Number);
  return match.slice(1).every((part) => Number(part) <= 255) ? bytes : null;
}

function parseIpv6(text: string): Uint8Array | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = parseGroups(halves[0]);
  const tail = halves.length === 2 ? parseGroups(halves[1]) : [];
  if (head === null || tail === null) return null;
  const length = head.length + tail.length;
  if (halves.length === 1 ? length !== 16 : length > 14) return null;
  const bytes = new Uint8Array(16);
  bytes.set(head, 0);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

/** The bytes of colon-separated groups, the last of which may be dotted IPv4. */
function parseGroups(text: string): number[] | null {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [index, group] of groups.entries()) {
    if (index === groups.length - 1 && group.includes(".")) {
      const ipv4 = parseIpv4(group);
      if (ipv4 === null) return null;
      bytes.push(...ipv4);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return null;
      const value = parseInt(group, 16);
      bytes.push(value >> 8, value & 255);
    }
  }
  return bytes;
}

/** Renders 4 or 16 bytes at `offset`; IPv6 in the form of RFC 5952, IPv4-mapped addresses as IPv4. */
export function formatIp(bytes: Uint8Array, offset: number, length: 4 | 16): string {
  if (length === 4) return bytes.subarray(offset, offset + 4).join(".");
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((bytes[offset + i] << 8) | bytes[offset + i + 1]);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return formatIp(bytes, offset + 12, 4);
  }
  const run = longestZeroRun(groups);
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(":");
  if (run.length < 2) return hex(groups);
  return `${hex(groups.slice(0, run.start))}::${hex(groups.slice(run.start + run.length))}`;
}

/** The spelling of `formatIp`; null if the text is no address. Most addresses are spelt so, and then nothing is made. */
export function canonicalIp(text: string): string | null {
  if (isCanonicalIpv4(text)) return text;
  const ip = parseIp(text);
  return ip === null ? null : formatIp(ip, 0, ip.length === 4 ? 4 : 16);
}

/** Four numbers up to 255 without leading zeros, with dots between. */
function isCanonicalIpv4(text: string): boolean {
  let parts = 1;
  let value = -1;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit === -2) {
      if (value < 0) return false;
      parts++;
      value = -1;
      continue;
    }
    if (digit < 0 || digit > 9 || value === 0) return false;
    value = value < 0 ? digit : 10 * value + digit;
    if (value > 255) return false;
  }
  return parts === 4 && value >= 0;
}

/** `address:port`, `[address]:port` for IPv6. */
export function formatAuthority(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Whether an address never leaves this machine: 127.0.0.0/8, ::1, or either as the address of everything. */
export function isLocal(address: string): boolean {
  const ip = parseIp(address);
  if (ip === null) return false;
  const isMapped = ip.length === 16 && ip.subarray(0, 10).every((byte) => byte === 0) &&
    ip[10] === 255 && ip[11] === 255;
  if (ip.length === 4 || isMapped) {
    const first = ip.length === 4 ? ip : ip.subarray(12);
    return first[0] === 127 || first.every((byte) => byte === 0);
  }
  return ip.subarray(0, 15).every((byte) => byte === 0) && ip[15] <= 1;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let i = 0; i <= groups.length; i++) {
    if (groups[i] === 0) continue;
    if (i - start > best.length) best = { start, length: i - start };
    start = i + 1;
  }
  return best;
}
