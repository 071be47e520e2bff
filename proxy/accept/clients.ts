/** Clients: makes the connections of clients, by the protocol that each speaks, and the exchanges that serve them. */
import { Exchange } from "../exchange/exchange.ts";
import { Mirrors } from "../exchange/mirror.ts";
import type { ExchangeServices } from "../exchange/services.ts";
import type { ClientEvents, ClientSide, Exchanges } from "../exchange/sides.ts";
import { Downstream, type Http2Switch } from "../http1/downstream.ts";
import { Http2Downstream } from "../http2/downstream.ts";
import type { Fd } from "../io/io.ts";
import type { Loop } from "../loop/loop.ts";
import type { Socket } from "../loop/socket.ts";
import type { Http2Counts, Telemetry } from "../observe/telemetry.ts";
import type { Request } from "../protocol/http1/request.ts";
import { RelayDownstream, type RelayOptions } from "../relay/downstream.ts";
import type { ClientFacts, Router } from "../route/router.ts";
import type { Tracer } from "../tracing/tracer.ts";
import { EndpointDialer } from "./dialer.ts";

export class Clients implements Exchanges, Http2Switch {
  readonly loop: Loop;
  /** Of HTTP/2 connections of clients. */
  readonly counts: Http2Counts;
  readonly #services: ExchangeServices;

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
    return new Exchange(this.#services, router, client);
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
