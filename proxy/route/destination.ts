/** Destination: what one request, or one whole connection, was decided to get. It is made whole, and never changes. */
import { Lazy } from "../../base/lazy.ts";
import { type Refusal, REFUSALS } from "../../base/refusals.ts";
import type { TableBackend, TableRoute } from "../../routing/table/table.ts";
import type { SplitState } from "../../routing/table/split.ts";
import type { RouteFacts } from "../observe/telemetry.ts";
import type { BackendState } from "../policy/backend_state.ts";
import type { RouteState } from "../policy/route_state.ts";
import type { EndpointPool } from "../pool/pool.ts";
import type { EndpointSet, TableEndpoint } from "../../routing/table/endpoint_set.ts";

export interface Destination {
  readonly facts: RouteFacts;
  /** Null: it goes to the pool, or else to one of the endpoints. */
  readonly refusal: Refusal | null;
  /** The one place there is to go to; null if there is a choice. */
  readonly pool: EndpointPool | null;
  /** The endpoint behind `pool`; null if that is none of the mesh. */
  readonly endpoint: TableEndpoint | null;
  /** Endpoints to choose from, and what chooses; null if there is no choice. */
  readonly endpoints: EndpointSet | null;
  readonly backend: BackendState | null;
  /** The route whose split has chosen the backend among several; null: there was no choice. */
  readonly split: TableRoute | null;
  /** What its route's policy says; null if it says nothing. */
  readonly route: RouteState | null;
  /** It is spoken to by HTTP/2. */
  readonly takesHttp2: boolean;
  /** What the endpoint is chosen by, where the policy asks for that. */
  readonly hash: number;
  /** Where a caller is put who is to stay on its backend from now on; negative: nowhere new. */
  readonly newPoint: number;
  /** The turn that a whole connection has taken in a split; null if it took none, and for requests. */
  readonly turn: Turn | null;
}

/** What no plan has decided. */
export const NO_FACTS: RouteFacts = {
  planHash: new Lazy(() => ""),
  port: null,
  rule: null,
  stats: null,
  planWaitMs: 0,
};

/** The hash of the plan that comes into force. Connections of old may keep the one `before`, but not the plan that it is of. */
export function hashAfter(before: Lazy<string>, plan: { readonly hash: string }): Lazy<string> {
  before.value;
  return new Lazy(() => plan.hash);
}

/** Of what is never sent anywhere, because its head could not be read, or is not decided yet. */
export const UNDECIDED: Destination = refused(NO_FACTS, REFUSALS["no-address"]);

export function refused(facts: RouteFacts, refusal: Refusal): Destination {
  return {
    facts,
    refusal,
    pool: null,
    endpoint: null,
    endpoints: null,
    backend: null,
    split: null,
    route: null,
    takesHttp2: false,
    hash: 0,
    newPoint: -1,
    turn: null,
  };
}

/** @param endpoint null: the place is none of the mesh */
export function toPool(
  facts: RouteFacts,
  pool: EndpointPool,
  endpoint: TableEndpoint | null,
  takesHttp2: boolean,
): Destination {
  return {
    facts,
    refusal: null,
    pool,
    endpoint,
    endpoints: null,
    backend: null,
    split: null,
    route: null,
    takesHttp2,
    hash: 0,
    newPoint: -1,
    turn: null,
  };
}

/** How one of several endpoints is chosen, and what else is done on the way there. */
interface Balanced {
  readonly endpoints: EndpointSet;
  readonly backend: BackendState;
  readonly split: TableRoute | null;
  readonly route: RouteState | null;
  readonly takesHttp2: boolean;
  readonly hash: number;
  readonly newPoint: number;
  readonly turn: Turn | null;
}

export function toEndpoints(
  facts: RouteFacts,
  { endpoints, backend, split, route, takesHttp2, hash, newPoint, turn }: Balanced,
): Destination {
  return {
    facts,
    refusal: null,
    pool: null,
    endpoint: null,
    endpoints,
    backend,
    split,
    route,
    takesHttp2,
    hash,
    newPoint,
    turn,
  };
}

/** A turn in a split that a whole connection has taken. */
export class Turn {
  readonly #splits: SplitState;
  readonly #route: TableRoute;
  readonly #backend: TableBackend;

  constructor(splits: SplitState, route: TableRoute, backend: TableBackend) {
    this.#splits = splits;
    this.#route = route;
    this.#backend = backend;
  }

  /** The connection carries requests after all, which are decided one by one: its turn is free for another. */
  giveBack(): void {
    this.#splits.giveBack(this.#route, this.#backend);
  }
}

/** A decision that waits: for a name to be looked up, or for the source of the plan. */
export class PendingDecision {
  /** Told once, later; set by the one that waits. */
  onDecided: (decide: () => Destination) => void = () => {};
  /** The one that waits no longer cares. */
  readonly cancel: () => void;

  constructor(cancel: () => void) {
    this.cancel = cancel;
  }
}
