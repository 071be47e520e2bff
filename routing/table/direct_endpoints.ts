/**
 * DirectEndpoints: whether a client may call one pod by the pod's own address. Rules and splits are a Service's and do not
 * apply; traffic targets are the pod's and do (smi-facts 3.11).
 */
import { formatAuthority } from "../../base/ip.ts";
import type { PlanEndpoint } from "../plan.ts";
import type { RequestHead } from "../request.ts";
import type { AccessProfiles } from "./access.ts";
import type { Table } from "./table.ts";
import type { TableEndpoint } from "./endpoint_set.ts";

interface DirectDecision {
  readonly reason: "access-denied" | null;
  /** The pod's; the same object as long as plans have the same one. */
  readonly endpoint: TableEndpoint;
}

export class DirectEndpoints {
  /** Null in permissive mode. */
  #profiles: AccessProfiles | null;
  readonly #endpoints = new WeakMap<PlanEndpoint, TableEndpoint>();

  constructor({ groups }: Pick<Table, "groups">) {
    this.#profiles = groups.profiles;
  }

  /** Takes the targets of a new table for the same client. */
  rebind({ groups }: Pick<Table, "groups">): void {
    this.#profiles = groups.profiles;
  }

  /**
   * @param plan the pod, one of the plan's endpoints
   * @param head the request; null for a connection that carries none
   */
  decide(plan: PlanEndpoint, head: RequestHead | null): DirectDecision {
    let endpoint = this.#endpoints.get(plan);
    if (endpoint === undefined) {
      endpoint = { plan, key: formatAuthority(plan.address, plan.port) };
      this.#endpoints.set(plan, endpoint);
    }
    return { reason: this.#allows(plan, head) ? null : "access-denied", endpoint };
  }

  #allows(plan: PlanEndpoint, head: RequestHead | null): boolean {
    if (this.#profiles === null) return true;
    const profile = this.#profiles.profileOf(plan);
    if (profile === null) return false;
    return head === null ? profile.tcpTarget !== null : profile.allowsHttp(head);
  }
}
