/**
 * Bindings: the policies of the plan in force, ready for requests, for one listener's clients. What a policy or a backend needs
 * is made with the first request that it has a say in. What has to be remembered is carried from plan to plan by what
 * it is about, never by its place in a plan.
 */
import type { MetricSample } from "../../base/metrics.ts";
import { Random } from "../../base/random.ts";
import { prefixed } from "../../base/state_store.ts";
import { VersionedMap } from "../../base/versioned_map.ts";
import type { StateStore } from "../../base/state_store.ts";
import { changesBetween } from "../../routing/table/changes.ts";
import type {
  Table,
  TableBackend,
  TableMirror,
  TableRoute,
  TableService,
} from "../../routing/table/table.ts";
import type { PlanEndpointPolicy, PlanRoutePolicy } from "../../routing/plan.ts";
import type { Timers } from "../loop/timers.ts";
import type { EndpointPool, PoolOwner } from "../pool/pool.ts";
import { BackendLimits } from "./backend_limits.ts";
import { BackendState } from "./backend_state.ts";
import { COUNTED_SECTIONS, type CountedSection, RouteMemory } from "./route_memory.ts";
import { RouteState } from "./route_state.ts";
import type { EndpointSet, TableEndpoint } from "../../routing/table/endpoint_set.ts";

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

/** Limits of the plan in force. */
interface BoundLimits {
  readonly state: BackendLimits;
  /** Of the backends that they hold for, by their keys. */
  readonly pools: Map<string, readonly EndpointPool[]>;
}

/** What has a state: a backend by a route, or a mirror. */
interface Bindable {
  readonly key: string;
  readonly set: EndpointSet;
  readonly policy: PlanEndpointPolicy | null;
  /** Of the limits in the policy. */
  readonly limitsKey: string;
}

