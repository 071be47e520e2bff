/**
 * How far a request has come and may go on. Proxies of the mesh count in the header `x-weft-hops`, so that a request that goes
 * in a circle comes to an end: two a hop, even numbers on the caller's side and odd ones on the other, so that a hop counts the
 * same with one sidecar on its way or with two. An application that passes a request on copies its headers; one that does
 * not makes a new request. `Max-Forwards` is the client's own bound (RFC 9110 7.6.2).
 */
import { type Refusal, REFUSALS } from "../../base/refusals.ts";
import { HOPS_MAX } from "../limits.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { Place } from "../route/place.ts";

const HOPS_LINES = Array.from(
  { length: 2 * HOPS_MAX + 2 },
  (_, hops) => hops === 0 ? "" : `x-weft-hops: ${hops}\r\n`,
);

/** The answer to a request that this proxy passes on to nobody, whatever it asks for; null: it goes on. */
export function lastWordOn(request: Request | null, place: Place): Refusal | null {
  if (request === null || place === "copy") return null;
  if (request.forwardsLeft === 0) return REFUSALS["max-forwards"];
  return hopsAfter(request, place) < HOPS_LINES.length ? null : REFUSALS["loop"];
}

/** The lines that say so to the next; theirs before are dropped. */
export function hopLines(bytes: Uint8Array, request: Request, place: Place): string {
  const hops = HOPS_LINES[hopsAfter(request, place)];
  const { forwardsLeft } = request;
  if (place === "copy" || forwardsLeft < 0 || !request.dropNamed(bytes, "max-forwards")) {
    return hops;
  }
  return `${hops}max-forwards: ${forwardsLeft - 1}\r\n`;
}

/**
 * What the next one is told, 0 for nothing. The first proxy on the caller's side says nothing: the next knows by the forwarding
 * headers that there was one, and a client's own request goes out as it did before.
 */
function hopsAfter(request: Request, place: Place): number {
  const { hops, forwardedForHeader, forwardedProtoHeader } = request;
  if (place === "copy") return hops;
  if (place === "inbound") return hops === 0 ? 3 : (hops + 1) | 1;
  if (hops > 0) return (hops + 2) & ~1;
  return forwardedForHeader >= 0 || forwardedProtoHeader >= 0 ? 4 : 0;
}
