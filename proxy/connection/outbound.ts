/** OutboundRouter: routes the requests of one listener's clients by the plan in force. */
import { decide, Decision } from "../../routing/table/decide.ts";
import { EndpointCursors } from "../../routing/table/balance.ts";
import { explain } from "../../routing/table/explain.ts";
import type { Explanation } from "../../routing/table/explain.ts";
import type { RequestHead } from "../../routing/request.ts";
import { SplitState } from "../../routing/table/split.ts";
import type { Table, TableEndpoint } from "../../routing/table/table.ts";
import { parseIp } from "../../base/ip.ts";
import type { Io } from "../io/io.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { RouteStats, Telemetry } from "../telemetry.ts";
import type { UpstreamTls } from "../tls_contexts.ts";
import type { EndpointPool, Pools } from "./pool.ts";
import type { Destination, Router } from "./router.ts";

/** The port that a request means which names none, and whose Service has several (RFC 9110 4.2.1). */
const DEFAULT_PORT = 80;

export class OutboundRouter implements Router {
  readonly listener: number;
  readonly #io: Io;
  readonly #telemetry: Telemetry;
  readonly #pools: Pools;
  readonly #security: UpstreamTls | null;
  readonly #decision = new Decision();
  #table: Table;
  readonly #splits: SplitState;
  readonly #cursors: EndpointCursors;
  /** By endpoint index; null where the endpoint has no address. */
  #poolOf: readonly (EndpointPool | null)[] = [];
  /** By backend index. */
  #statsOf: readonly RouteStats[] = [];

  constructor(
    listener: number,
    io: Io,
    pools: Pools,
    telemetry: Telemetry,
    table: Table,
    security: UpstreamTls | null,
  ) {
    this.#security = security;
    this.listener = listener;
    this.#io = io;
    this.#pools = pools;
    this.#telemetry = telemetry;
    this.#table = table;
    this.#splits = new SplitState(table);
    this.#cursors = new EndpointCursors(table);
    this.#bind(table);
  }

  get table(): Table {
    return this.#table;
  }

  get stats(): readonly RouteStats[] {
    return this.#statsOf;
  }

  /** Takes a new table into force. Exchanges under way keep what they were decided to get. */
  rebind(table: Table): void {
    this.#splits.rebind(table);
    this.#cursors.rebind(table);
    this.#table = table;
    this.#bind(table);
  }

  route(request: Request, destination: Destination): void {
    const decision = this.#decision;
    decide(this.#table, request.routed, DEFAULT_PORT, this.#splits, decision);
    destination.refusalStatus = decision.status;
    destination.refusalReason = decision.reason ?? "";
    destination.table = this.#table;
    destination.endpoints = decision.endpointSet;
    if (decision.backend !== null) destination.stats = this.#statsOf[decision.backend.index];
  }

  next(destination: Destination): EndpointPool | null {
    const set = destination.endpoints;
    if (set === null) return null;
    const nowMs = this.#io.nowMs;
    let fallback: EndpointPool | null = null;
    for (let i = 0; i < set.endpoints.length; i++) {
      // Decided by an earlier plan (a retry): cursors and indexes are those of the plan in force.
      const isCurrent = destination.table === this.#table;
      const endpoint = isCurrent ? this.#cursors.next(set) : set.endpoints[i];
      const pool = isCurrent ? this.#poolOf[endpoint.index] : this.#openPool(endpoint);
      if (pool === null) continue;
      destination.endpoint = endpoint;
      if (!pool.isAvoided(nowMs)) return pool;
      fallback ??= pool;
    }
    return fallback;
  }

  /** What `route` would do and why; changes nothing. */
  explain(head: RequestHead): Explanation {
    return explain(this.#table, head, DEFAULT_PORT, this.#splits);
  }

  #bind(table: Table): void {
    this.#poolOf = table.endpoints.map((endpoint) => this.#openPool(endpoint));
    const statsOf: RouteStats[] = [];
    for (const route of table.routes) {
      for (const backend of route.backends) {
        statsOf[backend.index] = this.#telemetry.statsOf({
          listener: this.listener,
          service: route.service.key,
          port: route.port.port,
          split: route.plan.split === null
            ? ""
            : `${route.plan.split.namespace}/${route.plan.split.name}`,
          backend: backend.key,
        });
      }
    }
    this.#statsOf = statsOf;
  }

  #openPool({ plan, key }: TableEndpoint): EndpointPool | null {
    return parseIp(plan.address) === null
      ? null
      : this.#pools.of(key, plan.address, plan.port, this.#security);
  }
}
