/**
 * InboundAccess: whether the application beside this sidecar takes what a caller sends, by the traffic targets of the plan in
 * force. It decides by verified identity alone.
 */
import { type Refusal, REFUSALS } from "../../base/refusals.ts";
import type { Plan } from "../../routing/plan.ts";
import type { RequestHead } from "../../routing/request.ts";
import { CallerAccess } from "../../routing/table/caller_access.ts";
import { explainCall } from "../../routing/table/explain_call.ts";
import type { CallExplanation } from "../../routing/table/explanation.ts";
import { ACCESS_PORTS_MAX } from "../limits.ts";
import type { Caller } from "../tls/caller.ts";

export class InboundAccess {
  /** `namespace/serviceaccount` of the application; empty: nothing is enforced, because callers are not asked who they are. */
  readonly #destination: string;
  #plan: Plan;
  /** By the application's port, of the plan in force. */
  readonly #byPort = new Map<number, CallerAccess>();

  constructor(destination: string, plan: Plan) {
    this.#destination = destination;
    this.#plan = plan;
  }

  rebind(plan: Plan): void {
    this.#plan = plan;
    this.#byPort.clear();
  }

  /** Of the plan that decides; empty where none does. */
  get planHash(): string {
    return this.#isEnforced ? this.#plan.hash : "";
  }

  /**
   * Why a request does not get through to the application's `port`; null where it does. `head` is null for a connection
   * that is relayed whole, which only TCP rules allow.
   */
  refusalOf({ problem, identity }: Caller, port: number, head: RequestHead | null): Refusal | null {
    if (!this.#isEnforced) return null;
    if (problem !== null) return REFUSALS[problem];
    const reason = this.#at(port).refusalOf(identity, head);
    return reason === null ? null : REFUSALS[reason];
  }

  /** What would become of a request of `caller` (`namespace/serviceaccount`), and why. */
  explain(caller: string, port: number, head: RequestHead): CallExplanation {
    const plan = this.#isEnforced ? this.#plan : { ...this.#plan, permissive: true, targets: [] };
    return explainCall(plan, { caller, destination: this.#destination, port }, head);
  }

  get #isEnforced(): boolean {
    return this.#destination !== "" && !this.#plan.permissive;
  }

  #at(port: number): CallerAccess {
    let access = this.#byPort.get(port);
    if (access === undefined) {
      if (this.#byPort.size >= ACCESS_PORTS_MAX) this.#byPort.clear();
      access = new CallerAccess(this.#plan, this.#destination, port);
      this.#byPort.set(port, access);
    }
    return access;
  }
}
