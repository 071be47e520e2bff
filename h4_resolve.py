import re,subprocess
def rd(p): return open(p).read()
def wr(p,s): open(p,'w').write(s)
def sub(s,a,b,n=1):
    assert a in s, a
    return s.replace(a,b)
theirs=lambda p: subprocess.run(["git","show","1221499:"+p],capture_output=True,text=True,check=True).stdout

# base/policy.ts
s=rd('base/policy.ts')
s=sub(s,'''/** For the endpoints of one backend together, counted by each outbound listener of a proxy. Null: no limit. */''','''/**
 * For the endpoints of one backend together, counted by each outbound listener of a proxy, whatever else has these endpoints.
 * Null: no limit.
 */''')
wr('base/policy.ts',s)

# docs
s=rd('docs/traffic_policy.md'); t=theirs('docs/traffic_policy.md')
a=s.index("**loadBalancing.**"); b=s.index("**outlierDetection.**")
print(s[a:b])
ta=t.index("**loadBalancing.**"); tb=t.index("**outlierDetection.**")
s=s[:a]+t[ta:tb]+s[b:]
s=sub(s,"**connectionLimits** hold for all endpoints of a Service together.","**slowStart.** The share of an endpoint that comes to others grows over the window from a tenth to the whole.\n\n**connectionLimits** hold for all endpoints of a Service's port together.")
x=t[t.index("A Service with limits has connections"):t.index("## Requests\n")]
s=sub(s,"## Requests\n",x+"## Requests\n")
wr('docs/traffic_policy.md',s)

# README
s=rd('proxy/balance/README.md')
s=sub(s,"| `endpoint.ts`, `endpoint_group.ts` | what is known of each endpoint of a backend, and which may take requests now; slow start |\n","| `endpoint.ts`, `endpoint_group.ts` | what is known of each endpoint of a backend, which may take requests now, and whose turn it is; slow start |\n| `balancing.ts`, `caller_hash.ts` | which endpoint of a backend takes a request, by its policy; `weft dry-run` asks the same |\n")
s=sub(s,"`round_robin.ts`, `two_choices.ts`, `least_request.ts`, `peak_ewma.ts`, `ring_hash.ts`, `ring.ts` | the algorithms; peak EWMA is the default |","`round_robin.ts`, `least_request.ts`, `peak_ewma.ts`, `ring_hash.ts`, `ring.ts` | the algorithms; least request is the default |")
wr('proxy/balance/README.md',s)

# balancer
s=rd('proxy/balance/balancer.ts')
s=sub(s,'''export interface Balancer {''','''/** Whether an endpoint will do; one that will not is chosen only where no other will either. */
export type IsGood<Target> = (endpoint: BalancedEndpoint<Target>) => boolean;

export interface Balancer {''')
s=sub(s,'''    hash: number,
  )''','''    hash: number,
    isGood: IsGood<Target>,
  )''')
wr('proxy/balance/balancer.ts',s)
s=rd('proxy/balance/algorithms.ts')
s=sub(s,'DEFAULT_ALGORITHM: BalancingAlgorithm = "PeakEwma"','DEFAULT_ALGORITHM: BalancingAlgorithm = "LeastRequest"')
wr('proxy/balance/algorithms.ts',s)
s=rd('proxy/balance/balancing.ts')
s=sub(s,'''import { fnv1a32, mix32 } from "../../base/hash.ts";
''','')
s=sub(s,'''import { type Balancer, balancerOf, DEFAULT_ALGORITHM, type IsGood } from "./balancer.ts";
''','''import { balancerOf, DEFAULT_ALGORITHM } from "./algorithms.ts";
import type { Balancer, IsGood } from "./balancer.ts";
import { callerHash } from "./caller_hash.ts";
''')
s=sub(s,'''  readonly #random: Random;
''','''  /** The same for all event loops of a proxy. */
  readonly #seed: number | null;
  readonly #random: Random;
''')
s=sub(s,'''    this.#random = random;
''','''    this.#seed = seed;
    this.#random = random;
''')
s=sub(s,'''    const { algorithm, hashKey } = this.#policy;
    if (algorithm !== "RingHash") return 0;
    if (hashKey?.source === "source-ip") return mix32(fnv1a32(peer));
''','''    const { hashKey } = this.#policy;
    if (hashKey === null) return 0;
    if (hashKey.source === "source-ip") return callerHash(peer, this.#seed);
''')
wr('proxy/balance/balancing.ts',s)