export class Bindings {
  readonly #listener: string;
  readonly #timers: Timers;
  readonly #seed: number | null;
  readonly #store: StateStore;
  readonly #random: Random;
  readonly #pools: PoolSource;
  /** Of the plan in force. */
  #services = VersionedMap.empty<TableService>();
  /** Those that were asked for and are still in the plan, by what they are about. */
  readonly #backends = new Map<string, BackendState>();
  readonly #memories = new Map<string, RouteMemory>();
  /** Also those that are not in the plan any more, while connections or requests are counted there. */
  readonly #limits = new Map<string, BackendLimits>();
  /** Of the plan in force. */
  readonly #bound = new Map<string, BoundLimits>();
  /** Which limits hold for a backend, by their keys. */
  readonly #limitsOf = new Map<string, string>();
  /** By the number of the backend and of the route; undefined: not asked for yet. */
  readonly #stateOf: (BackendState | undefined)[] = [];
  readonly #routeOf: (RouteState | undefined)[] = [];
  /** By the number of a backend that has headers of its own. */
  readonly #routeVia: (RouteState | undefined)[] = [];

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
    return this.#stateOf[backend.index] ??= this.#stateFor(bindableOf(backend, route), nowMs);
  }

  /** Null if no policy says anything. A backend that says what is done with headers has a state of its own. */
  route(route: TableRoute, backend: TableBackend, nowMs: number): RouteState | null {
    const { policy, index } = route;
    if (policy === null) return null;
    const { headers } = backend.plan;
    return headers === undefined
      ? this.#routeOf[index] ??= this.#routeState(route, policy, nowMs)
      : this.#routeVia[backend.index] ??= this.#routeState(route, { ...policy, headers }, nowMs);
  }

  /** What policies did so far. */
  *samples(): Iterable<MetricSample> {
    for (const state of this.#backends.values()) yield* state.samples();
    for (const limits of this.#limits.values()) yield* limits.samples();
    for (const memory of this.#memories.values()) yield* memory.samples;
  }

  /** Takes a new plan into force. States are changed in place, for exchanges under way; only those that it changed. */
  bind(
    table: Table,
    nowMs: number,
    { gone, come } = changesBetween(this.#services, table.services),
  ): void {
    this.#services = table.services;
    for (const { routes } of gone) {
      for (const { index, backends } of routes) {
        this.#routeOf[index] = undefined;
        for (const backend of backends) {
          this.#stateOf[backend.index] = undefined;
          this.#routeVia[backend.index] = undefined;
        }
      }
    }
    while (this.#routeOf.length < table.routeNumbers.size) this.#routeOf.push(undefined);
    while (this.#stateOf.length < table.backendNumbers.size) {
      this.#stateOf.push(undefined);
      this.#routeVia.push(undefined);
    }
    if (this.#backends.size > 0) this.#rebindBackends(gone, come, nowMs);
    if (this.#memories.size > 0) this.#rebindMemories(gone, come, nowMs);
    for (const [key, state] of this.#limits) {
      if (!this.#bound.has(key) && !state.isInUse) this.#limits.delete(key);
    }
  }

  #rebindBackends(
    gone: readonly TableService[],
    come: readonly TableService[],
    nowMs: number,
  ): void {
    const changed = new Set<string>();
    const limits = new Set<string>();
    for (const { key } of bindablesOf(gone)) if (this.#backends.has(key)) changed.add(key);
    for (const bindable of changed.size === 0 ? [] : bindablesOf(come)) {
      const { key } = bindable;
      const state = this.#backends.get(key);
      if (state === undefined || !changed.delete(key)) continue;
      this.#unlimit(key, limits);
      this.#bindState(state, bindable, nowMs);
      limits.add(this.#limitsOf.get(key) ?? "");
    }
    this.#omitKept(changed);
    for (const key of changed) {
      this.#backends.delete(key);
      this.#unlimit(key, limits);
    }
    for (const key of limits) this.#settle(key);
  }

  /** Takes out the keys that some Service of the plan still has: one that stayed as it was. */
  #omitKept(keys: Set<string>): void {
    for (const { routes } of this.#services.values()) {
      for (const route of routes) {
        if (keys.size === 0) return;
        for (const backend of route.backends) keys.delete(backendKey(backend, route));
        if (route.mirror !== null) keys.delete(mirrorKey(route.mirror));
      }
    }
  }

  /** The state of what is asked for, made where there is none. */
  #stateFor(bindable: Bindable, nowMs: number): BackendState {
    const { key } = bindable;
    let state = this.#backends.get(key);
    if (state === undefined) {
      state = new BackendState(this.#labelsOf(key), this.#seed, this.#random);
      this.#bindState(state, bindable, nowMs);
      this.#backends.set(key, state);
    }
    return state;
  }

  #labelsOf(backend: string): { listener: string; backend: string } {
    return { listener: this.#listener, backend };
  }

  #bindState(state: BackendState, { key, set, policy, limitsKey }: Bindable, nowMs: number): void {
    const limits = policy?.connectionLimits;
    const bound = limits === undefined ? null : this.#boundTo(limitsKey);
    const pools: EndpointPool[] = [];
    const poolOf = (endpoint: TableEndpoint) => {
      const pool = this.#pools.of(endpoint, bound?.state ?? null);
      if (pool !== null) pools.push(pool);
      return pool;
    };
    state.bind(set, policy, bound?.state ?? null, poolOf, nowMs);
    if (limits === undefined || bound === null) return;
    bound.pools.set(key, pools);
    this.#limitsOf.set(key, limitsKey);
    bound.state.bind(limits, poolsOf(bound));
  }

  #boundTo(key: string): BoundLimits {
    let bound = this.#bound.get(key);
    if (bound === undefined) {
      const store = prefixed(this.#store, `backend ${key}`);
      const state = this.#limits.get(key) ??
        new BackendLimits(this.#timers, this.#labelsOf(key), this.#random, store);
      bound = { state, pools: new Map() };
      this.#limits.set(key, state);
      this.#bound.set(key, bound);
    }
    return bound;
  }

  /** The limits of a backend hold for it no more, or are to be found anew. @param limits gets their key */
  #unlimit(backend: string, limits: Set<string>): void {
    const key = this.#limitsOf.get(backend);
    if (key === undefined) return;
    this.#limitsOf.delete(backend);
    this.#bound.get(key)?.pools.delete(backend);
    limits.add(key);
  }

  /** The pools that limits hold for are known again. */
  #settle(key: string): void {
    const bound = this.#bound.get(key);
    if (bound === undefined) return;
    const { state } = bound;
    const pools = poolsOf(bound);
    if (bound.pools.size === 0) {
      this.#bound.delete(key);
      state.bind(null, pools);
    }
    state.settle();
    this.#pools.retainOwn(state, pools);
  }

  #rebindMemories(
    gone: readonly TableService[],
    come: readonly TableService[],
    nowMs: number,
  ): void {
    const changed = new Set<string>();
    for (const { key } of memorablesOf(gone)) if (this.#memories.has(key)) changed.add(key);
    for (const { key, policy } of changed.size === 0 ? [] : memorablesOf(come)) {
      if (changed.delete(key)) this.#memories.get(key)?.bind(policy, nowMs);
    }
    for (const key of changed) {
      this.#memories.get(key)?.release();
      this.#memories.delete(key);
    }
  }

  #routeState(route: TableRoute, policy: PlanRoutePolicy, nowMs: number): RouteState {
    const { mirror } = route;
    const bound = mirror === null ? null : {
      table: mirror,
      set: mirror.endpointSet,
      backend: this.#stateFor(bindableOfMirror(mirror), nowMs),
    };
    const memoryOf = (section: CountedSection) => this.#memory(route, policy, section, nowMs);
    return new RouteState(policy, memoryOf, bound);
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

function* bindablesOf(services: readonly TableService[]): Iterable<Bindable> {
  for (const { routes } of services) {
    for (const route of routes) {
      for (const backend of route.backends) yield bindableOf(backend, route);
      if (route.mirror !== null) yield bindableOfMirror(route.mirror);
    }
  }
}

function bindableOf(backend: TableBackend, route: TableRoute): Bindable {
  const { endpointSet: set, policy } = backend;
  return { key: backendKey(backend, route), set, policy, limitsKey: limitsKey(backend, route) };
}

/** Copies are no requests of the Service that gets them: its policy and its limits are not for them. */
function bindableOfMirror(mirror: TableMirror): Bindable {
  return { key: mirrorKey(mirror), set: mirror.endpointSet, policy: null, limitsKey: "" };
}

function poolsOf({ pools }: BoundLimits): Set<EndpointPool> {
  return new Set([...pools.values()].flat());
}

/** The sections of routes that have a memory. */
function* memorablesOf(
  services: readonly TableService[],
): Iterable<{ readonly key: string; readonly policy: PlanRoutePolicy }> {
  for (const { routes } of services) {
    for (const route of routes) {
      const { policy } = route;
      if (policy === null) continue;
      for (const section of COUNTED_SECTIONS) {
        yield { key: memoryKey(route, policy, section), policy };
      }
    }
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
