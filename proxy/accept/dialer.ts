/** Where exchanges get their carriers from: a connection to the endpoint that is there, or a new one. */
import type { Carrier, CarrierEvents, Dialer, DialWants } from "../exchange/sides.ts";
import { Upstream } from "../http1/upstream.ts";
import { Http2Upstream } from "../http2/upstream.ts";
import type { Loop } from "../loop/loop.ts";
import type { Http2Counts } from "../observe/telemetry.ts";
import type { EndpointPool } from "../pool/pool.ts";
import { RelayUpstream } from "../relay/upstream.ts";

export class EndpointDialer implements Dialer {
  readonly #loop: Loop;
  readonly #counts: Http2Counts;

  /** @param counts of HTTP/2 connections to endpoints */
  constructor(loop: Loop, counts: Http2Counts) {
    this.#loop = loop;
    this.#counts = counts;
  }

  reuse(
    pool: EndpointPool,
    wants: DialWants,
    events: CarrierEvents,
    isRetry: boolean,
  ): Carrier | null {
    const { nowMs } = this.#loop.io;
    if (goesByHttp2(pool, wants, events, nowMs)) {
      const shared = pool.shared(isRetry);
      return shared instanceof Http2Upstream ? shared.carry(events) : null;
    }
    const idle = isRetry ? undefined : pool.take(nowMs);
    return idle instanceof Upstream ? idle.carry(events) : null;
  }

  open(pool: EndpointPool, wants: DialWants, events: CarrierEvents): Carrier | null {
    if (!goesByHttp2(pool, wants, events, this.#loop.io.nowMs)) {
      return Upstream.open(this.#loop, pool, events);
    }
    return Http2Upstream.open(this.#loop, pool, this.#counts)?.carry(events) ?? null;
  }

  connect(pool: EndpointPool, events: CarrierEvents): Carrier | null {
    return RelayUpstream.open(this.#loop, pool, events);
  }
}

function goesByHttp2(
  pool: EndpointPool,
  { takesHttp2 }: DialWants,
  { needsHttp2 }: CarrierEvents,
  nowMs: number,
): boolean {
  return takesHttp2 && (needsHttp2 || !pool.speaksHttp1(nowMs));
}
