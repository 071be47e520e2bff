/**
 * Which endpoints one client may reach, by traffic targets (smi-facts 3.11). Knows nothing of hosts
 * or splits. Endpoints that the same targets guard, on the same terms, share one `AccessProfile`.
 */
import { MatchIndex } from "../match/match_index.ts";
import type { Plan, PlanEndpoint, PlanTarget } from "../plan.ts";
import type { RequestHead } from "../request.ts";
import type { EndpointSet, TableClient, TableEndpoint } from "./endpoint_set.ts";

/** What the targets that guard an endpoint allow one client to send to it. */
export class AccessProfile {
  readonly index: number;
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

  constructor(index: number, targets: readonly PlanTarget[], port: number) {
    this.index = index;
    this.targets = targets;
    this.tcpTarget = targets.find((target) => allowsTcp(target, port)) ?? null;
    this.matches = new MatchIndex(targets.flatMap((target) => target.http));
    this.matchTargets = targets.flatMap((target) => target.http.map(() => target));
  }

  allowsHttp(head: RequestHead): boolean {
    return this.tcpTarget !== null || this.matches.find(head) !== -1;
  }
}

/** Makes the profiles of one client, each once. */
export class AccessProfiles {
  readonly #identity: string;
  readonly #targetsByDestination = new Map<string, { index: number; target: PlanTarget }[]>();
  readonly #profiles = new Map<string, AccessProfile>();

  constructor({ targets }: Pick<Plan, "targets">, { identity }: Pick<TableClient, "identity">) {
    this.#identity = identity;
    targets.forEach((target, index) => {
      if (!target.sources.includes(identity)) return;
      const list = this.#targetsByDestination.get(target.destination) ?? [];
      list.push({ index, target });
      this.#targetsByDestination.set(target.destination, list);
    });
  }

  /** Null if no target lets the client reach the endpoint at all. */
  profileOf(
    endpoint: Pick<PlanEndpoint, "identity" | "port" | "targetPort">,
  ): AccessProfile | null {
    if (this.#identity === "" || endpoint.identity === "") return null;
    const port = targetPortOf(endpoint);
    const guarding = (this.#targetsByDestination.get(endpoint.identity) ?? [])
      .filter(({ target }) => target.port === null || target.port === port);
    if (guarding.length === 0) return null;
    const key = guarding
      .map(({ index, target }) => `${index}${allowsTcp(target, port) ? "t" : ""}`)
      .join(",");
    let profile = this.#profiles.get(key);
    if (profile === undefined) {
      const targets = guarding.map(({ target }) => target);
      profile = new AccessProfile(this.#profiles.size, targets, port);
      this.#profiles.set(key, profile);
    }
    return profile;
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
  readonly #newSet: (key: string, endpoints: readonly TableEndpoint[]) => EndpointSet;
  /** Proper subsets of `all`, by the profiles allowed; made when first needed. */
  readonly #subsets = new Map<string, EndpointSet>();

  constructor(
    all: EndpointSet,
    profileOf: ReadonlyMap<TableEndpoint, AccessProfile>,
    newSet: (key: string, endpoints: readonly TableEndpoint[]) => EndpointSet,
  ) {
    this.all = all;
    this.profiles = [...new Set(profileOf.values())];
    this.#profileOf = profileOf;
    this.#newSet = newSet;
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
    const name = allowed.map((profile) => profile.index).join(",");
    let subset = this.#subsets.get(name);
    if (subset === undefined) {
      const endpoints = allowed.flatMap((profile) => this.endpointsOf(profile));
      subset = this.#newSet(`${this.all.key} ${name}`, endpoints);
      this.#subsets.set(name, subset);
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
