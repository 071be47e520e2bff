/**
 * Bindings: the policies of the plan in force, ready for requests, for one listener's clients. What has to be remembered is
 * carried from plan to plan by what it is about, never by its place in a plan.
 */
import { prefixed } from "../../base/state_store.ts";
import type { StateStore } from "../../base/state_store.ts";
import type { Table, TableBackend, TableEndpoint, TableRoute } from "../../routing/table/table.ts";
import type { EndpointSet } from "../../routing/table/table.ts";
import type { PlanEndpointPolicy } from "../../routing/plan.ts";
import type { EndpointPool } from "../pool/pool.ts";
import { BackendState } from "./backend_state.ts";
import type { CountedSection, PolicyCounts } from "./policy_counts.ts";
import { RouteMemory } from "./route_memory.ts";
import { type BoundMirror, RouteState } from "./route_state.ts";
import type { Timers } from "../loop/timers.ts";

type PoolOf = (endpoint: TableEndpoint) => EndpointPool | null;

export class Bindings {
  readonly #timers: Timers;
  readonly #seed: number | null;
  readonly #store: StateStore;
  #backends = new Map<string, BackendState>();
  #memories = new Map<string, RouteMemory>();
  /** By backend index. */
  #stateOf: readonly BackendState[] = [];
  /** By route index; empty where no route has a policy. */
  #routeOf: readonly (RouteState | null)[] = [];

  /** @param store for what event loops share of the listener's policies */
  constructor(timers: Timers, seed: number | null, store: StateStore) {
    this.#timers = timers;
    this.#seed = seed;
    this.#store = store;
  }

  backend({ index }: TableBackend): BackendState {
    return this.#stateOf[index];
  }

  /** Null where no policy says anything. */
  route({ index }: TableRoute): RouteState | null {
    return this.#routeOf.length === 0 ? null : this.#routeOf[index];
  }

  /** What the policies of the plan in force did so far. */
  counts(listener: number): PolicyCounts {
    return {
      backends: Array.from(this.#backends, ([key, state]) => state.counts(listener, key))
        .filter(({ ejections, limits }) => ejections !== null || limits !== null),
      routes: Array.from(this.#memories.values(), (memory) => memory.counts(listener))
        // A section that no policy has.
        .filter(({ target }) => target !== ""),
    };
  }

  /** Takes a new plan into force. States are changed in place, for exchanges under way. */
  bind(table: Table, poolOf: PoolOf, nowMs: number): void {
    const backends = new Map<string, BackendState>();
    const bindBackend = (key: string, set: EndpointSet, policy: PlanEndpointPolicy | null) => {
      let state = backends.get(key);
      if (state !== undefined) return state;
      state = this.#backends.get(key) ??
        new BackendState(this.#timers, key, this.#seed, prefixed(this.#store, `backend ${key}`));
      state.bind(set, policy, poolOf, nowMs);
      backends.set(key, state);
      return state;
    };
    const stateOf: BackendState[] = [];
    for (const route of table.routes) {
      for (const backend of route.backends) {
        const key = backendKey(backend, route);
        stateOf[backend.index] = bindBackend(key, backend.endpointSet, backend.policy);
      }
    }
    const memories = new Map<string, RouteMemory>();
    const hasPolicies = table.routes.some(({ policy }) => policy !== null);
    this.#routeOf = !hasPolicies ? [] : table.routes.map((route) => {
      const mirror = route.mirror === null ? null : {
        table: route.mirror,
        set: route.mirror.endpointSet,
        backend: bindBackend(
          `mirror ${route.mirror.endpointSet.key}`,
          route.mirror.endpointSet,
          null,
        ),
      };
      return this.#bindRoute(route, memories, mirror, nowMs);
    });
    for (const [key, state] of this.#backends) if (!backends.has(key)) state.release();
    for (const [key, memory] of this.#memories) if (!memories.has(key)) memory.release();
    this.#stateOf = stateOf;
    this.#backends = backends;
    this.#memories = memories;
  }

  #bindRoute(
    route: TableRoute,
    memories: Map<string, RouteMemory>,
    mirror: BoundMirror | null,
    nowMs: number,
  ): RouteState | null {
    const { policy } = route;
    if (policy === null) return null;
    const { service, port } = route;
    const memoryOf = (section: CountedSection) => {
      const target = policy.sources[section]?.target ?? "";
      const key = `${service.key}:${port.port} ${section} ${target}`;
      let memory = memories.get(key);
      if (memory === undefined) {
        const store = prefixed(this.#store, `policy ${key}`);
        memory = this.#memories.get(key) ??
          new RouteMemory(section, service.key, port.port, target, store);
        memory.bind(policy, nowMs);
        memories.set(key, memory);
      }
      return memory;
    };
    return new RouteState(policy, memoryOf, mirror);
  }
}

/** The same for all routes that treat the endpoints alike: one whose root has a say treats them in its own way. */
function backendKey({ endpointSet, policy, key }: TableBackend, route: TableRoute): string {
  const own = `Service ${key}`;
  const isOwn = policy === null ||
    Object.values(policy.sources).every(({ target }) => target === own);
  return isOwn ? endpointSet.key : `${endpointSet.key} of ${route.service.key}`;
}
