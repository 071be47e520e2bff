/**
 * The report of `weft replay`: what `-o json` writes, and what its text is made of. Its shape is a promise: fields are added, never
 * renamed or removed, while `apiVersion` stays.
 */
import { ruleName } from "../../routing/algebra/compare_ports.ts";
import type { LogCounts } from "./read_log.ts";
import { byKind, LOG_KINDS, type LogKind, type ReplayTally } from "./tally.ts";

export interface ReplayReport {
  readonly apiVersion: "weft.dev/v1alpha1";
  readonly kind: "Replay";
  readonly log: LogCounts & {
    readonly requests: number;
    readonly connections: number;
    /** Of other listeners, or answered before they had a route: not compared. */
    readonly unrouted: number;
  };
  /** `moved` is a least number: of splits only what exceeds the new shares. */
  readonly found: Readonly<
    Record<LogKind, { readonly count: number; readonly samples: readonly string[] }>
  >;
  /** By what decides them; the busiest first. */
  readonly routes: readonly ReplayRoute[];
}

interface ReplayRoute {
  readonly service: string;
  readonly port: number;
  /** `namespace/group#match`; null: no rule. */
  readonly rule: string | null;
  /** `namespace/name`; null: the Service's own endpoints. */
  readonly split: string | null;
  readonly requests: number;
  readonly backends: readonly ReplayBackend[];
}

interface ReplayBackend {
  readonly backend: string;
  /** Of the requests whose backend the log has; null: it has none. */
  readonly recorded: number | null;
  /** The share that it would have, from 0 to 1. */
  readonly share: number;
}

export function buildReplayReport(counts: LogCounts, tally: ReplayTally): ReplayReport {
  const { requests, connections, unrouted, kinds, routes } = tally;
  const found = byKind((kind) => {
    const { count, samples } = kinds[kind];
    return { count, samples: [...samples] };
  });
  return {
    apiVersion: "weft.dev/v1alpha1",
    kind: "Replay",
    log: { ...counts, requests, connections, unrouted },
    found,
    routes: mergedRoutes(routes).sort((some, other) => other.requests - some.requests),
  };
}

/** Callers have routes of their own; a person asks for the Service's. */
function mergedRoutes(routes: ReplayTally["routes"]): ReplayRoute[] {
  const groups = Map.groupBy(
    routes,
    ([{ service, port, route }]) => `${service}:${port.port} ${route.id}`,
  );
  return [...groups.values()].map((same) => {
    const [{ service, port, rule, route, shares }] = same[0];
    const backends = new Map<string, number>();
    for (const [, count] of same) {
      for (const [backend, n] of count.backends) {
        backends.set(backend, (backends.get(backend) ?? 0) + n);
      }
    }
    const recorded = same.reduce((sum, [, count]) => sum + count.recorded, 0);
    return {
      service,
      port: port.port,
      rule: rule === null ? null : ruleName(rule),
      split: route.split === null ? null : `${route.split.namespace}/${route.split.name}`,
      requests: same.reduce((sum, [, count]) => sum + count.requests, 0),
      backends: [...new Set([...shares.keys(), ...backends.keys()])].map((backend) => ({
        backend,
        recorded: recorded === 0 ? null : backends.get(backend) ?? 0,
        share: shares.get(backend) ?? 0,
      })),
    };
  });
}

/** Kinds that a reviewer has to look at. */
export function isDifferent({ found }: ReplayReport): boolean {
  const kinds: readonly LogKind[] = ["moved", "denied", "refused", "uncovered", "matched"];
  return kinds.some((kind) => found[kind].count > 0);
}

export function kindsOf({ found }: ReplayReport) {
  return (Object.keys(LOG_KINDS) as LogKind[]).map((kind) => ({
    kind,
    title: LOG_KINDS[kind],
    ...found[kind],
  }));
}
