/**
 * EndpointGroups: the endpoint groups of a plan as one client sees them: without what the client cannot reach. A group that is the
 * same object in the next plan, and is guarded by the same targets, is seen as it was, with the same endpoint set.
 */
import type { PlanEndpoint } from "../plan.ts";
import { groupOf, hasGroup, type PlanView } from "../plan_view.ts";
import { AccessProfiles, GuardedEndpoints, targetPortOf } from "./access.ts";
import type { AccessProfile, CallTargets } from "./access.ts";
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

/** The endpoints of one pod of a group. */
interface Pod {
  readonly plans: readonly PlanEndpoint[];
  /** Null: not asked for yet. */
  reached: ReachableEndpoints | null;
}

/** One group as the client sees it. */
export class ReachableGroup {
  readonly id: string;
  readonly whole: ReachableEndpoints;
  readonly #plans: readonly PlanEndpoint[];
  /** Null in permissive mode. */
  readonly #guards: Guards | null;
  /** By `PlanEndpoint.hostname`; made when the first is asked for. */
  #pods: ReadonlyMap<string, Pod> | null = null;

  /** @param profiles null in permissive mode */
  constructor(id: string, plans: readonly PlanEndpoint[], profiles: AccessProfiles | null) {
    this.id = id;
    this.#plans = plans;
    this.#guards = profiles === null ? null : new Guards(plans, profiles);
    this.whole = this.#reach(id, plans);
  }

  get endpoints(): readonly TableEndpoint[] {
    return this.whole.refusal === null ? this.whole.endpointSet.endpoints : [];
  }

  /** Whether the plan's group of this name is the same list. */
  isOf(plan: PlanView): boolean {
    return groupOf(plan, this.id) === this.#plans;
  }

  /** Whether these profiles let the client do the same. */
  isGuardedBy(profiles: AccessProfiles | null): boolean {
    return this.#guards === null || profiles === null
      ? this.#guards === profiles
      : this.#guards.isOf(profiles);
  }

  hasPod(hostname: string): boolean {
    return this.#podsByName().has(hostname);
  }

  /** What is left of one pod. */
  pod(hostname: string): ReachableEndpoints {
    const pod = this.#podsByName().get(hostname);
    if (pod === undefined) return { refusal: "no-endpoints" };
    return pod.reached ??= this.#reach(`${this.id} ${hostname}`, pod.plans);
  }

  #podsByName(): ReadonlyMap<string, Pod> {
    if (this.#pods === null) {
      const groups = Map.groupBy(this.#plans, ({ hostname }) => hostname);
      this.#pods = new Map(Array.from(groups, ([name, plans]) => [name, { plans, reached: null }]));
    }
    return this.#pods;
  }

  #reach(key: string, plans: readonly PlanEndpoint[]): ReachableEndpoints {
    const profileOf = new Map<TableEndpoint, AccessProfile>();
    const endpoints: TableEndpoint[] = [];
    const keys = new Set<string>();
    let isListed = false;
    for (const plan of plans) {
      if (plan.port === 0) continue;
      isListed = true;
      const profile = this.#guards?.profileOf(plan) ?? null;
      if (this.#guards !== null && profile === null) continue;
      const endpoint = { plan, key: endpointKey(plan) };
      if (keys.has(endpoint.key)) continue;
      keys.add(endpoint.key);
      endpoints.push(endpoint);
      if (profile !== null) profileOf.set(endpoint, profile);
    }
    if (endpoints.length === 0) return { refusal: isListed ? "access-denied" : "no-endpoints" };
    // A copy has no room to grow, and there are many.
    const endpointSet = { key, whole: null, endpoints: endpoints.slice() };
    const guarded = this.#guards === null ? null : new GuardedEndpoints(endpointSet, profileOf);
    return { refusal: null, endpointSet, guarded };
  }
}

/** What the targets let the client send to the endpoints of one group, whose identities are few. */
class Guards {
  readonly #identities: readonly string[];
  readonly #targets: readonly (CallTargets | null)[];

  constructor(plans: readonly PlanEndpoint[], profiles: AccessProfiles) {
    this.#identities = [...new Set(plans.map(({ identity }) => identity))];
    this.#targets = this.#identities.map((identity) => profiles.targetsOf(identity));
  }

  isOf(profiles: AccessProfiles): boolean {
    return this.#identities.every((identity, i) =>
      profiles.targetsOf(identity) === this.#targets[i]
    );
  }

  profileOf(endpoint: PlanEndpoint): AccessProfile | null {
    const targets = this.#targets[this.#identities.indexOf(endpoint.identity)];
    return targets?.profileOf(targetPortOf(endpoint)) ?? null;
  }
}

export class EndpointGroups {
  /** Null in permissive mode. */
  readonly profiles: AccessProfiles | null;
  /** All groups are guarded as in the plan before. */
  readonly #isGuardedAsBefore: boolean;
  readonly #plan: PlanView;
  /** By the plan's list of endpoints, which may be the group of several names. */
  readonly #groups: WeakMap<readonly PlanEndpoint[], ReachableGroup[]>;

  /** @param before of an earlier plan, for the same client */
  constructor(plan: PlanView, client: TableClient, before: EndpointGroups | null) {
    this.#plan = plan;
    this.#groups = before === null ? new WeakMap() : before.#groups;
    const profiles = before === null ? null : before.profiles;
    if (plan.permissive) this.profiles = null;
    else if (profiles?.isOf(plan)) this.profiles = profiles;
    else this.profiles = new AccessProfiles(plan, client, profiles);
    this.#isGuardedAsBefore = before !== null && this.profiles === profiles;
  }

  /** Whether a group of the table before is seen as it was. */
  isSame(group: ReachableGroup): boolean {
    return group.isOf(this.#plan) &&
      (this.#isGuardedAsBefore || group.isGuardedBy(this.profiles));
  }

  /** @throws {Error} the plan has no such group */
  of(id: string): ReachableGroup {
    if (!hasGroup(this.#plan, id)) throw new Error(`The plan has no group "${id}"`);
    return this.find(id);
  }

  /** A group that has no endpoints if it is not in the plan. */
  find(id: string): ReachableGroup {
    const plans = groupOf(this.#plan, id);
    if (plans.length === 0) return new ReachableGroup(id, plans, this.profiles);
    let known = this.#groups.get(plans);
    if (known === undefined) {
      known = [];
      this.#groups.set(plans, known);
    }
    const at = known.findIndex((group) => group.id === id);
    // It may be of a plan long before.
    if (at >= 0 && known[at].isGuardedBy(this.profiles)) return known[at];
    const group = new ReachableGroup(id, plans, this.profiles);
    known[at >= 0 ? at : known.length] = group;
    return group;
  }
}

/** Where the input gives no address (manifests alone), the pod's name keeps endpoints apart. */
function endpointKey(endpoint: PlanEndpoint): string {
  const host = endpoint.address === "" ? endpoint.pod : endpoint.address;
  return host.includes(":") ? `[${host}]:${endpoint.port}` : `${host}:${endpoint.port}`;
}
