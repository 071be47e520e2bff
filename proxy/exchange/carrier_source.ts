/**
 * Where an exchange gets a carrier from: a connection to the endpoint that is there, or a new one, of the protocol that the
 * endpoint is spoken to by. Knows nothing of attempts and policies.
 */
import type { Context } from "../loop/context.ts";
import type { Exchange } from "./exchange.ts";
import type { Carrier } from "./sides.ts";
import { Http2Upstream } from "../http2/upstream.ts";
import type { EndpointPool } from "../pool/pool.ts";
import type { Destination } from "../route/destination.ts";
import { Upstream } from "../http1/upstream.ts";

/**
 * A connection that is there already; an HTTP/2 one may still be connecting. Null: there is none that will do.
 * @param isRetry only one that is being made: what is pooled may be as dead as what failed
 */
export function reuseCarrier(
  { io }: Context,
  exchange: Exchange,
  destination: Destination,
  pool: EndpointPool,
  isRetry: boolean,
): Carrier | null {
  // A tunnel is a connection of its own, whatever is spoken in it.
  if (exchange.isConnect) return null;
  if (goesByHttp2(exchange, destination, pool, io.nowMs)) {
    return pool.shared(isRetry)?.carry(exchange) ?? null;
  }
  if (isRetry) return null;
  const upstream = pool.take();
  if (upstream === undefined) return null;
  upstream.exchange = exchange;
  return upstream;
}

/** A new connection, for which `takeConnection` of the pool was called. Null: none can be opened. */
export function openCarrier(
  context: Context,
  exchange: Exchange,
  destination: Destination,
  pool: EndpointPool,
): Carrier | null {
  context.telemetry.counts.connects++;
  if (goesByHttp2(exchange, destination, pool, context.io.nowMs) && !exchange.isConnect) {
    return Http2Upstream.open(context, pool)?.carry(exchange) ?? null;
  }
  return Upstream.open(context, pool, exchange);
}

function goesByHttp2(
  { isCall }: Exchange,
  { takesHttp2 }: Destination,
  pool: EndpointPool,
  nowMs: number,
): boolean {
  return takesHttp2 && (isCall || !pool.speaksHttp1(nowMs));
}
