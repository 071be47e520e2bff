/**
 * Bindings: the policies of the plan in force, ready for requests, for one listener's clients. What a policy or a backend needs
 * is made with the first request that it has a say in. What has to be remembered is carried from plan to plan by what
 * it is about, never by its place in a plan.
 */
import type { MetricSample } from "../../base/metrics.ts";
import type { ConnectionLimits } from "../../base/policy.ts";
import { Random } from "../../base/random.ts";
import { prefixed } from "../../base/state_store.ts";
import type { StateStore } from "../../base/state_store.ts";
import type { Table, TableBackend, TableMirror, TableRoute } from "../../routing/table/table.ts";
import type { PlanRoutePolicy } from "../../routing/plan.ts";
import type { Timers } from "../loop/timers.ts";
import type { EndpointPool, PoolOwner } from "../pool/pool.ts";
import { BackendLimits } from "./backend_limits.ts";
import { BackendState } from "./backend_state.ts";
import { COUNTED_SECTIONS, type CountedSection, RouteMemory } from "./route_memory.ts";
import { RouteState } from "./route_state.ts";
import type { TableEndpoint } from "../../routing/table/endpoint_set.ts";

/** Where the connections of endpoints are kept. */
interface PoolSource {
  /**
   * Null if the endpoint has no address.
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

export class Bindings {
  readonly #listener: string;
  readonly #timers: Timers;
  readonly #seed: number | null;
  readonly #store: StateStore;
  readonly #random: Random;
  readonly #pools: PoolSource;
  /** Those that were asked for and are still in the plan, by what they are about. */
  #backends = new Map<string, BackendState>();
  #memories = new Map<string, RouteMemory>();
  /** Also those that are not in the plan any more, while connections are counted there. */
  readonly #limits = new Map<string, BackendLimits>();
  /** Of the plan in force. */
  #bound = new Map<string, BoundLimits>();
  /** By backend index and by route index; undefined: not asked for since the plan came. */
  #stateOf: (BackendState | undefined)[] = [];
  #routeOf: (RouteState | undefined)[] = [];

  /** @param store for what event loops share of the listener's policies */
  constructor(
    listener: number,
    timers: Timers,
    seed: number | null,
    store: StateStore,
    pools: PoolSource,
  ) {
    this.#listener = String(listener);
    this.#timers = timers;
    this.#seed = seed;
    this.#store = store;
    this.#random = new Random(seed ?? 0, "balancing");
    this.#pools = pools;
  }

  backend(backend: TableBackend, route: TableRoute, nowMs: number): BackendState {
    const known = this.#stateOf[backend.index];
    if (known !== undefined) return known;
    const key = backendKey(backend, route);
    const state = this.#backends.get(key) ?? this.#newBackend(key);
    if (!this.#backends.has(key)) this.#bindBackend(key, state, backend, route, nowMs);
    this.#stateOf[backend.index] = state;
    return state;
  }

  /** Null if no policy says anything. */
  route(route: TableRoute, nowMs: number): RouteState | null {
    const { policy, index } = route;
    return policy === null ? null : this.#routeOf[index] ??= this.#routeState(route, policy, nowMs);
  }

  /** What policies did so far. */
  *samples(): Iterable<MetricSample> {
    for (const state of this.#backends.values()) yield* state.samples();
    for (const limits of this.#limits.values()) yield* limits.samples();
    for (const memory of this.#memories.values()) yield* memory.samples;
  }

  /** Takes a new plan into force. States are changed in place, for exchanges under way. */
  bind(table: Table, nowMs: number): void {
    this.#stateOf = new Array(table.backends.length);
    this.#routeOf = new Array(table.routes.length);
    this.#rebindBackends(table, nowMs);
    this.#rebindMemories(table, nowMs);
  }

  #rebindBackends(table: Table, nowMs: number): void {
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

  #rebindMemories(table: Table, nowMs: number): void {
    const before = this.#memories;
    this.#memories = new Map();
    for (const route of before.size === 0 ? [] : table.routes) {
      if (route.policy === null) continue;
      for (const section of COUNTED_SECTIONS) {
        const key = memoryKey(route, route.policy, section);
        const memory = before.get(key);
        if (memory === undefined) continue;
        before.delete(key);
        memory.bind(route.policy, nowMs);
        this.#memories.set(key, memory);
      }
    }
    for (const memory of before.values()) memory.release();
  }

  #routeState(route: TableRoute, policy: PlanRoutePolicy, nowMs: number): RouteState {
    const { mirror } = route;
    const bound = mirror === null ? null : {
      table: mirror,
      set: mirror.endpointSet,
      backend: this.#mirrorState(mirror, nowMs),
    };
    const memoryOf = (section: CountedSection) => this.#memory(route, policy, section, nowMs);
    return new RouteState(policy, memoryOf, bound);
  }

  #mirrorState(mirror: TableMirror, nowMs: number): BackendState {
    const key = mirrorKey(mirror);
    const state = this.#backends.get(key) ?? this.#newBackend(key);
    if (!this.#backends.has(key)) this.#bindMirror(key, state, mirror, nowMs);
    return state;
  }

  #memory(
    route: TableRoute,
    policy: PlanRoutePolicy,
    section: CountedSection,
    nowMs: number,
  ): RouteMemory {
    const key = memoryKey(route, policy, section);
    let memory = this.#memories.get(key);
    if (memory === undefined) {
      const labels = {
        listener: this.#listener,
        service: route.service.key,
        port: String(route.port.port),
        target: targetOf(policy, section),
      };
      memory = new RouteMemory(section, labels, prefixed(this.#store, `policy ${key}`));
      memory.bind(policy, nowMs);
      this.#memories.set(key, memory);
    }
    return memory;
  }
}

/** The same for all routes that treat the endpoints alike: one whose root has a say treats them in its own way. */
function backendKey({ endpointSet, policy, key }: TableBackend, route: TableRoute): string {
  if (policy === null) return endpointSet.key;
  const own = `Service ${key}`;
  const isOwn = Object.values(policy.sources).every(({ target }) => target === own);
  return isOwn ? endpointSet.key : `${endpointSet.key} of ${route.service.key}`;
}

/** A backend's own limits hold whichever way requests come to it; those of a root for what comes by that root. */
function limitsKey({ plan: { group }, policy, key }: TableBackend, route: TableRoute): string {
  const isOwn = policy?.sources.connectionLimits?.target === `Service ${key}`;
  return isOwn ? group : `${group} of ${route.service.key}`;
}

function mirrorKey({ endpointSet }: TableMirror): string {
  return `mirror ${endpointSet.key}`;
}

function memoryKey(
  { service, port }: TableRoute,
  policy: PlanRoutePolicy,
  section: CountedSection,
): string {
  return `${service.key}:${port.port} ${section} ${targetOf(policy, section)}`;
}

function targetOf({ sources }: PlanRoutePolicy, section: CountedSection): string {
  return sources[section]?.target ?? "";
}
