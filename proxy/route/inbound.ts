/** InboundRouter: everything that may goes to one port of the application beside this sidecar. */
import type { RequestHead } from "../../routing/request.ts";
import type { CallExplanation } from "../../routing/table/explanation.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { RouteStats } from "../observe/telemetry.ts";
import type { InboundAccess } from "./inbound_access.ts";
import type { EndpointPool } from "../pool/pool.ts";
import { type Destination, refused, toPool } from "./destination.ts";
import type { ClientFacts, Router } from "./router.ts";

/** Where the application listens, and what is counted of it. */
interface ApplicationPort {
  readonly port: number;
  readonly pool: EndpointPool;
  readonly stats: RouteStats;
}

export class InboundRouter implements Router {
  readonly place = "inbound";
  readonly listener: number;
  readonly access: InboundAccess;
  readonly application: ApplicationPort;

  constructor(listener: number, access: InboundAccess, application: ApplicationPort) {
    this.listener = listener;
    this.access = access;
    this.application = application;
  }

  route(request: Request | null, { caller, expectsHttp2 }: ClientFacts): Destination {
    const { port, pool, stats } = this.application;
    const facts = { planHash: this.access.planHash, port: null, rule: null, stats };
    const refusal = this.access.refusalOf(caller, port, request?.routed ?? null);
    if (refusal !== null) return refused(facts, refusal);
    // The client's sidecar has chosen what the application speaks.
    return toPool(facts, pool, null, expectsHttp2);
  }

  /** What `route` would do with a request of `caller`, and why. */
  explain(caller: string, head: RequestHead): CallExplanation {
    return this.access.explain(caller, this.application.port, head);
  }
}
