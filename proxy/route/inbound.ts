/** InboundRouter: everything that may goes to the one application beside this sidecar. */
import type { RequestHead } from "../../routing/request.ts";
import type { CallExplanation } from "../../routing/table/explanation.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { RouteStats, Telemetry } from "../observe/telemetry.ts";
import type { InboundAccess } from "./inbound_access.ts";
import type { EndpointPool } from "../pool/pool.ts";
import type { Pools } from "../pool/pools.ts";
import type { Destination } from "./destination.ts";
import type { Router } from "./router.ts";

export class InboundRouter implements Router {
  readonly listener: number;
  readonly stats: RouteStats;
  readonly key: string;
  readonly access: InboundAccess;
  readonly #port: number;
  readonly #pool: EndpointPool;

  constructor(
    listener: number,
    application: { readonly address: string; readonly port: number },
    pools: Pools,
    telemetry: Telemetry,
    access: InboundAccess,
  ) {
    this.listener = listener;
    this.access = access;
    this.#port = application.port;
    this.key = `${application.address}:${application.port}`;
    this.#pool = pools.of(this.key, application.address, application.port);
    this.stats = telemetry.statsOf({
      listener,
      service: "application",
      port: application.port,
      split: "",
      backend: this.key,
    });
  }

  route(request: Request, destination: Destination): void {
    // The client's sidecar has chosen what the application speaks.
    destination.takesHttp2 = destination.expectsHttp2;
    destination.stats = this.stats;
    this.access.admit(destination, this.#port, request.routed);
  }

  /** What `route` would do with a request of `caller`, and why. */
  explain(caller: string, head: RequestHead): CallExplanation {
    return this.access.explain(caller, this.#port, head);
  }

  next(_destination: Destination): EndpointPool {
    return this.#pool;
  }
}
