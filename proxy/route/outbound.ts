/** OutboundRouter: routes the requests of one listener's clients by the plan in force. */
import type { Lazy } from "../../base/lazy.ts";
import { isSameData } from "../../base/same_data.ts";
import { type Refusal, refusalBy, REFUSALS } from "../../base/refusals.ts";
import type { MeshAddress, ServiceAddress } from "../../routing/table/address_index.ts";
import {
  decide,
  decideAt,
  decideBehind,
  decideConnection,
  Decision,
  isPodRoute,
} from "../../routing/table/decide.ts";
import { DirectEndpoints } from "../../routing/table/direct_endpoints.ts";
import { type Asked, explainAsked } from "../../routing/table/explain.ts";
import type { Explanation } from "../../routing/table/explanation.ts";
import { HostMatch } from "../../routing/table/host_index.ts";
import { DEFAULT_PORT, type RequestHead } from "../../routing/request.ts";
import type { PlanEndpoint, PlanRedirect } from "../../routing/plan.ts";
import { SplitState } from "../../routing/table/split.ts";
import { redirectLocation } from "../../routing/table/target_change.ts";
import { changesBetween, type TableChanges } from "../../routing/table/changes.ts";
import type {
  Table,
  TableBackend,
  TablePort,
  TableRoute,
  TableService,
} from "../../routing/table/table.ts";
import type { MetricSample } from "../../base/metrics.ts";
import { canonicalIp } from "../../base/ip.ts";
import { Random } from "../../base/random.ts";
import { prefixed } from "../../base/state_store.ts";
import type { Io, OriginalDestination } from "../io/io.ts";
import { Bindings } from "../policy/bindings.ts";
import { headerLines } from "../policy/header_edits.ts";
import type { Request } from "../protocol/http1/request.ts";
import {
  countedRule,
  type RouteLabels,
  type RouteStats,
  type Telemetry,
} from "../observe/telemetry.ts";
import type { EndpointSecurity, EndpointTls } from "../tls/contexts.ts";
import type { EndpointPool, PoolOwner } from "../pool/pool.ts";
import type { Pools } from "../pool/pools.ts";
import {
  type Destination,
  hashAfter,
  NO_FACTS,
  type PendingDecision,
  refused,
  toEndpoints,
  toPool,
  Turn,
} from "./destination.ts";
import type { Interest } from "./interest.ts";
import type { ClientFacts, Router, RouteServices } from "./router.ts";
import { latin1 } from "../protocol/http1/lexical.ts";
import { mayBeOfMesh } from "../../routing/source/mesh_names.ts";
import { hostQuestion, type PlanQuestion } from "../../routing/source/messages.ts";
import type { EndpointSet, TableEndpoint } from "../../routing/table/endpoint_set.ts";

const encoder = new TextEncoder();

/** One port of one Service. */
export interface PortTarget {
  readonly namespace: string;
  readonly service: string;
  readonly port: number;
}

export class OutboundRouter implements Router {
  readonly place = "outbound";
  readonly listener: number;
  readonly #io: Io;
  readonly #telemetry: Telemetry;
  readonly #pools: Pools;
  readonly #security: EndpointSecurity | null;
  readonly #decision = new Decision();
  readonly #host = new HostMatch<TableService>();
  #table: Table;
  #planHash: Lazy<string>;
  readonly #splits: SplitState;
  readonly #random: Random;
  readonly #policies: Bindings;
  /** By the number of the backend; undefined: nothing went there yet. */
  readonly #byBackend: (RouteStats | undefined)[] = [];
  readonly #direct: DirectEndpoints;
  readonly #interest: Interest;

