/**
 * DirectEndpoints: whether a client may call one pod by the pod's own address. Rules and splits are a Service's and do not
 * apply; traffic targets are the pod's and do (smi-facts 3.11).
 */
import { formatAuthority } from "../../base/ip.ts";
import type { PlanEndpoint } from "../plan.ts";
import type { RequestHead } from "../request.ts";
import type { Table, TableBackend, TableEndpoint } from "./table.ts";

interface DirectDecision {
  readonly reason: "access-denied" | null;
  /** A backend that the pod is an endpoint of; null where none of the table's can take anything. */
  readonly backend: TableBackend | null;
  /** The pod's; the same object every time. */
  readonly endpoint: TableEndpoint;
}

export class DirectEndpoints {
  readonly #isPermissive: boolean;
  readonly #places = new Map<string, { backend: TableBackend | null; endpoint: TableEndpoint }>();

  constructor(table: Table) {
    this.#isPermissive = table.plan.permissive;
    for (const backend of table.backends) {
      for (const endpoint of backend.endpointSet.endpoints) {
        if (!this.#places.has(endpoint.key)) this.#places.set(endpoint.key, { backend, endpoint });
      }
    }
  }

  /**
   * @param plan the pod, one of the plan's endpoints
   * @param head the request; null for a connection that carries none
   */
  decide(plan: PlanEndpoint, head: RequestHead | null): DirectDecision {
    const { backend, endpoint } = this.#placeOf(plan);
    // A table holds what its client can reach; without targets, what it does not hold only takes no traffic of splits.
    if (backend === null) {
      return { reason: this.#isPermissive ? null : "access-denied", backend, endpoint };
    }
    if (backend.guarded === null) return { reason: null, backend, endpoint };
    const allowed = head === null ? backend.guarded.tcp : backend.guarded.http(head);
    const isAllowed = allowed !== null && allowed.endpoints.includes(endpoint);
    return { reason: isAllowed ? null : "access-denied", backend, endpoint };
  }

  #placeOf(plan: PlanEndpoint) {
    const key = formatAuthority(plan.address, plan.port);
    let place = this.#places.get(key);
    if (place === undefined) {
      place = { backend: null, endpoint: { index: -1, plan, key } };
      this.#places.set(key, place);
    }
    return place;
  }
}
