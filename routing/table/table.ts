/**
 * Table: a plan made executable for one client. This file owns the shapes; `build.ts` makes them. A
 * table is immutable: whatever changes from request to request lives in `SplitState`, which refers
 * to routes by their numbers. A Service that a new plan leaves as it was is the same object in its table.
 */
import type { RefusalReason } from "../../base/refusals.ts";
import type { VersionedMap } from "../../base/versioned_map.ts";
import type { MatchIndex } from "../match/match_index.ts";
import type {
  BackendReadiness,
  PlanBackend,
  PlanEndpointPolicy,
  PlanPort,
  PlanRoute,
  PlanRoutePolicy,
  PlanRule,
  PlanService,
} from "../plan.ts";
import type { PlanView } from "../plan_view.ts";
import type { GuardedEndpoints } from "./access.ts";
import type { Affinity } from "./affinity.ts";
import type { EndpointGroups, ReachableGroup } from "./endpoint_groups.ts";
import type { EndpointSet, TableClient } from "./endpoint_set.ts";
import type { HostIndex } from "./host_index.ts";
import type { Numbers } from "./numbers.ts";

/** Why routing refuses a request or a connection; what each means is in base/refusals.ts. */
export type RouteRefusal = Extract<
  RefusalReason,
  | "host-invalid"
  | "host-unknown"
  | "alias-outside"
  | "no-rule"
  | "redirected"
  | "route-invalid"
  | "port-unknown"
  | "not-http"
  | "no-endpoints"
  | "access-denied"
>;

export interface Table {
  readonly plan: PlanView;
  readonly client: TableClient;
  /** By `namespace/name`. */
  readonly services: VersionedMap<TableService>;
  readonly hosts: HostIndex<TableService>;
  /** What the client sees of the plan's groups. */
  readonly groups: EndpointGroups;
  /** Given out as `index` to the routes, and to the backends. */
  readonly routeNumbers: Numbers;
  readonly backendNumbers: Numbers;
}

export interface TableService {
  readonly plan: PlanService;
  /** `namespace/name`. */
  readonly key: string;
  readonly ports: readonly TablePort[];
  /** Of all ports. */
  readonly routes: readonly TableRoute[];
  /** Those that its backends and mirrors name, each once. */
  readonly groups: readonly ReachableGroup[];
}

export interface TablePort {
  readonly service: TableService;
  readonly port: number;
  /** The name of its own endpoints' group: `namespace/service:port`. */
  readonly group: string;
  /** False for `tcp`, `tcp-server-first` and `tls`: requests are refused, connections are taken. */
  readonly isHttp: boolean;
  /** Of the client's own namespace, where that has rules of its own. */
  readonly plan: PlanPort;
  /** One a rule, in match order. */
  readonly rules: readonly TableRoute[];
  readonly fallback: TableRoute;
  /** Takes connections that are relayed whole: the fallback, but where that answers requests by itself. */
  readonly connections: TableRoute;
  /** One a `podHosts` entry of the Service: that pod's endpoint alone. */
  readonly pods: readonly TableRoute[];
  /** Finds the first rule that a request satisfies. */
  readonly matches: MatchIndex;
}

export interface TableRoute {
  /** No other route of the table has it; one of another table may. */
  readonly index: number;
  readonly plan: PlanRoute;
  /** Null: the port's fallback, or a single pod. */
  readonly rule: PlanRule | null;
  readonly service: TableService;
  readonly port: TablePort;
  /**
   * Only those that can take requests of this client, in written order, with weights reduced by
   * their gcd.
   */
  readonly backends: readonly TableBackend[];
  /** The others, in written order. */
  readonly skipped: readonly SkippedBackend[];
  /** Sum of the backends' reduced weights; the split sequence repeats after as many requests. */
  readonly weightTotal: number;
  /** Why there is no backend; null if there is one. */
  readonly refusal: RouteRefusal | null;
  /** What is done with its requests; null if no policy says anything. */
  readonly policy: PlanRoutePolicy | null;
  /** What keeps callers on one backend; null if nothing does. */
  readonly affinity: Affinity<TableBackend> | null;
  /** Where copies of its requests go; null if none are made, or this client may send none there. */
  readonly mirror: TableMirror | null;
}

/** What stands behind a mirror, as behind a backend. */
export interface TableMirror {
  readonly endpointSet: EndpointSet;
  readonly guarded: GuardedEndpoints | null;
  /** Of the requests, 0 to 100. */
  readonly percent: number;
}

/** Why a backend takes nothing of this client. */
export type SkipReason = "weight-zero" | "access-denied" | Exclude<BackendReadiness, "ready">;

export interface SkippedBackend {
  readonly plan: PlanBackend;
  readonly reason: SkipReason;
}

export interface TableBackend {
  /** No other backend of the table has it; one of another table may. */
  readonly index: number;
  readonly plan: PlanBackend;
  /** `namespace/service`. */
  readonly key: string;
  /** Reduced by the greatest common divisor of the route's weights; never zero. */
  readonly weight: number;
  readonly endpointSet: EndpointSet;
  /** What traffic targets let the client send to which of them; null in permissive mode. */
  readonly guarded: GuardedEndpoints | null;
  /** Why it can take nothing and has its share all the same; null: it can. */
  readonly refusal: RouteRefusal | null;
  /** How its endpoints are treated; null if no policy says anything. */
  readonly policy: PlanEndpointPolicy | null;
}
