/** What a rule of a route of the Gateway API sends to: which Service stands behind a reference, and whether it may be named. */
import type { GatewayObjectRef, GatewayRoute, GatewayRule } from "../../schemas/resources.ts";
import { changedTwice } from "../../base/header_changes.ts";
import type { BackendReadiness, PlanBackend } from "../plan.ts";
import { planBackend, type ServiceLookup } from "./backends.ts";
import { groupId, type ResolvedService } from "./endpoints.ts";

export interface GatewayLookup extends ServiceLookup {
  /** Whether a ReferenceGrant lets routes of a kind in a namespace name a Service. */
  isGranted(
    from: { readonly kind: string; readonly namespace: string },
    to: { readonly namespace: string; readonly name: string },
  ): boolean;
}

/** In written order; what is named twice is one. */
export function gatewayBackends(
  route: GatewayRoute,
  { backends, filters }: GatewayRule,
  root: ResolvedService,
  lookup: GatewayLookup,
): readonly PlanBackend[] {
  const planned = new Map<string, PlanBackend>();
  for (const ref of backends) {
    const headers = ref.headers === undefined ? {} : {
      headers: {
        request: changedTwice(filters.headers?.request ?? NO_CHANGES, ref.headers.request),
        response: changedTwice(filters.headers?.response ?? NO_CHANGES, ref.headers.response),
      },
    };
    const backend = { ...planObject(route, ref, ref.weight, root, lookup), ...headers };
    const { weight, ...rest } = backend;
    const key = JSON.stringify(rest);
    const known = planned.get(key);
    planned.set(key, { ...backend, weight: weight + (known?.weight ?? 0) });
  }
  return [...planned.values()];
}

const NO_CHANGES = { set: [], add: [], remove: [] };

/** @param weight of it among the others */
export function planObject(
  route: GatewayRoute,
  ref: GatewayObjectRef,
  weight: number,
  root: ResolvedService,
  lookup: GatewayLookup,
): PlanBackend {
  const { namespace, name, port } = ref;
  const isForeign = !mayName(route, ref, lookup);
  const isService = ref.group === "" && ref.kind === "Service" && port !== undefined;
  if (isService) return planBackend({ namespace, name, weight, isForeign }, port, root, lookup);
  const state: BackendReadiness = "missing";
  // A group that no Service has, so that it is empty for sure.
  const group = `${ref.kind}/${groupId(namespace, name, port ?? 0)}`;
  return { namespace, service: name, weight, state, group };
}

/** Of its own namespace, what is its own parent, and what is granted. */
function mayName(
  { meta, parents }: GatewayRoute,
  { namespace, name }: GatewayObjectRef,
  { isGranted }: GatewayLookup,
): boolean {
  if (namespace === meta.namespace) return true;
  if (parents.some((parent) => parent.namespace === namespace && parent.name === name)) return true;
  return isGranted(meta, { namespace, name });
}
