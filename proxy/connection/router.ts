/**
 * Router: where the requests of one listener go. An exchange holds a `Destination`, so that a new plan does not
 * touch exchanges under way.
 */
import type { PlanRule } from "../../routing/plan.ts";
import type { EndpointSet, TableEndpoint, TablePort } from "../../routing/table/table.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { BackendState, Choice } from "../policy/backend_state.ts";
import type { RouteState } from "../policy/route_state.ts";
import type { RouteStats } from "../telemetry.ts";
import { type Caller, NOBODY } from "./caller.ts";
import type { EndpointPool } from "./pool.ts";

/** What one request was decided to get. Reused by its connection from exchange to exchange. */
export class Destination {
  /** Of the plan that decided; empty where none did. */
  planHash = "";
  /** The port of the Service that was asked for; null where there is none, or none of the mesh. */
  port: TablePort | null = null;
  /** Endpoints to choose from; null where there is one fixed endpoint. */
  endpoints: EndpointSet | null = null;
  /** The one place there is to go to, outside every set of endpoints; null where there is a choice. */
  pool: EndpointPool | null = null;
  /** Told by the exchange: the client took HTTP/2 for granted; and it sends what only HTTP/2 can carry (gRPC). */
  expectsHttp2 = false;
  needsHttp2 = false;
  /** The endpoints are spoken to by HTTP/2. */
  takesHttp2 = false;
  /** What is known of the backend; null for a fixed endpoint. */
  backend: BackendState | null = null;
  /** What its route's policy says; null where it says nothing. */
  route: RouteState | null = null;
  /** The rule that the request satisfied; null where none, or none was asked for. */
  rule: PlanRule | null = null;
  /** The client's IP address, who it is by its certificate, and what the request is hashed by. */
  peer = "";
  caller: Caller = NOBODY;
  hash = 0;
  /** Where a caller is put who is to stay on its backend from now on; negative: nowhere new. */
  newPoint = -1;
  /** What balancing knows of the endpoint chosen last. */
  choice: Choice | null = null;
  /** The endpoint chosen last. */
  endpoint: TableEndpoint | null = null;
  /** Counters of the route and backend. */
  stats: RouteStats | null = null;
  /** Above 0: the request is refused with this status. */
  refusalStatus = 0;
  refusalReason = "";
  /** It is not decided yet: a name is being looked up. */
  pending: PendingDecision | null = null;
}

/** A decision that waits. The exchange sets `onResolved`, and calls `cancel` where it no longer cares. */
export interface PendingDecision {
  onResolved: () => void;
  cancel(): void;
}

export interface Router {
  /** Place of the listener in the proxy's configuration: outbound ones first. */
  readonly listener: number;
  /** Decides about the request, and fills `destination`. */
  route(request: Request, destination: Destination): void;
  /** The next endpoint to try; null: there is none with an address. */
  next(destination: Destination): EndpointPool | null;
}