  /** @param security of the connections to endpoints; null: they are plain */
  constructor(
    listener: number,
    services: RouteServices,
    table: Table,
    security: EndpointSecurity | null,
  ) {
    const { loop: { io, timers }, pools, telemetry, state, interest } = services;
    const { seed } = table.client;
    this.#security = security;
    this.listener = listener;
    this.#interest = interest;
    this.#io = io;
    this.#pools = pools;
    this.#telemetry = telemetry;
    this.#table = table;
    this.#planHash = hashAfter(NO_FACTS.planHash, table.plan);
    const store = prefixed(state, `listener ${listener}`);
    this.#splits = new SplitState(table, store);
    this.#direct = new DirectEndpoints(table);
    this.#random = new Random(seed ?? 0, "policies");
    this.#policies = new Bindings(
      listener,
      timers,
      seed,
      store,
      {
        of: (endpoint, owner) => this.#openPool(endpoint, owner),
        retainOwn: (owner, kept) => pools.retainOwn(owner, kept),
      },
    );
    this.#take({ gone: [], come: [...table.services.values()] });
  }

  get table(): Table {
    return this.#table;
  }

  /** What policies did with what came by this listener. */
  get samples(): MetricSample[] {
    return [...this.#policies.samples()];
  }

  /** Whether the table has what is counted under some labels. */
  hasRoute({ service, port, split, backend, rule }: RouteLabels): boolean {
    const found = this.#portOf(service, Number(port));
    if (found === null) return false;
    // Calls to its pods by their addresses are counted as its own, whatever its routes are.
    if (split === "" && backend === service) return true;
    return [...found.rules, found.fallback, found.connections, ...found.pods].some((route) =>
      splitOf(route) === split && countedRule(route.rule) === rule &&
      leadsTo(route, backend)
    );
  }

  /** Takes a new table into force. Exchanges under way keep what they were decided to get. */
  rebind(table: Table): TableChanges {
    const changes = changesBetween(this.#table.services, table.services);
    this.#splits.rebind(table, changes);
    this.#direct.rebind(table);
    this.#planHash = hashAfter(this.#planHash, table.plan);
    this.#table = table;
    this.#take(changes);
    return changes;
  }

  /** A port of a Service (`namespace/name`); null: the table has no such port. */
  #portOf(service: string, port: number): TablePort | null {
    return this.#table.services.get(service)?.ports.find((each) => each.port === port) ?? null;
  }

  route(request: Request | null, client: ClientFacts): Destination | PendingDecision {
    // What names no host cannot be routed by one.
    return request === null
      ? refused(NO_FACTS, REFUSALS["host-unknown"])
      : this.routeByHost(request, client, DEFAULT_PORT);
  }

  /** @param defaultPort the port meant by a request that names none */
  routeByHost(
    request: Request,
    client: ClientFacts,
    defaultPort: number,
  ): Destination | PendingDecision {
    decide(this.#table, request.routed, defaultPort, this.#splits, this.#decision);
    const question = this.#interest.isAsking ? this.#questionOf(request) : null;
    if (question === null) return this.#decided(request.routed, client, null);
    return this.#interest.ask(question, () => {
      decide(this.#table, request.routed, defaultPort, this.#splits, this.#decision);
      return this.#decided(request.routed, client, null);
    });
  }

  /** Routes a whole connection to a port of a Service. */
  routeToPort(
    { namespace, service, port }: PortTarget,
    client: ClientFacts,
  ): Destination | PendingDecision {
    const find = () => this.#portOf(`${namespace}/${service}`, port);
    const found = find();
    if (found !== null || !this.#interest.isAsking) return this.connectionTo(found, client);
    const question = hostQuestion(this.#table.client.namespace, `${service}.${namespace}`);
    return this.#interest.ask(question, () => this.connectionTo(find(), client));
  }

  /** What has to be asked before what was decided last is sure; null: nothing. */
  #questionOf(request: Request): PlanQuestion | null {
    const { reason, port, route } = this.#decision;
    const isToPod = route !== null && port !== null && isPodRoute(port, route);
    if (reason !== "host-unknown" && !isToPod) return null;
    const host = this.#hostText(request);
    // `pod.service` of the client's own namespace may be a Service of a namespace too, which counts more.
    return isToPod && host.split(".").length !== 2 ? null : this.#questionAbout(host);
  }

  #questionAbout(host: string): PlanQuestion | null {
    const { plan: { clusterDomain }, client: { namespace } } = this.#table;
    return mayBeOfMesh(host, clusterDomain) ? hostQuestion(namespace, host) : null;
  }

  /** In lower case, without its port. */
  #hostText(request: Request): string {
    const { nameStart, nameEnd } = this.#hostOf(request);
    return latin1(request.routed.bytes, nameStart, nameEnd).toLowerCase();
  }

  /**
   * Routes by the address that the client was going to: a request, or with null a whole connection. Null: it is a pod's, at a
   * port that no Service lists.
   */
  routeByAddress(
    address: MeshAddress,
    request: Request | null,
    client: ClientFacts,
  ): Destination | null {
    if (address.kind === "service") return this.#toService(address, request, client);
    const splits = this.#splits;
    const isByName = request !== null &&
      decideBehind(this.#table, address, request.routed, splits, this.#decision);
    if (isByName) return this.#decided(request.routed, client, null);
    const [first] = address.listed;
    if (first === undefined) return null;
    const port = this.#portOf(first.service, first.port.port);
    return port === null ? null : this.#toPod(port, first.endpoint, request, client);
  }

  /** Calls `tell` if the request's host names another Service: now, or once that is known. */
  whenOther(address: ServiceAddress, request: Request, tell: () => void): void {
    const host = this.#hostText(request);
    const isOther = () => {
      const bytes = encoder.encode(host);
      this.#table.hosts.find(bytes, 0, bytes.length, this.#host);
      const { service } = this.#host;
      return service !== null && service.key !== address.service;
    };
    const question = this.#questionAbout(host);
    if (this.#hostOf(request).service !== null || question === null) {
      return void (isOther() && tell());
    }
    this.#interest.whenAnswered(question, () => isOther() && tell());
  }

  /** What the request's host is another name of, by an ExternalName Service; empty: nothing. */
  aliasOf(request: Request): string {
    return this.#hostOf(request).alias?.host ?? "";
  }

  #hostOf({ routed }: Request): HostMatch<TableService> {
    const { hosts } = this.#table;
    hosts.find(routed.bytes, routed.authorityStart, routed.authorityEnd, this.#host);
    return this.#host;
  }

  #toService(
    { service, port }: ServiceAddress,
    request: Request | null,
    client: ClientFacts,
  ): Destination {
    const tablePort = port === null ? null : this.#portOf(service, port.port);
    if (tablePort === null || request === null) return this.connectionTo(tablePort, client);
    decideAt(tablePort, request.routed, this.#splits, this.#decision);
    return this.#decided(request.routed, client, null);
  }

  /** Routes a whole connection to a Service's port; null: the plan has no such port. */
  connectionTo(port: TablePort | null, client: ClientFacts): Destination {
    if (port === null) return refused(NO_FACTS, REFUSALS["port-unknown"]);
    decideConnection(port, this.#splits, this.#decision);
    const { route, backend } = this.#decision;
    const turn = route === null || backend === null ? null : new Turn(this.#splits, route, backend);
    return this.#decided(null, client, turn);
  }

  /** No split and no balancing: the client has chosen a pod. */
  #toPod(
    port: TablePort,
    pod: PlanEndpoint,
    request: Request | null,
    client: ClientFacts,
  ): Destination {
    const { reason, endpoint } = this.#direct.decide(pod, request?.routed ?? null);
    const stats = this.#statsOf(port, null, port.service.key);
    const facts = { planHash: this.#planHash, port, rule: null, stats, planWaitMs: 0 };
    this.#interest.use(port.service.key);
    if (reason !== null) return refused(facts, REFUSALS[reason]);
    const place = { key: endpoint.key, address: pod.address, port: pod.port };
    const pool = this.#pools.ofPod(place, this.#tlsOf(pod));
    return toPool(facts, pool, endpoint, takesHttp2(port, client));
  }

  /** A Service's (`namespace/name`) own address; empty: it has none. Null: the table does not say. */
  addressOf(service: string): string | null {
    const found = this.#table.services.get(service);
    return found === undefined ? null : found.plan.clusterIps[0] ?? "";
  }

  /** By which DNS knows a Service. */
  nameOf(service: string): string {
    const [namespace, name] = service.split("/");
    return `${name}.${namespace}.svc.${this.#table.plan.clusterDomain}`;
  }

  /** To a Service's own address, secured as if `like` were there. */
  toServiceAddress(
    { address, port }: OriginalDestination,
    { facts, takesHttp2 }: Destination,
    like: TableEndpoint,
  ): Destination {
    const pool = this.#pools.ofService(address, port, this.#tlsOf(like.plan));
    return toPool(facts, pool, null, takesHttp2);
  }

  otherBackend(
    { facts, backend, split, hash, takesHttp2 }: Destination,
    missed: readonly EndpointSet[],
  ): Destination | null {
    const route = split && this.#inForce(split);
    if (route === null || backend?.limits !== null) return null;
    const other = route.backends
      .filter(({ endpointSet, guarded, refusal }) =>
        !missed.includes(endpointSet) && guarded === null && refusal === null
      )
      .reduce<TableBackend | null>(
        (most, each) => most !== null && most.weight >= each.weight ? most : each,
        null,
      );
    const state = other && this.#policies.backend(other, route, this.#io.nowMs);
    if (other === null || state === null || state.limits !== null) return null;
    return toEndpoints({ ...facts, stats: this.#statsOfBackend(route, other) }, {
      endpoints: other.endpointSet,
      backend: state,
      split: route,
      // The policy of the route has had its say.
      route: null,
      takesHttp2,
      hash,
      newPoint: -1,
      turn: null,
    });
  }

  /**
   * What the table in force has for a route that an earlier one had: of the same split, by the same match. A backend's pods that go are
   * why it is asked, and their news is a new table. Null: it has none.
   */
  #inForce(route: TableRoute): TableRoute | null {
    const { service, port, rule } = route;
    const now = this.#portOf(service.key, port.port);
    if (now === null || now.service === service) return now && route;
    const isSame = (each: TableRoute) => isSameData(each.rule?.match, rule?.match);
    const whole = route === port.connections ? now.connections : now.fallback;
    const found = rule === null ? whole : now.rules.find(isSame);
    return found !== undefined && splitOf(found) === splitOf(route) ? found : null;
  }

  /**
   * What was decided last, made a destination.
   * @param head null for a connection that is relayed as it is
   */
  #decided(head: RequestHead | null, client: ClientFacts, turn: Turn | null): Destination {
    const { reason, port, route, backend, endpointSet, isPinned } = this.#decision;
    const facts = {
      planHash: this.#planHash,
      port,
      rule: route?.rule ?? null,
      stats: route === null || backend === null ? null : this.#statsOfBackend(route, backend),
      planWaitMs: 0,
    };
    if (port !== null) this.#interest.use(port.service.key);
    if (reason !== null) {
      const answer = route?.plan.answer;
      const isRedirect = answer?.kind === "redirect" && port !== null && head !== null;
      return refused(facts, isRedirect ? redirection(answer, head, port) : REFUSALS[reason]);
    }
    if (route === null || backend === null || endpointSet === null) {
      return refused(facts, REFUSALS["no-endpoints"]);
    }
    const { nowMs } = this.#io;
    const state = this.#policies.backend(backend, route, nowMs);
    const affinity = head === null || isPinned ? null : route.affinity;
    return toEndpoints(facts, {
      endpoints: endpointSet,
      backend: state,
      split: route.backends.length > 1 ? route : null,
      route: this.#policies.route(route, backend, nowMs),
      takesHttp2: takesHttp2(port, client),
      hash: state.hashOf(head, client.peer),
      newPoint: affinity?.isCookie ? affinity.pointIn(backend, this.#random.next32()) : -1,
      turn,
    });
  }

  /** What `route` would do and why; changes nothing. */
  explain(asked: Asked): Explanation {
    return explainAsked(this.#table, asked, DEFAULT_PORT, this.#splits);
  }

  #take(changes: TableChanges): void {
    for (const { routes } of changes.gone) {
      for (const { backends } of routes) {
        for (const { index } of backends) this.#byBackend[index] = undefined;
      }
    }
    const count = this.#table.backendNumbers.size;
    while (this.#byBackend.length < count) this.#byBackend.push(undefined);
    this.#policies.bind(this.#table, this.#io.nowMs, changes);
  }

  #statsOfBackend(route: TableRoute, { index, key }: TableBackend): RouteStats {
    return this.#byBackend[index] ??= this.#firstStatsOf(route, key);
  }

  #firstStatsOf(route: TableRoute, key: string): RouteStats {
    const { port, service, plan, backends, skipped } = route;
    if (plan.split !== null && port.isHttp) {
      for (const { plan: backend } of [...backends, ...skipped]) {
        const group = service.groups.find(({ id }) => id === backend.group);
        const stats = this.#statsOf(port, route, `${backend.namespace}/${backend.service}`);
        this.#telemetry.expect(stats, group?.endpoints ?? []);
      }
    }
    return this.#statsOf(port, route, key);
  }

  /** @param route null for a pod that its client has chosen */
  #statsOf({ service, port }: TablePort, route: TableRoute | null, backend: string): RouteStats {
    return this.#telemetry.statsOf({
      listener: String(this.listener),
      service: service.key,
      port: String(port),
      split: route === null ? "" : splitOf(route),
      backend,
      rule: countedRule(route?.rule ?? null),
    });
  }

  #openPool({ plan, key }: TableEndpoint, owner: PoolOwner | null): EndpointPool | null {
    const sort = { security: this.#tlsOf(plan), owner };
    const known = this.#pools.find(key, sort);
    if (known !== undefined) return known;
    const { address, port } = plan;
    return canonicalIp(address) === null ? null : this.#pools.of({ key, address, port }, sort);
  }

  #tlsOf(endpoint: PlanEndpoint): EndpointTls | null {
    return this.#security?.of(endpoint) ?? null;
  }
}

/** The answer that sends a client elsewhere. */
function redirection(answer: PlanRedirect, head: RequestHead, { port }: TablePort): Refusal {
  const value = redirectLocation(answer, head, port);
  return refusalBy("redirected", answer.status, headerLines([{ name: "location", value }]));
}

/** With weight or without. */
function leadsTo({ plan }: TableRoute, key: string): boolean {
  return plan.backends.some(({ namespace, service }) => `${namespace}/${service}` === key);
}

/** `namespace/split`; empty for a Service's own endpoints. */
function splitOf({ plan: { split } }: TableRoute): string {
  return split === null ? "" : `${split.namespace}/${split.name}`;
}

/** Whether a port's endpoints are spoken to by HTTP/2. */
function takesHttp2(port: TablePort | null, { needsHttp2 }: ClientFacts): boolean {
  const protocol = port?.plan.protocol;
  return needsHttp2 || protocol === "http2" || protocol === "grpc";
}
