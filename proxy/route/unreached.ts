/**
 * The mark `x-weft-unreached`, in an answer of the proxy beside an application. It tells the caller's proxy that the request has
 * not reached that application, so that another endpoint may have it. It names where its connection came in, so a third party
 * that passes it on, from an endpoint of its own, says nothing. Every proxy takes it out of the answers that it passes on: an
 * application cannot give it.
 */
import { sha256Hex } from "../../base/hash.ts";
import { canonicalIp, formatAuthority } from "../../base/ip.ts";
import { UNREACHED } from "../protocol/http1/response.ts";

const encoder = new TextEncoder();

/** Its value for `place`, an authority: a hash, so that no address of a cluster leaves it in an answer. */
export function unreachedMark(place: string): string {
  const colon = place.lastIndexOf(":");
  const address = place.slice(0, colon).replace(/^\[|\]$/g, "");
  // A plan may write an address of IPv6 in several ways.
  const host = canonicalIp(address) ?? address;
  return sha256Hex(formatAuthority(host, Number(place.slice(colon + 1)))).slice(0, 16);
}

/** The line of a head that gives it. */
export function unreachedLine(place: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(`${UNREACHED}: ${unreachedMark(place)}\r\n`);
}