# exchange
s=rd('proxy/exchange/exchange.ts')
s=s[:0]+s
s=re.sub(r'<<<<<<<.*?=======.*?>>>>>>>[^\n]*\n','',s,flags=re.S) if '<<<<<<<' in s else s
s=sub(s,'(backend !== null && backend.hasLimits)','(backend !== null && backend.limits !== null)')
s=sub(s,'if (carrier === null && !this.#takeConnection()) {','if (carrier === null && !pool.takeConnection()) {')
m=re.search(r'  /\*\* False: there are as many connections as may be\. \*/\n  #takeConnection\(\): boolean \{.*?\n  \}\n\n',s,flags=re.S)
s=s[:m.start()]+s[m.end():]
wr('proxy/exchange/exchange.ts',s)

s=rd('proxy/exchange/carrier_source.ts')
s=sub(s,'/** A new connection, which counts among those that the backend may have. Null: none can be opened. */','/** A new connection, for which `takeConnection` of the pool was called. Null: none can be opened. */')
a=s.index("  const { backend } = destination;\n"); b=s.index("function goesByHttp2")
s=s[:a]+'''  if (goesByHttp2(exchange, destination, pool, context.io.nowMs) && !exchange.isConnect) {
    return Http2Upstream.open(context, pool)?.carry(exchange) ?? null;
  }
  return Upstream.open(context, pool, exchange);
}

'''+s[b:]
wr('proxy/exchange/carrier_source.ts',s)

s=rd('proxy/pool/pool.ts')
s=sub(s,'''export class EndpointPool {''','''/** What counts the connections of pools that are its own. */
export interface PoolOwner {
  /** Counts one more. False: there are as many as may be. */
  takeConnection(): boolean;
  connectionEnded(): void;
  /** There are more than may be. */
  readonly isOver: boolean;
}

/** What sets a pool apart from those of a plan's endpoints that any backend may use. */
interface PoolKind {
  readonly isDirect?: boolean;
  readonly owner?: PoolOwner | null;
}

export class EndpointPool {''')
s=sub(s,'''  /** Connections of any state. */
  openCount = 0;
''','')
s=sub(s,'''  #avoidUntilMs = 0;
''','''  /** Null: any backend's connections are here. */
  readonly #owner: PoolOwner | null;
  #avoidUntilMs = 0;
''')
s=sub(s,'''    isDirect = false,
  ) {
    this.key = key;
    this.address = address;
    this.isDirect = isDirect;
    this.#security = security;
  }
''','''    { isDirect = false, owner = null }: PoolKind = {},
  ) {
    this.key = key;
    this.address = address;
    this.isDirect = isDirect;
    this.#owner = owner;
    this.#security = security;
  }

  /** Before a connection is opened. False: its owner has as many as it may. */
  takeConnection(): boolean {
    return this.#owner === null || this.#owner.takeConnection();
  }

  /** A connection for which `takeConnection` was called has ended, or could not be opened. */
  connectionEnded(): void {
    this.#owner?.connectionEnded();
  }
''')
s=sub(s,'''    if (!this.isInPlan || this.#idle.length >= POOL_IDLE_MAX) return false;
''','''    if (!this.isInPlan || this.#idle.length >= POOL_IDLE_MAX) return false;
    if (this.#owner?.isOver) return false;
''')
wr('proxy/pool/pool.ts',s)
s=rd('proxy/pool/pools.ts')
s=sub(s,'security, owner);','security, { owner });')
s=sub(s,'null, true);','null, { isDirect: true });')
wr('proxy/pool/pools.ts',s)

s=rd('proxy/relay/upstream.ts')
s=sub(s,'''      context.unregister(upstream);
      return null;''','''      context.unregister(upstream);
      pool.connectionEnded();
      return null;''') if 'pool.connectionEnded();\n      return null' not in s else s
