/**
 * CallerAccess: what the traffic targets of one workload allow each of those who call it, at one of its ports: the server's
 * side of smi-facts 3.11. Who a caller is has been verified before; a plan in permissive mode is not asked.
 */
import type { RefusalReason } from "../../base/refusals.ts";
import { hasDotSegment, judgesPaths } from "../match/dot_segments.ts";
import type { Plan, PlanTarget } from "../plan.ts";
import type { RequestHead } from "../request.ts";
import { type AccessProfile, AccessProfiles } from "./access.ts";

/** No target allows it; or one does by its path, which the application may read as another one. */
type CallRefusal = Extract<RefusalReason, "access-denied" | "path-ambiguous">;

export class CallerAccess {
  readonly #port: number;
  /** `namespace/serviceaccount` of the workload. */
  readonly #destination: string;
  readonly #targets: readonly PlanTarget[];
  /** Some target allows some paths and not others. */
  readonly #judgesPaths: boolean;
  /** By caller; made at a caller's first request. No larger than the targets' sources. */
  readonly #profiles = new Map<string, AccessProfile | null>();

  /** @param port where the application listens, as targets name it */
  constructor({ targets }: Pick<Plan, "targets">, destination: string, port: number) {
    this.#destination = destination;
    this.#port = port;
    this.#targets = targets.filter((target) => target.destination === destination);
    this.#judgesPaths = this.#targets.some(({ http }) => judgesPaths(http));
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

  /**
   * Why the workload does not take a caller's request; null: it does. `head` is null for a connection that is relayed whole,
   * which only TCP rules allow.
   */
  refusalOf(caller: string, head: RequestHead | null): CallRefusal | null {
    const profile = this.profileOf(caller);
    if (profile === null) return "access-denied";
    if (profile.tcpTarget !== null) return null;
    if (head === null || !profile.allowsHttp(head)) return "access-denied";
    const isAmbiguous = this.#judgesPaths &&
      hasDotSegment(head.bytes, head.pathStart, head.pathEnd);
    return isAmbiguous ? "path-ambiguous" : null;
  }
}
