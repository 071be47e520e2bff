/** OutboundRouter: routes the requests of one listener's clients by the plan in force. */
import type { MeshAddress } from "../../routing/table/address_index.ts";
import { decide, decideAt, decideConnection, Decision } from "../../routing/table/decide.ts";
import { DirectEndpoints } from "../../routing/table/direct_endpoints.ts";
import { explain } from "../../routing/table/explain.ts";
import type { Explanation } from "../../routing/table/explain.ts";
import type { RequestHead } from "../../routing/request.ts";
import type { PlanEndpoint } from "../../routing/plan.ts";
import { SplitState } from "../../routing/table/split.ts";
import { REFUSAL_STATUS } from "../../routing/table/table.ts";
import type { RefusalReason, Table, TableEndpoint, TablePort } from "../../routing/table/table.ts";
import { parseIp } from "../../base/ip.ts";
import { Random } from "../../base/random.ts";
import { prefixed } from "../../base/state_store.ts";
import type { Io } from "../io/io.ts";
import { Bindings } from "../policy/bindings.ts";
import type { PolicyCounts } from "../policy/policy_counts.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { RouteStats, Telemetry } from "../observe/telemetry.ts";
import type { EndpointTls, UpstreamTls } from "../tls/contexts.ts";
import type { Context } from "../loop/context.ts";
import type { EndpointPool } from "../pool/pool.ts";
import type { Pools } from "../pool/pools.ts";
import type { Destination } from "./destination.ts";
import type { Router } from "./router.ts";

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
  readonly #random: Random;
  readonly #policies: Bindings;
  /** By backend index. */
  #statsOf: readonly RouteStats[] = [];
  /** Made when a client first calls a pod by its address. */
  #direct: DirectEndpoints | null = null;

  /** @param security of the connections to endpoints; null: they are plain */
  constructor(listener: number, context: Context, table: Table, security: UpstreamTls | null) {
    const { io, pools, telemetry, timers, state } = context;
    const { seed } = table.client;
    this.#security = security;
    this.listener = listener;
    this.#io = io;
    this.#pools = pools;
    this.#telemetry = telemetry;
    this.#table = table;
    const store = prefixed(state, `listener ${listener}`);
    this.#splits = new SplitState(table, store);
    this.#random = new Random(seed ?? 0, "policies");
    this.#policies = new Bindings(timers, seed, store);
    this.#bind(table);
  }

  get table(): Table {
    return this.#table;
  }

  /** What policies did with what came by this listener. */
  get policyCounts(): PolicyCounts {
    return this.#policies.counts(this.listener);
  }

  get stats(): readonly RouteStats[] {
    return this.#statsOf;
  }

  /** Takes a new table into force. Exchanges under way keep what they were decided to get. */
  rebind(table: Table): void {
    this.#splits.rebind(table);
    this.#table = table;
    this.#direct = null;
    this.#bind(table);
  }

  /** @param defaultPort the port meant by a request that names none */
  route(request: Request, destination: Destination, defaultPort = DEFAULT_PORT): void {
    const decision = this.#decision;
    decide(this.#table, request.routed, defaultPort, this.#splits, decision);
    // CONNECT asks for a connection, whatever the port speaks.
    if (request.isConnect && decision.reason === "not-http" && decision.port !== null) {
      decideConnection(decision.port, this.#splits, decision);
    }
    this.#fill(destination, request.routed);
  }

  /** Routes by the address that the client was going to: a request, or with null a whole connection. */
  routeByAddress(
    { service, port, endpoint }: MeshAddress,
    request: Request | null,
    destination: Destination,
  ): void {
    const tablePort = this.#table.services[service].ports[port];
    if (endpoint !== null) return this.#routeToPod(tablePort, endpoint, request, destination);
    if (request === null) return this.routeToPort(tablePort, destination);
    decideAt(tablePort, request.routed, this.#splits, this.#decision);
    this.#fill(destination, request.routed);
  }

  /** Routes a whole connection to a Service's port; null: the plan has no such port. */
  routeToPort(port: TablePort | null, destination: Destination): void {
    if (port === null) return refuse(destination, "port-unknown");
    decideConnection(port, this.#splits, this.#decision);
    this.#fill(destination, null);
    const { route, backend } = this.#decision;
    destination.turn = route === null || backend === null ? null : { route, backend };
  }

  /** A connection that was routed whole carries requests after all, which are routed one by one: its turn is free. */
  giveBack(destination: Destination): void {
    const { turn } = destination;
    destination.turn = null;
    if (turn !== null) this.#splits.giveBack(turn.route, turn.backend);
  }

  /** No split and no balancing: the client has chosen a pod. */
  #routeToPod(
    { service, port }: TablePort,
    pod: PlanEndpoint,
    request: Request | null,
    destination: Destination,
  ): void {
    this.#direct ??= new DirectEndpoints(this.#table);
    const { reason, backend, endpoint } = this.#direct.decide(pod, request?.routed ?? null);
    const { listener } = this;
    destination.stats = backend === null
      ? this.#telemetry.statsOf({
        listener,
        service: service.key,
        port,
        split: "",
        backend: service.key,
      })
      : this.#statsOf[backend.index];
    if (reason !== null) return refuse(destination, reason);
    destination.refusalStatus = 0;
    destination.refusalReason = "";
    destination.endpoints = null;
    destination.endpoint = endpoint;
    destination.pool = this.#pools.of(endpoint.key, pod.address, pod.port, this.#tlsOf(pod));
  }

  #fill(destination: Destination, head: RequestHead | null): void {
    const decision = this.#decision;
    destination.refusalStatus = decision.status;
    destination.refusalReason = decision.reason ?? "";
    destination.planHash = this.#table.hash;
    destination.port = decision.port;
    destination.endpoints = decision.endpointSet;
    destination.pool = null;
    destination.rule = decision.route?.rule ?? null;
    const protocol = decision.port?.plan.protocol;
    destination.takesHttp2 = destination.needsHttp2 || protocol === "http2" || protocol === "grpc";
    this.#bindPolicies(destination, head);
    if (decision.backend !== null) destination.stats = this.#statsOf[decision.backend.index];
  }

  /** @param head null for a connection that is relayed as it is */
  #bindPolicies(destination: Destination, head: RequestHead | null): void {
    const { backend, route, isPinned } = this.#decision;
    destination.choice = null;
    destination.newPoint = -1;
    destination.route = route === null ? null : this.#policies.route(route);
    destination.backend = backend === null ? null : this.#policies.backend(backend);
    if (backend === null || destination.backend === null) return;
    destination.hash = destination.backend.hashOf(head, destination.peer);
    const affinity = head === null || isPinned ? null : route?.affinity ?? null;
    if (affinity !== null && affinity.isCookie) {
      destination.newPoint = affinity.pointIn(backend, this.#random.next32());
    }
  }

  next(destination: Destination): EndpointPool | null {
    if (destination.pool !== null) return destination.pool;
    const { backend, endpoints, hash } = destination;
    if (backend === null || endpoints === null) return null;
    const choice = backend.pick(endpoints, hash, destination.choice, this.#io.nowMs);
    destination.choice = choice;
    if (choice === null) return null;
    destination.endpoint = choice.target.endpoint;
    return choice.target.pool;
  }

  /** What `route` would do and why; changes nothing. */
  explain(head: RequestHead): Explanation {
    return explain(this.#table, head, DEFAULT_PORT, this.#splits);
  }

  #bind(table: Table): void {
    this.#policies.bind(table, (endpoint) => this.#openPool(endpoint), this.#io.nowMs);
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
      : this.#pools.of(key, plan.address, plan.port, this.#tlsOf(plan));
  }

  #tlsOf({ identity }: PlanEndpoint): EndpointTls | null {
    return this.#security?.of(identity) ?? null;
  }
}

function refuse(destination: Destination, reason: RefusalReason): void {
  destination.refusalStatus = REFUSAL_STATUS[reason];
  destination.refusalReason = reason;
  destination.endpoints = null;
  destination.pool = null;
}
