/**
 * CallerAccess: what the traffic targets of one workload allow each of those who call it, at one of its ports: the server's
 * side of smi-facts 3.11. Who a caller is has been verified before; a plan in permissive mode is not asked.
 */
import type { Plan, PlanTarget } from "../plan.ts";
import { type AccessProfile, AccessProfiles } from "./access.ts";

export class CallerAccess {
  readonly #port: number;
  /** `namespace/serviceaccount` of the workload. */
  readonly #destination: string;
  readonly #targets: readonly PlanTarget[];
  /** By caller; made at a caller's first request. No larger than the targets' sources. */
  readonly #profiles = new Map<string, AccessProfile | null>();

  /** @param port where the application listens, as targets name it */
  constructor({ targets }: Pick<Plan, "targets">, destination: string, port: number) {
    this.#destination = destination;
    this.#port = port;
    this.#targets = targets.filter((target) => target.destination === destination);
    for (const source of this.#targets.flatMap(({ sources }) => sources)) {
      this.#profiles.set(source, null);
    }
  }

  /** Null: no target lets the caller (`namespace/serviceaccount`) reach the workload at all. */
  profileOf(caller: string): AccessProfile | null {
    const known = this.#profiles.get(caller);
    // Undefined: no target names it, and there may be any number of such callers.
    if (known !== null) return known ?? null;
    const profiles = new AccessProfiles({ targets: this.#targets }, { identity: caller });
    const profile = profiles.profileOf({ identity: this.#destination, port: this.#port });
    if (profile !== null) this.#profiles.set(caller, profile);
    return profile;
  }
}