s=sub(s,"    pool.openCount++;\n","")
s=sub(s,"    this.pool.openCount--;\n","    this.pool.connectionEnded();\n")
s=sub(s,'''  /** Starts to connect. Null: the connection failed at once. */''','''  /** Starts to connect, after `takeConnection` of the pool. Null: the connection failed at once. */''')
wr('proxy/relay/upstream.ts',s)
s=rd('proxy/relay/downstream.ts')
s=sub(s,'''  /** Counted among the connections that the backend may have. */
  #isLimited = false;
''','')
s=sub(s,'''      if (!this.#hold()) return this.#refuse("connection-limit");
''','''      if (!pool.takeConnection()) return this.#refuse("connection-limit");
      this.#tries.start(io.nowMs);
''')
a=s.index("  // What balancing has to know of the connection.\n"); b=s.index("  /** The endpoint took no connection. */")
c=s.index("  onConnectFailed(")
s=s[:a]+s[c:]
s=sub(s,"      this.#blame();\n    }\n","      this.#tries.fail(\"connect-failure\", io.nowMs);\n    }\n")
s=sub(s,"    this.#blame();\n","    this.#tries.fail(\"connect-failure\", io.nowMs);\n")
s=s.replace("this.#letGo();","this.#tries.end();")
wr('proxy/relay/downstream.ts',s)

s=rd('proxy/policy/policy_run.ts'); t=theirs('proxy/policy/policy_run.ts')
s=sub(s,'''import type { BackendState } from "./backend_state.ts";
''','''import type { BackendLimits } from "./backend_limits.ts";
import type { BackendState } from "./backend_state.ts";
''')
s=sub(s,'''  /** A request of the backend's limit is taken. */
  #holdsRequest = false;
''','''  /** Where the request is counted, and where it waits for a connection: the limits of the plan that was in force then. */
  #counting: BackendLimits | null = null;
  #waiting: BackendLimits | null = null;
''')
s=sub(s,'''    if (backend !== null && !backend.takeRequest()) return this.#refuse(503, "request-limit");
    this.#holdsRequest = true;
''','''    const limits = backend?.limits ?? null;
    if (limits?.takeRequest() === false) return this.#refuse(503, "request-limit");
    this.#counting = limits;
''')
s=sub(s,'''    if (backend === null) return;
    if (this.#holdsRequest) backend.requestEnded();
    this.#holdsRequest = false;
    backend.stopWaiting(this);
    backend.exchangeEnded();
  }
''','''    this.#counting?.requestEnded();
    this.#counting = null;
    this.#stopWaiting();
    backend?.limits?.exchangeEnded();
  }
''')
s=sub(s,'''    if (this.#backend === null || !this.#backend.wait(this)) return false;
    this.#startStep("pending", pendingMs);
    return true;
  }

  onTurn(): void {
''','''    const limits = this.#backend?.limits ?? null;
    if (limits === null || !limits.wait(this)) return false;
    this.#waiting = limits;
    this.#startStep("pending", pendingMs);
    return true;
  }

  #stopWaiting(): void {
    this.#waiting?.stopWaiting(this);
    this.#waiting = null;
  }

  onTurn(): void {
    this.#waiting = null;
''')
s=sub(s,'''        this.#backend?.stopWaiting(this);
''','''        this.#stopWaiting();
''')
wr('proxy/policy/policy_run.ts',s)

