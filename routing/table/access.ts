/**
 * Which endpoints one client may reach, by traffic targets (smi-facts 3.11). Knows nothing of hosts
 * or splits. Endpoints that the same targets guard, on the same terms, share one `AccessProfile`.
 */
import { type MatchIndex, matchIndexOf } from "../match/match_index.ts";
import type { Plan, PlanEndpoint, PlanTarget } from "../plan.ts";
import type { RequestHead } from "../request.ts";
import type { EndpointSet, TableClient, TableEndpoint } from "./endpoint_set.ts";

/** What the targets that guard an endpoint allow one client to send to it. */
export class AccessProfile {
  /** Tells it from others, in this plan and in the next. */
  readonly name: string;
  /** The targets that name this client and this endpoint's identity and port; never empty. */
  readonly targets: readonly PlanTarget[];
  /**
   * The target whose TCP rule allows any connection to the endpoint's port, and so any request; or
   * null.
   */
  readonly tcpTarget: PlanTarget | null;
  /** The HTTP rules of all targets in one list, and for each the target it came from. */
  readonly matches: MatchIndex;
  readonly matchTargets: readonly PlanTarget[];

  constructor(name: string, targets: readonly PlanTarget[], port: number) {
    this.name = name;
    this.targets = targets;
    this.tcpTarget = targets.find((target) => allowsTcp(target, port)) ?? null;
    this.matches = matchIndexOf(targets.flatMap((target) => target.http));
    this.matchTargets = targets.flatMap((target) => target.http.map(() => target));
  }

  allowsHttp(head: RequestHead): boolean {
    return this.tcpTarget !== null || this.matches.find(head) !== -1;
  }
}

/** The targets that let one client call one destination; the same object as long as they are the same. */
export class CallTargets {
  readonly targets: readonly PlanTarget[];
  readonly #names: readonly string[];
  readonly #profiles = new Map<string, AccessProfile>();
  readonly #byPort = new Map<number, AccessProfile | null>();

  constructor(targets: readonly PlanTarget[]) {
    this.targets = targets;
    const known = new Map<string, number>();
    this.#names = targets.map(({ ref, destination }) => {
      const name = `${destination} ${ref.namespace}/${ref.name}`;
      const count = known.get(name) ?? 0;
      known.set(name, count + 1);
      return count === 0 ? name : `${name} ${count}`;
    });
  }

  /** Null if none of them is about the port, as targets know it. */
  profileOf(port: number): AccessProfile | null {
    let profile = this.#byPort.get(port);
    if (profile === undefined) {
      profile = this.#newProfile(port);
      this.#byPort.set(port, profile);
    }
    return profile;
  }

  #newProfile(port: number): AccessProfile | null {
    const places = [...this.targets.keys()]
      .filter((place) => (this.targets[place].port ?? port) === port);
    if (places.length === 0) return null;
    const name = places
      .map((place) => `${this.#names[place]}${allowsTcp(this.targets[place], port) ? " tcp" : ""}`)
      .join();
    let profile = this.#profiles.get(name);
    if (profile === undefined) {
      profile = new AccessProfile(name, places.map((place) => this.targets[place]), port);
      this.#profiles.set(name, profile);
    }
    return profile;
  }
}

/** Makes the profiles of one client, each once. */
export class AccessProfiles {
  readonly #identity: string;
  readonly #targets: readonly PlanTarget[];
  /** By destination: of those that the client may call at all. */
  readonly #byDestination: ReadonlyMap<string, CallTargets>;

  /** @param before of an earlier plan, for the same client: where targets are the same objects, so is what was made of them */
  constructor(
    { targets }: Pick<Plan, "targets">,
    { identity }: Pick<TableClient, "identity">,
    before: AccessProfiles | null = null,
  ) {
    this.#identity = identity;
    this.#targets = targets;
    this.#byDestination = before === null
      ? this.#grouped(targets, new Map())
      : this.#changed(before.#targets, before.#byDestination);
  }

