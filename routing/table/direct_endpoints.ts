/**
 * DirectEndpoints: whether a client may call one pod by the pod's own address. Rules and splits are a Service's and do not
 * apply; traffic targets are the pod's and do (smi-facts 3.11).
 */
import { formatAuthority } from "../../base/ip.ts";
import type { PlanEndpoint } from "../plan.ts";
import type { RequestHead } from "../request.ts";
import { AccessProfiles } from "./access.ts";
import type { Table, TableBackend } from "./table.ts";
import type { TableEndpoint } from "./endpoint_set.ts";

interface DirectDecision {
  readonly reason: "access-denied" | null;
  /** A backend that the pod is an endpoint of; null if none of the table's can take anything. */
  readonly backend: TableBackend | null;
  /** The pod's; the same object every time. */
  readonly endpoint: TableEndpoint;
}

export class DirectEndpoints {
  /** Null in permissive mode. */
  readonly #profiles: AccessProfiles | null;
  readonly #places = new Map<string, { backend: TableBackend | null; endpoint: TableEndpoint }>();

  constructor(table: Table) {
    this.#profiles = table.plan.permissive ? null : new AccessProfiles(table.plan, table.client);
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
    return { reason: this.#allows(plan, head) ? null : "access-denied", ...this.#placeOf(plan) };
  }

  #allows(plan: PlanEndpoint, head: RequestHead | null): boolean {
    if (this.#profiles === null) return true;
    const profile = this.#profiles.profileOf(plan);
    if (profile === null) return false;
    return head === null ? profile.tcpTarget !== null : profile.allowsHttp(head);
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