# backend_state: mine, with samples
s=rd('proxy/policy/backend_state.ts')
s=sub(s,'''import type { Random } from "../../base/random.ts";
''','''import { countsOf, type Sample, samplesOf } from "../../base/metrics.ts";
import type { Random } from "../../base/random.ts";
''')
s=sub(s,'''import type { BackendPolicyCounts, EjectionCause } from "./policy_counts.ts";
''','')
s=sub(s,'''import type { EndpointPool } from "../pool/pool.ts";
''','''import { type EjectionCause, EJECTIONS } from "../observe/metrics.ts";
import type { EndpointPool } from "../pool/pool.ts";
''')
s=sub(s,'''  /** Since the first plan with the backend. */
  readonly #ejections = new Map<EjectionCause, number>();
''','''  /** Since the backend was first used. */
  readonly #ejections;
''')
s=sub(s,'''   * @param seed of where the turns of the endpoints begin; null: with the first
   * @param random for what is drawn
   */
  constructor(key: string, seed: number | null, random: Random) {
    this.#balancing = new Balancing(key, seed, random);
''','''   * @param labels of what is counted; `backend` tells backends of a listener apart
   * @param seed of where the turns of the endpoints begin; null: with the first
   * @param random for what is drawn
   */
  constructor(
    labels: { readonly listener: string; readonly backend: string },
    seed: number | null,
    random: Random,
  ) {
    this.#ejections = countsOf(EJECTIONS, labels);
    this.#balancing = new Balancing(labels.backend, seed, random);
''')
s=sub(s,'''    if (isEjected) this.#ejections.set(cause, (this.#ejections.get(cause) ?? 0) + 1);
''','''    if (isEjected) this.#ejections.ejected.add(cause);
''')
a=s.index("  /** Null: no policy ejects. */")
s=s[:a]+'''  /** What its policy did. */
  samples(): Sample[] {
    if (this.#detector === null) return [];
    this.#ejections.active = this.#detector.ejectedCount;
    this.#ejections.panics = this.#detector.isPanic ? 1 : 0;
    return samplesOf(this.#ejections);
  }
}
'''
wr('proxy/policy/backend_state.ts',s)

s=rd('proxy/policy/backend_limits.ts')
s=sub(s,'''import type { BackendPolicyCounts } from "./policy_counts.ts";
''','')
s=sub(s,'''import type { EndpointPool, PoolOwner } from "../pool/pool.ts";
''','''import { LIMITS } from "../observe/metrics.ts";
import type { EndpointPool, PoolOwner } from "../pool/pool.ts";
''')
s=sub(s,'''import type { Random }''','''import { countsOf, type Sample, samplesOf } from "../../base/metrics.ts";
import type { Random }''')
s=sub(s,'''  readonly #hits = { connections: 0, pending: 0, requests: 0 };

  /** @param store for what event loops share of the backend */
  constructor(timers: Timers, random: Random, store: StateStore) {
''','''  readonly #counts;

  /**
   * @param labels of what is counted
   * @param store for what event loops share of the backend
   */
  constructor(
    timers: Timers,
    labels: { readonly listener: string; readonly backend: string },
    random: Random,
    store: StateStore,
  ) {
    this.#counts = countsOf(LIMITS, labels);
''')
s=s.replace("this.#hits.","this.#counts.hits.")
a=s.index("  /**\n   * Takes the limits and the pools"); b=s.index("  /** Of connections that are too many")
s=s[:a]+'''  /**
   * Takes the limits and the pools of a new plan; `settle` is called once all pools are there. What was counted before
   * goes on being counted.
   * @param limits null: the backend has none any more
   */
  bind(limits: ConnectionLimits | null, pools: ReadonlySet<EndpointPool>): void {
    this.#budget.limit(limits);
    this.#pools = pools;
  }

  /** Ends what is too much under new limits, and lets go on what has room now. */
  settle(): void {
    this.#endExcess();
    this.#callWaiters();
  }

'''+s[b:]
a=s.index("  /** Null: there are none in force. */")
s=s[:a]+'''  /** What they did. */
  samples(): Sample[] {
    if (this.#budget.limits === null) return [];
    this.#counts.pending = this.#budget.pending;
    return samplesOf(this.#counts);
  }
}
'''
wr('proxy/policy/backend_limits.ts',s)

