/** What a conversion comes to, and what both directions share. */
import type { GatewayRoute, TrafficSplit } from "../../schemas/resources.ts";

export interface Conversion {
  /** Objects, ready to be written. */
  readonly manifests: readonly Readonly<Record<string, unknown>>[];
  /** What they stand in the place of. */
  readonly replaced: ReadonlySet<unknown>;
  /** What cannot be said in the target, and what stays; a line each. */
  readonly notes: readonly string[];
}

export type Replaced = Set<TrafficSplit | GatewayRoute>;

export const GATEWAY_API = "gateway.networking.k8s.io";

/** A name that none of these has. */
export function freeName(wanted: string, taken: ReadonlySet<string>): string {
  let name = wanted;
  for (let i = 2; taken.has(name); i++) name = `${wanted}-${i}`;
  return name;
}
