/**
 * EndpointGroups: the endpoint groups of a plan as one client sees them. Owns the numbering of
 * endpoints and endpoint sets, and drops what the client cannot reach. Used while a table is built.
 */
import type { Plan, PlanEndpoint } from "../plan.ts";
import { AccessProfiles, GuardedEndpoints } from "./access.ts";
import type { AccessProfile } from "./access.ts";
import type { EndpointSet, TableClient, TableEndpoint } from "./endpoint_set.ts";

/** What is left of a group. */
export type ReachableEndpoints =
  | {
    readonly refusal: null;
    readonly endpointSet: EndpointSet;
    /** Null in permissive mode. */
    readonly guarded: GuardedEndpoints | null;
  }
  | {
    /**
     * `access-denied`: there are endpoints, and traffic targets keep the client from all of them.
     */
    readonly refusal: "no-endpoints" | "access-denied";
  };

export class EndpointGroups {
  readonly #plan: Plan;
  /** Null in permissive mode. */
  readonly #profiles: AccessProfiles | null;
  readonly #endpoints = new Map<string, TableEndpoint>();
  readonly #reachable = new Map<string, ReachableEndpoints>();
  #setCount = 0;

  constructor(plan: Plan, client: TableClient) {
    this.#plan = plan;
    this.#profiles = plan.permissive ? null : new AccessProfiles(plan, client);
  }

  /** Every endpoint seen so far, by index. */
  get endpoints(): TableEndpoint[] {
    return [...this.#endpoints.values()];
  }

  /** Names of single pods are those of `PlanEndpoint.hostname`; null: the whole group. */
  reach(group: string, pod: string | null): ReachableEndpoints {
    const key = pod === null ? group : `${group} ${pod}`;
    let reachable = this.#reachable.get(key);
    if (reachable === undefined) {
      const endpoints = this.#plan.groups[group]
        .filter((endpoint) => endpoint.port !== 0 && (pod === null || endpoint.hostname === pod));
      reachable = this.#reachableOf(key, endpoints);
      this.#reachable.set(key, reachable);
    }
    return reachable;
  }

  #reachableOf(key: string, plans: readonly PlanEndpoint[]): ReachableEndpoints {
    const profileOf = new Map<TableEndpoint, AccessProfile>();
    const endpoints = new Set<TableEndpoint>();
    for (const plan of plans) {
      const profile = this.#profiles?.profileOf(plan) ?? null;
      if (this.#profiles !== null && profile === null) continue;
      const endpoint = this.#endpoint(plan);
      endpoints.add(endpoint);
      if (profile !== null) profileOf.set(endpoint, profile);
    }
    if (endpoints.size === 0) {
      return { refusal: plans.length === 0 ? "no-endpoints" : "access-denied" };
    }
    const endpointSet = this.#newSet(key, [...endpoints]);
    const guarded = this.#profiles === null
      ? null
      : new GuardedEndpoints(endpointSet, profileOf, (k, some) => this.#newSet(k, some));
    return { refusal: null, endpointSet, guarded };
  }

  #newSet(key: string, endpoints: readonly TableEndpoint[]): EndpointSet {
    return { index: this.#setCount++, key, endpoints };
  }

  #endpoint(plan: PlanEndpoint): TableEndpoint {
    const key = endpointKey(plan);
    let endpoint = this.#endpoints.get(key);
    if (endpoint === undefined) {
      endpoint = { index: this.#endpoints.size, plan, key };
      this.#endpoints.set(key, endpoint);
    }
    return endpoint;
  }
}

/** Where the input gives no address (manifests alone), the pod's name keeps endpoints apart. */
function endpointKey(endpoint: PlanEndpoint): string {
  const host = endpoint.address === "" ? endpoint.pod : endpoint.address;
  return host.includes(":") ? `[${host}]:${endpoint.port}` : `${host}:${endpoint.port}`;
}