s=rd('proxy/policy/bindings.ts')
s=sub(s,'''import type { Sample } from "../../base/metrics.ts";
''','''import type { Sample } from "../../base/metrics.ts";
import type { ConnectionLimits } from "../../base/policy.ts";
import { Random } from "../../base/random.ts";
''')
s=sub(s,'''import type { EndpointPool } from "../pool/pool.ts";
''','''import type { EndpointPool, PoolOwner } from "../pool/pool.ts";
import { BackendLimits } from "./backend_limits.ts";
''')
s=sub(s,'''type PoolOf = (endpoint: TableEndpoint) => EndpointPool | null;
''','''/** Where the connections of endpoints are kept. */
export interface PoolSource {
  /**
   * Null where the endpoint has no address.
   * @param owner whose connections alone are in the pool; null: those of every backend without an owner
   */
  of(endpoint: TableEndpoint, owner: PoolOwner | null): EndpointPool | null;
  /** Ends all other pools of an owner. */
  retainOwn(owner: PoolOwner, pools: ReadonlySet<EndpointPool>): void;
}

/** Limits of the plan in force, with the pools of the backends that they hold for. */
interface BoundLimits {
  readonly state: BackendLimits;
  readonly pools: Set<EndpointPool>;
}
''')
s=sub(s,'''  readonly #poolOf: PoolOf;
''','''  readonly #random: Random;
  readonly #pools: PoolSource;
''')
s=sub(s,'''  #memories = new Map<string, RouteMemory>();
''','''  #memories = new Map<string, RouteMemory>();
  /** Also those that are not in the plan any more, while connections are counted there. */
  readonly #limits = new Map<string, BackendLimits>();
  /** Of the plan in force. */
  #bound = new Map<string, BoundLimits>();
''')
s=sub(s,'''    poolOf: PoolOf,
  ) {''','''    pools: PoolSource,
  ) {''')
