/**
 * Bindings: the policies of the plan in force, ready for requests, for one listener's clients. What a policy or a backend needs
 * is made with the first request that it has a say in. What has to be remembered is carried from plan to plan by what
 * it is about, never by its place in a plan.
 */
import type { MetricSample } from "../../base/metrics.ts";
import { prefixed } from "../../base/state_store.ts";
import type { StateStore } from "../../base/state_store.ts";
import type { Table, TableBackend, TableEndpoint, TableRoute } from "../../routing/table/table.ts";
import type { EndpointSet } from "../../routing/table/table.ts";
import type { PlanEndpointPolicy, PlanRoutePolicy } from "../../routing/plan.ts";
import type { Timers } from "../loop/timers.ts";
import type { EndpointPool } from "../pool/pool.ts";
import { BackendState } from "./backend_state.ts";
import { COUNTED_SECTIONS, type CountedSection, RouteMemory } from "./route_memory.ts";
import { RouteState } from "./route_state.ts";

type PoolOf = (endpoint: TableEndpoint) => EndpointPool | null;

export class Bindings {
  readonly #listener: string;
  readonly #timers: Timers;
  readonly #seed: number | null;
  readonly #store: StateStore;
  readonly #poolOf: PoolOf;
  /** Those that were asked for and are still in the plan, by what they are about. */
  #backends = new Map<string, BackendState>();
  #memories = new Map<string, RouteMemory>();
  /** By backend index and by route index; undefined: not asked for since the plan came. */
  #stateOf: (BackendState | undefined)[] = [];
  #routeOf: (RouteState | undefined)[] = [];

  /** @param store for what event loops share of the listener's policies */
  constructor(
    listener: number,
    timers: Timers,
    seed: number | null,
    store: StateStore,
    poolOf: PoolOf,
  ) {
    this.#listener = String(listener);
    this.#timers = timers;
    this.#seed = seed;
    this.#store = store;
    this.#poolOf = poolOf;
  }

  backend(backend: TableBackend, route: TableRoute, nowMs: number): BackendState {
    const known = this.#stateOf[backend.index];
    if (known !== undefined) return known;
    const { endpointSet, policy } = backend;
    const state = this.#backendState(backendKey(backend, route), endpointSet, policy, nowMs);
    this.#stateOf[backend.index] = state;
    return state;
  }

  /** Null where no policy says anything. */
  route(route: TableRoute, nowMs: number): RouteState | null {
    const { policy, index } = route;
    return policy === null ? null : this.#routeOf[index] ??= this.#routeState(route, policy, nowMs);
  }

  /** What policies did so far. */
  *samples(): Iterable<MetricSample> {
    for (const state of this.#backends.values()) yield* state.samples();
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
    const rebind = (key: string, set: EndpointSet, policy: PlanEndpointPolicy | null) => {
      const state = before.get(key);
      if (state === undefined) return;
      before.delete(key);
      state.bind(set, policy, this.#poolOf, nowMs);
      this.#backends.set(key, state);
    };
    for (const route of before.size === 0 ? [] : table.routes) {
      for (const backend of route.backends) {
        rebind(backendKey(backend, route), backend.endpointSet, backend.policy);
      }
      if (route.mirror !== null) rebind(mirrorKey(route.mirror), route.mirror.endpointSet, null);
    }
    for (const state of before.values()) state.release();
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

  #backendState(
    key: string,
    set: EndpointSet,
    policy: PlanEndpointPolicy | null,
    nowMs: number,
  ): BackendState {
    let state = this.#backends.get(key);
    if (state === undefined) {
      const labels = { listener: this.#listener, backend: key };
      const store = prefixed(this.#store, `backend ${key}`);
      state = new BackendState(this.#timers, labels, this.#seed, store);
      state.bind(set, policy, this.#poolOf, nowMs);
      this.#backends.set(key, state);
    }
    return state;
  }

  #routeState(route: TableRoute, policy: PlanRoutePolicy, nowMs: number): RouteState {
    const { mirror } = route;
    const bound = mirror === null ? null : {
      table: mirror,
      set: mirror.endpointSet,
      backend: this.#backendState(mirrorKey(mirror), mirror.endpointSet, null, nowMs),
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

/** The same for all routes that treat the endpoints alike: one whose root has a say treats them in its own way. */
function backendKey({ endpointSet, policy, key }: TableBackend, route: TableRoute): string {
  if (policy === null) return endpointSet.key;
  const own = `Service ${key}`;
  const isOwn = Object.values(policy.sources).every(({ target }) => target === own);
  return isOwn ? endpointSet.key : `${endpointSet.key} of ${route.service.key}`;
}

function mirrorKey({ endpointSet }: { readonly endpointSet: EndpointSet }): string {
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