  /** Whether the targets are the same ones. */
  isOf({ targets }: Pick<Plan, "targets">): boolean {
    if (targets === this.#targets) return true;
    return targets.length === this.#targets.length &&
      targets.every((target, i) => target === this.#targets[i]);
  }

  /** What lets the client call a destination (`namespace/serviceaccount`); null: nothing does. */
  targetsOf(destination: string): CallTargets | null {
    if (this.#identity === "" || destination === "") return null;
    return this.#byDestination.get(destination) ?? null;
  }

  /** Null if no target lets the client reach the endpoint at all. */
  profileOf(
    endpoint: Pick<PlanEndpoint, "identity" | "port" | "targetPort">,
  ): AccessProfile | null {
    return this.targetsOf(endpoint.identity)?.profileOf(targetPortOf(endpoint)) ?? null;
  }

  #changed(
    before: readonly PlanTarget[],
    known: ReadonlyMap<string, CallTargets>,
  ): ReadonlyMap<string, CallTargets> {
    const after = this.#targets;
    const shorter = Math.min(before.length, after.length);
    let start = 0;
    while (start < shorter && before[start] === after[start]) start++;
    let rest = 0;
    while (rest < shorter - start && before.at(-1 - rest) === after.at(-1 - rest)) rest++;
    const different = [
      ...before.slice(start, before.length - rest),
      ...after.slice(start, after.length - rest),
    ];
    const touched = new Set(
      different.filter(({ sources }) => sources.includes(this.#identity))
        .map(({ destination }) => destination),
    );
    if (touched.size === 0) return known;
    const kept = new Map(known);
    for (const destination of touched) kept.delete(destination);
    const regrouped = this.#grouped(
      after.filter(({ destination }) => touched.has(destination)),
      known,
    );
    for (const [destination, targets] of regrouped) kept.set(destination, targets);
    return kept;
  }

  #grouped(
    targets: readonly PlanTarget[],
    known: ReadonlyMap<string, CallTargets>,
  ): Map<string, CallTargets> {
    const own = targets.filter(({ sources }) => sources.includes(this.#identity));
    const grouped = new Map<string, CallTargets>();
    for (const [destination, some] of Map.groupBy(own, (target) => target.destination)) {
      const before = known.get(destination);
      const isSame = before?.targets.length === some.length &&
        before.targets.every((target, i) => target === some[i]);
      grouped.set(destination, before !== undefined && isSame ? before : new CallTargets(some));
    }
    return grouped;
  }
}

/** One backend's endpoints together with what guards them. */
export class GuardedEndpoints {
  readonly all: EndpointSet;
  /** The profiles of the endpoints, each once. */
  readonly profiles: readonly AccessProfile[];
  /** What any connection may go to; null for none. */
  readonly tcp: EndpointSet | null;
  readonly #profileOf: ReadonlyMap<TableEndpoint, AccessProfile>;
  /** Proper subsets of `all`, by the places of the profiles that are allowed; made when first needed. */
  readonly #subsets = new Map<string, EndpointSet>();

  constructor(all: EndpointSet, profileOf: ReadonlyMap<TableEndpoint, AccessProfile>) {
    this.all = all;
    this.profiles = [...new Set(profileOf.values())];
    this.#profileOf = profileOf;
    this.tcp = this.#behind(this.profiles.filter((profile) => profile.tcpTarget !== null));
  }

  /** The endpoints that this request may go to; null for none. */
  http(head: RequestHead): EndpointSet | null {
    // Nearly always one identity stands behind a backend, and then nothing is allocated.
    if (this.profiles.length === 1) return this.profiles[0].allowsHttp(head) ? this.all : null;
    return this.#behind(this.profiles.filter((profile) => profile.allowsHttp(head)));
  }

  #behind(allowed: readonly AccessProfile[]): EndpointSet | null {
    if (allowed.length === 0) return null;
    if (allowed.length === this.profiles.length) return this.all;
    const places = allowed.map((profile) => this.profiles.indexOf(profile)).join();
    let subset = this.#subsets.get(places);
    if (subset === undefined) {
      const endpoints = allowed.flatMap((profile) => this.endpointsOf(profile));
      const key = `${this.all.key} ${allowed.map(({ name }) => name).join()}`;
      subset = { key, whole: this.all, endpoints };
      this.#subsets.set(places, subset);
    }
    return subset;
  }

  endpointsOf(profile: AccessProfile): TableEndpoint[] {
    return this.all.endpoints.filter((endpoint) => this.#profileOf.get(endpoint) === profile);
  }
}

/** The port that traffic targets mean. */
export function targetPortOf(
  { port, targetPort = port }: Pick<PlanEndpoint, "port" | "targetPort">,
): number {
  return targetPort;
}

function allowsTcp(target: PlanTarget, port: number): boolean {
  if (target.tcpPorts === null) return false;
  return target.tcpPorts.length === 0 || target.tcpPorts.includes(port);
}