s=sub(s,'''    this.#poolOf = poolOf;
''','''    this.#random = new Random(seed ?? 0, "balancing");
    this.#pools = pools;
''')
s=sub(s,'''    const { endpointSet, policy } = backend;
    const state = this.#backendState(backendKey(backend, route), endpointSet, policy, nowMs);
    this.#stateOf[backend.index] = state;
    return state;
  }
''','''    const key = backendKey(backend, route);
    const state = this.#backends.get(key) ?? this.#newBackend(key);
    if (!this.#backends.has(key)) this.#bindBackend(key, state, backend, route, nowMs);
    this.#stateOf[backend.index] = state;
    return state;
  }
''')
s=sub(s,'''    for (const state of this.#backends.values()) yield* state.samples();
''','''    for (const state of this.#backends.values()) yield* state.samples();
    for (const limits of this.#limits.values()) yield* limits.samples();
''')
a=s.index("  #rebindBackends("); b=s.index("  #rebindMemories(")
s=s[:a]+'''  #rebindBackends(table: Table, nowMs: number): void {
    const before = this.#backends;
    this.#backends = new Map();
    this.#bound = new Map();
    for (const route of before.size === 0 ? [] : table.routes) {
      for (const backend of route.backends) {
        const key = backendKey(backend, route);
        const state = before.get(key);
        if (state !== undefined) this.#bindBackend(key, state, backend, route, nowMs);
        before.delete(key);
      }
      if (route.mirror === null) continue;
      const key = mirrorKey(route.mirror);
      const state = before.get(key);
      if (state !== undefined) this.#bindMirror(key, state, route.mirror, nowMs);
      before.delete(key);
    }
    for (const [key, state] of this.#limits) {
      const pools = this.#bound.get(key)?.pools ?? new Set();
      if (!this.#bound.has(key)) state.bind(null, pools);
      state.settle();
      this.#pools.retainOwn(state, pools);
      if (!this.#bound.has(key) && !state.isInUse) this.#limits.delete(key);
    }
  }

  #newBackend(key: string): BackendState {
    return new BackendState(this.#labelsOf(key), this.#seed, this.#random);
  }

  #labelsOf(backend: string): { listener: string; backend: string } {
    return { listener: this.#listener, backend };
  }

  #bindBackend(
    key: string,
    state: BackendState,
    backend: TableBackend,
    route: TableRoute,
    nowMs: number,
  ): void {
    const { endpointSet, policy } = backend;
    const limits = policy?.connectionLimits;
    const bound = limits === undefined ? null : this.#boundTo(limitsKey(backend, route), limits);
    const poolOf = (endpoint: TableEndpoint) => {
      const pool = this.#pools.of(endpoint, bound?.state ?? null);
      if (pool !== null) bound?.pools.add(pool);
      return pool;
    };
    state.bind(endpointSet, policy, bound?.state ?? null, poolOf, nowMs);
    this.#backends.set(key, state);
  }

  /** Copies are no requests of the Service that gets them: its policy and its limits are not for them. */
  #bindMirror(
    key: string,
    state: BackendState,
    { endpointSet }: TableMirror,
    nowMs: number,
  ): void {
    state.bind(endpointSet, null, null, (endpoint) => this.#pools.of(endpoint, null), nowMs);
    this.#backends.set(key, state);
  }

  #boundTo(key: string, limits: ConnectionLimits): BoundLimits {
    let bound = this.#bound.get(key);
    if (bound === undefined) {
      const store = prefixed(this.#store, `backend ${key}`);
      const state = this.#limits.get(key) ??
        new BackendLimits(this.#timers, this.#labelsOf(key), this.#random, store);
      bound = { state, pools: new Set() };
      state.bind(limits, bound.pools);
      this.#limits.set(key, state);
      this.#bound.set(key, bound);
    }
    return bound;
  }

'''+s[b:]
a=s.index("  #backendState(\n"); b=s.index("  #routeState(")
s=s[:a]+s[b:]
s=sub(s,'''    const { mirror } = route;
    const bound = mirror === null ? null : {
      table: mirror,
      set: mirror.endpointSet,
      backend: this.#backendState(mirrorKey(mirror), mirror.endpointSet, null, nowMs),
    };
''','''    const { mirror } = route;
    const bound = mirror === null ? null : {
      table: mirror,
      set: mirror.endpointSet,
      backend: this.#mirrorState(mirror, nowMs),
    };
''')
s=sub(s,'''  #memory(
''','''  #mirrorState(mirror: TableMirror, nowMs: number): BackendState {
    const key = mirrorKey(mirror);
    const state = this.#backends.get(key) ?? this.#newBackend(key);
    if (!this.#backends.has(key)) this.#bindMirror(key, state, mirror, nowMs);
    return state;
  }

  #memory(
''')
s=sub(s,'''function mirrorKey({ endpointSet }: { readonly endpointSet: EndpointSet }): string {''','''/** A backend's own limits hold whichever way requests come to it; those of a root for what comes by that root. */
function limitsKey({ plan: { group }, policy, key }: TableBackend, route: TableRoute): string {
  const isOwn = policy?.sources.connectionLimits?.target === `Service ${key}`;
  return isOwn ? group : `${group} of ${route.service.key}`;
}

function mirrorKey({ endpointSet }: TableMirror): string {''')
s=sub(s,'''import type { Table, TableBackend, TableEndpoint, TableRoute } from "../../routing/table/table.ts";
import type { EndpointSet } from "../../routing/table/table.ts";
import type { PlanEndpointPolicy, PlanRoutePolicy } from "../../routing/plan.ts";
''','''import type {
  Table,
  TableBackend,
  TableEndpoint,
  TableMirror,
  TableRoute,
} from "../../routing/table/table.ts";
import type { PlanRoutePolicy } from "../../routing/plan.ts";
''')
wr('proxy/policy/bindings.ts',s)

s=rd('proxy/route/outbound.ts')
s=sub(s,'''      (endpoint) => this.#openPool(endpoint),
''','''      {
        of: (endpoint, owner) => this.#openPool(endpoint, owner),
        retainOwn: (owner, kept) => pools.retainOwn(owner, kept),
      },
''')
s=sub(s,'''  #openPool({ plan, key }: TableEndpoint): EndpointPool | null {
    return parseIp(plan.address) === null
      ? null
      : this.#pools.of(key, plan.address, plan.port, this.#tlsOf(plan));
''','''  #openPool({ plan, key }: TableEndpoint, owner: PoolOwner | null): EndpointPool | null {
    return parseIp(plan.address) === null
      ? null
      : this.#pools.of(key, plan.address, plan.port, this.#tlsOf(plan), owner);
''')
s=sub(s,'''import type { EndpointPool } from "../pool/pool.ts";''','''import type { EndpointPool, PoolOwner } from "../pool/pool.ts";''')
wr('proxy/route/outbound.ts',s)
