/** InboundRouter: everything goes to the one application beside this sidecar. */
import type { Request } from "../protocol/http1/request.ts";
import type { RouteStats, Telemetry } from "../telemetry.ts";
import type { EndpointPool, Pools } from "./pool.ts";
import type { Destination, Router } from "./router.ts";

export class InboundRouter implements Router {
  readonly listener: number;
  readonly stats: RouteStats;
  readonly key: string;
  readonly #pool: EndpointPool;

  constructor(
    listener: number,
    application: { readonly address: string; readonly port: number },
    pools: Pools,
    telemetry: Telemetry,
  ) {
    this.listener = listener;
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

  route(_request: Request, destination: Destination): void {
    destination.refusalStatus = 0;
    // The client's sidecar has chosen what the application speaks.
    destination.takesHttp2 = destination.speaksHttp2;
    destination.stats = this.stats;
  }

  next(_destination: Destination): EndpointPool {
    return this.#pool;
  }
}
