/**
 * Redirection: what Linux knows of connections that iptables redirected (SO_ORIGINAL_DST), and which of them this process opened
 * itself. Owns no descriptors.
 */
import { formatIp } from "../../base/ip.ts";
import * as libc from "./libc.ts";
import type { Fd, OriginalDestination } from "./io.ts";

/** Bytes of `struct sockaddr_in` and `struct sockaddr_in6`. */
export const IPV4_FAMILY_BYTES = 16;
export const IPV6_FAMILY_BYTES = 28;

export class Redirection {
  readonly #c: libc.Libc;
  /** The descriptor that connected last from each local port, plus one; 0: none. Checked before it is believed. */
  readonly #connectedFrom = new Int32Array(65_536);
  readonly #local = new Uint8Array(IPV6_FAMILY_BYTES);
  readonly #length = new Uint8Array(4);

  constructor(c: libc.Libc) {
    this.#c = c;
  }

  /** `fd` has begun to connect. */
  noteConnect(fd: Fd): void {
    this.#length[0] = IPV6_FAMILY_BYTES;
    if (this.#c.getsockname(fd, this.#local, this.#length) < 0) return;
    this.#connectedFrom[portOf(this.#local)] = fd + 1;
  }

  /** Where the client of an accepted connection meant to go; null: it was not redirected, or the kernel does not know. */
  originalDestination(fd: Fd): OriginalDestination | null {
    const local = this.#place(fd, "local");
    if (local === null) return null;
    const isIpv4 = !local.address.includes(":");
    const meant = new Uint8Array(isIpv4 ? IPV4_FAMILY_BYTES : IPV6_FAMILY_BYTES);
    const level = isIpv4 ? libc.SOL_IP : libc.SOL_IPV6;
    const length = Uint8Array.of(meant.length, 0, 0, 0);
    if (this.#c.getsockopt(fd, level, libc.SO_ORIGINAL_DST, meant, length) < 0) return null;
    const original = placeOf(meant);
    return isSame(original, local) ? null : original;
  }

  /** Where the client of an accepted connection connected to, redirected or not; null: the kernel does not know. */
  destination(fd: Fd): OriginalDestination | null {
    return this.originalDestination(fd) ?? this.#place(fd, "local");
  }

  /**
   * Whether the other end of an accepted connection is one that this process opened: the same two addresses and ports, as
   * the opening end sees them, can be no other connection.
   */
  isOwn(fd: Fd): boolean {
    const peer = this.#place(fd, "peer");
    if (peer === null) return false;
    const opener = this.#connectedFrom[peer.port] - 1;
    if (opener < 0 || opener === fd) return false;
    return isSame(this.#place(opener, "local"), peer) &&
      isSame(this.#place(opener, "peer"), this.destination(fd));
  }

  /** Null: the descriptor is no socket any more, or not connected. */
  #place(fd: Fd, end: "local" | "peer"): OriginalDestination | null {
    const bytes = new Uint8Array(IPV6_FAMILY_BYTES);
    const length = Uint8Array.of(bytes.length, 0, 0, 0);
    const result = end === "local"
      ? this.#c.getsockname(fd, bytes, length)
      : this.#c.getpeername(fd, bytes, length);
    return result < 0 ? null : placeOf(bytes);
  }
}

/** The IP address in a socket address; of IPv4 over an IPv6 socket, the IPv4 one. */
export function socketAddressText(socketAddress: Uint8Array): string {
  const isIpv4 = socketAddress[0] === libc.AF_INET;
  return formatIp(socketAddress, isIpv4 ? 4 : 8, isIpv4 ? 4 : 16);
}

function portOf(socketAddress: Uint8Array): number {
  return (socketAddress[2] << 8) | socketAddress[3];
}

function placeOf(socketAddress: Uint8Array): OriginalDestination {
  return { address: socketAddressText(socketAddress), port: portOf(socketAddress) };
}

function isSame(one: OriginalDestination | null, other: OriginalDestination | null): boolean {
  return one !== null && other !== null && one.port === other.port && one.address === other.address;
}
