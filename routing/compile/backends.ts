/**
 * A split's backends on one port of its root: which endpoints each stands for, and why it can take nothing where
 * it cannot. Findings about backends are in `check_backends.ts`.
 */
import type { BackendReadiness, PlanBackend, PlanRoute } from "../plan.ts";
import type { SplitBackend, TrafficSplit } from "../../schemas/resources.ts";
import { keyOf } from "./keys.ts";
import { groupId, type ResolvedPort, type ResolvedService } from "./endpoints.ts";
import { positionOf, refOf } from "./findings.ts";
import { parseServiceName } from "./names.ts";
import { greatestCommonDivisor } from "../../base/divisor.ts";
import { compareText } from "../../base/order.ts";
import { WEIGHT_TOTAL_MAX } from "../limits.ts";

/** A backend of a split, with its mentions added up. */
export interface BackendShare {
  /** The first mention. */
  readonly first: SplitBackend;
  /** The later ones, whose weights are in `weight` too. */
  readonly repeats: readonly SplitBackend[];
  readonly namespace: string;
  /** As written where it is not the name of a Service. */
  readonly name: string;
  readonly weight: number;
  readonly isForeign: boolean;
}

/** What is needed to know what stands behind a name. */
export interface ServiceLookup {
  readonly services: { get(key: string): ResolvedService | undefined };
  readonly clusterDomain: string;
}

/** In written order, by first mention. */
export function backendShares(split: TrafficSplit, clusterDomain: string): readonly BackendShare[] {
  const byName = new Map<string, BackendShare>();
  for (const backend of split.backends) {
    const parsed = parseServiceName(backend.service, clusterDomain);
    const namespace = parsed?.namespace ?? split.meta.namespace;
    const name = parsed?.name ?? backend.service;
    const key = keyOf(namespace, name);
    const known = byName.get(key);
    byName.set(
      key,
      known === undefined
        ? {
          first: backend,
          repeats: [],
          namespace,
          name,
          weight: wholeWeight(backend.weight),
          isForeign: namespace !== split.meta.namespace,
        }
        : {
          ...known,
          repeats: [...known.repeats, backend],
          weight: known.weight + wholeWeight(backend.weight),
        },
    );
  }
  return scaled([...byName.values()]);
}

/** Reading refuses the others with a Finding; here they count as nothing, so that arithmetic stays whole. */
function wholeWeight(weight: number): number {
  return Number.isFinite(weight) && weight > 0 ? Math.min(Math.trunc(weight), 2 ** 52) : 0;
}

/** Above the limit, which no one reaches by hand, keeps the ratios as far as whole numbers can; a weight above zero never becomes zero. */
function scaled(shares: readonly BackendShare[]): readonly BackendShare[] {
  const total = shares.reduce((sum, { weight }) => sum + weight, 0);
  if (total <= WEIGHT_TOTAL_MAX) return shares;
  const room = WEIGHT_TOTAL_MAX - shares.length;
  return shares.map((share) => ({
    ...share,
    weight: share.weight === 0 ? 0 : Math.max(1, Math.floor(share.weight / total * room)),
  }));
}

/** One backend on one port of the root. */
export function planBackend(
  share: Pick<BackendShare, "namespace" | "name" | "weight" | "isForeign">,
  port: number,
  root: ResolvedService,
  { services }: ServiceLookup,
): PlanBackend {
  const { namespace, name, weight, isForeign } = share;
  const describe = (state: BackendReadiness, group: string): PlanBackend => ({
    namespace,
    service: name,
    weight,
    state,
    group,
  });
  // The group of a backend that may not be used is one that no Service has, so it is empty for sure.
  if (isForeign) {
    return describe("foreign", `${root.service.meta.namespace}/${groupId(namespace, name, port)}`);
  }
  const group = groupId(namespace, name, port);
  const resolved = services.get(keyOf(namespace, name));
  if (resolved === undefined) return describe("missing", group);
  const resolvedPort = resolved.ports.find((candidate) => candidate.port.port === port);
  if (resolvedPort === undefined) return describe("no-port", group);
  return describe(resolvedPort.endpoints.length === 0 ? "no-endpoints" : "ready", group);
}

/** The Service's own endpoints, as one backend. */
function ownBackends(root: ResolvedService, port: ResolvedPort): PlanBackend[] {
  const { namespace, name } = root.service.meta;
  const state = port.endpoints.length === 0 ? "no-endpoints" : "ready";
  return [{ namespace, service: name, weight: 1, state, group: port.group }];
}

/** Where requests go that no split takes. */
export function ownRoute(root: ResolvedService, port: ResolvedPort): PlanRoute {
  return {
    id: port.group,
    split: null,
    position: positionOf(root.service.meta, []),
    backends: ownBackends(root, port),
  };
}

/** The route of a split without matches, and what its rules' routes are copies of. */
export function splitRoute(
  split: TrafficSplit,
  root: ResolvedService,
  port: ResolvedPort,
  lookup: ServiceLookup,
): PlanRoute {
  const shares = backendShares(split, lookup.clusterDomain);
  const isAllZero = shares.every(({ weight }) => weight === 0);
  return {
    id: `${port.group}/${split.meta.name}`,
    split: refOf(split.meta),
    position: positionOf(split.meta, []),
    backends: isAllZero
      ? ownBackends(root, port)
      : shares.map((share) => planBackend(share, port.port.port, root, lookup)),
  };
}

/** Equal for splits that send the same shares to the same Services, however they are written. */
export function sharesText(split: TrafficSplit, clusterDomain: string): string {
  const shares = backendShares(split, clusterDomain).filter(({ weight }) => weight > 0);
  const divisor = shares.reduce((sum, { weight }) => greatestCommonDivisor(sum, weight), 0);
  return shares.map(({ namespace, name, weight }) =>
    `${keyOf(namespace, name)} ${weight / divisor}`
  )
    .sort(compareText).join(", ");
}
