/**
 * Clients: makes the connections of clients, by the protocol that each speaks, and the exchanges that serve them; for those, the
 * connections to endpoints. It alone knows all protocols.
 */
import { Exchange } from "../exchange/exchange.ts";
import { Mirrors } from "../exchange/mirror.ts";
import type { ExchangeServices } from "../exchange/services.ts";
import type {
  Carrier,
  CarrierEvents,
  ClientEvents,
  ClientSide,
  Dialer,
  DialWants,
  Exchanges,
} from "../exchange/sides.ts";
import { Downstream, type Http2Switch } from "../http1/downstream.ts";
import { Http2Downstream } from "../http2/downstream.ts";
import type { Fd } from "../io/io.ts";
import { SPARE_EXCHANGES_MAX } from "../limits.ts";
import type { Loop } from "../loop/loop.ts";
import type { Socket } from "../loop/socket.ts";
import type { Http2Counts, Telemetry } from "../observe/telemetry.ts";
import type { Request } from "../protocol/http1/request.ts";
import { RelayDownstream, type RelayOptions } from "../relay/downstream.ts";
import type { ClientFacts, Router } from "../route/router.ts";
import type { Tracer } from "../tracing/tracer.ts";
import { Upstream } from "../http1/upstream.ts";
import { Http2Upstream } from "../http2/upstream.ts";
import type { EndpointPool } from "../pool/pool.ts";
import { RelayUpstream } from "../relay/upstream.ts";

/** Where exchanges get their carriers from: a connection to the endpoint that is there, or a new one. */
class EndpointDialer implements Dialer {
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

export class Clients implements Exchanges, Http2Switch {
  readonly loop: Loop;
  /** Of HTTP/2 connections of clients. */
  readonly counts: Http2Counts;
  readonly #services: ExchangeServices;
  /** Exchanges that are over. A connection without a request has none. */
  readonly #spares: Exchange[] = [];

  constructor(loop: Loop, telemetry: Telemetry, tracer: Tracer) {
    const { client, endpoint } = telemetry.http2;
    const dialer = new EndpointDialer(loop, endpoint);
    this.loop = loop;
    this.counts = client;
    this.#services = { loop, telemetry, tracer, dialer, mirrors: new Mirrors(this) };
  }

  get exchanges(): Exchanges {
    return this;
  }

  open(router: Router, client: ClientSide): ClientEvents {
    const spare = this.#spares.pop();
    if (spare === undefined) return new Exchange(this.#services, router, client);
    spare.serve(router, client);
    return spare;
  }

  close(exchange: ClientEvents): void {
    const isKept = exchange instanceof Exchange && this.#spares.length < SPARE_EXCHANGES_MAX;
    if (isKept) this.#spares.push(exchange);
  }

  /** A connection that makes requests, by HTTP/1.1 until it turns out to speak HTTP/2. */
  requests(fd: Fd, peer: string, router: Router): Downstream {
    return new Downstream(this.loop, this, router, this, fd, peer);
  }

  /** A connection that is relayed whole. */
  relay(fd: Fd, peer: string, router: Router, options: RelayOptions): RelayDownstream {
    return new RelayDownstream(this.loop, this, router, fd, peer, options);
  }

  takeOver(client: Socket & ClientFacts, router: Router): void {
    Http2Downstream.takeOver(this, client, router, client.peer);
  }

  upgrade(
    client: Socket & ClientFacts,
    router: Router,
    request: Request,
    settings: Uint8Array,
  ): void {
    Http2Downstream.upgrade(this, client, router, client.peer, { request, settings });
  }
}
