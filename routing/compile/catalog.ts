/**
 * A Snapshot sorted, freed of duplicates and indexed, so that the rest of compile sees one order whatever order
 * the input had. Owns lookup by name and by label; decides nothing about routing.
 */
import type {
  EndpointSlice,
  HttpRouteGroup,
  Meta,
  Pod,
  Service,
  Snapshot,
  TcpRoute,
  TrafficPolicy,
  TrafficSplit,
  TrafficTarget,
  Workload,
} from "../../schemas/resources.ts";
import { canonicalJson } from "../plan_codec.ts";
import { compareAge, compareText } from "./order.ts";

type Labels = Readonly<Record<string, string>>;

export interface Catalog {
  /** By namespace, then name. */
  readonly services: readonly Service[];
  /** Oldest first. */
  readonly trafficSplits: readonly TrafficSplit[];
  readonly httpRouteGroups: readonly HttpRouteGroup[];
  readonly trafficTargets: readonly TrafficTarget[];
  /** Oldest first. */
  readonly trafficPolicies: readonly TrafficPolicy[];
  service(namespace: string, name: string): Service | undefined;
  httpRouteGroup(namespace: string, name: string): HttpRouteGroup | undefined;
  tcpRoute(namespace: string, name: string): TcpRoute | undefined;
  pod(namespace: string, name: string): Pod | undefined;
  /** The namespaces that have an HTTPRouteGroup of this name, for hints. */
  namespacesOfGroup(name: string): readonly string[];
  /** The pods that the Service's selector picks, ready or not; none if it has no selector. */
  podsOf(service: Service): readonly Pod[];
  /** Whether the selector picks a pod or a workload's template. */
  selectsAnything(service: Service): boolean;
  /** EndpointSlices of the Service; its Endpoints only where it has no EndpointSlice, as the one mirrors the other. */
  slicesOf(service: Service): readonly EndpointSlice[];
  /** The StatefulSet of this name, for the names of its pods. */
  statefulSet(namespace: string, name: string): Workload | undefined;
}

/** `namespace/name`: neither may contain a slash. */
export function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

export function catalogOf(snapshot: Snapshot): Catalog {
  const services = byName(snapshot.services);
  const groups = byName(snapshot.httpRouteGroups);
  const tcpRoutes = byName(snapshot.tcpRoutes);
  const pods = byName(snapshot.pods);
  const statefulSets = byName(snapshot.workloads.filter(({ kind }) => kind === "StatefulSet"));
  const slices = slicesByService(snapshot.endpointSlices);
  const podsByLabel = new LabelIndex(
    valuesOf(pods).map((pod) => ({
      item: pod,
      namespace: pod.meta.namespace,
      labels: pod.template.labels,
    })),
  );
  const workloadsByLabel = new LabelIndex(snapshot.workloads.map((workload) => ({
    item: workload,
    namespace: workload.meta.namespace,
    labels: workload.template.labels,
  })));
  return {
    services: valuesOf(services),
    trafficSplits: valuesOf(byName(snapshot.trafficSplits)).sort((a, b) =>
      compareAge(a.meta, b.meta)
    ),
    httpRouteGroups: valuesOf(groups),
    trafficTargets: valuesOf(byName(snapshot.trafficTargets)),
    trafficPolicies: valuesOf(byName(snapshot.trafficPolicies)).sort((a, b) =>
      compareAge(a.meta, b.meta)
    ),
    service: (namespace, name) => services.get(keyOf(namespace, name)),
    httpRouteGroup: (namespace, name) => groups.get(keyOf(namespace, name)),
    tcpRoute: (namespace, name) => tcpRoutes.get(keyOf(namespace, name)),
    pod: (namespace, name) => pods.get(keyOf(namespace, name)),
    namespacesOfGroup: (name) =>
      valuesOf(groups).filter(({ meta }) => meta.name === name).map(({ meta }) => meta.namespace),
    podsOf: ({ meta, selector }) => podsByLabel.select(meta.namespace, selector),
    selectsAnything: ({ meta, selector }) =>
      podsByLabel.select(meta.namespace, selector).length > 0 ||
      workloadsByLabel.select(meta.namespace, selector).length > 0,
    slicesOf: ({ meta }) => slices.get(keyOf(meta.namespace, meta.name)) ?? [],
    statefulSet: (namespace, name) => statefulSets.get(keyOf(namespace, name)),
  };
}

/** Sorted by namespace, then name. Of two with one name the oldest counts, then the one whose text comes first. */
function byName<T extends { readonly meta: Meta }>(resources: readonly T[]): Map<string, T> {
  const sorted = [...resources].sort((a, b) =>
    compareText(a.meta.namespace, b.meta.namespace) || compareText(a.meta.name, b.meta.name) ||
    compareAge(a.meta, b.meta) || compareContent(a, b)
  );
  const byKey = new Map<string, T>();
  for (const resource of sorted) {
    const key = keyOf(resource.meta.namespace, resource.meta.name);
    if (!byKey.has(key)) byKey.set(key, resource);
  }
  return byKey;
}

function valuesOf<T>(byKey: ReadonlyMap<string, T>): T[] {
  return [...byKey.values()];
}

/** The last tie: what the resources say, then where they say it. */
function compareContent<T extends { readonly meta: Meta }>(a: T, b: T): number {
  return compareText(contentOf(a), contentOf(b));
}

function contentOf(resource: { readonly meta: Meta }): string {
  const { origin, ...meta } = resource.meta;
  return canonicalJson([{ ...resource, meta }, origin.locate([]) ?? null]);
}

/** One Endpoints object gives a slice per subset under one name, so slices are sorted and never merged by name. */
function slicesByService(slices: readonly EndpointSlice[]): Map<string, EndpointSlice[]> {
  const sorted = [...slices].sort((a, b) =>
    compareText(a.meta.namespace, b.meta.namespace) || compareText(a.service, b.service) ||
    compareText(a.meta.kind, b.meta.kind) || compareText(a.meta.name, b.meta.name) ||
    compareContent(a, b)
  );
  const byService = new Map<string, EndpointSlice[]>();
  for (const slice of sorted) {
    const key = keyOf(slice.meta.namespace, slice.service);
    const list = byService.get(key);
    if (list === undefined) byService.set(key, [slice]);
    else list.push(slice);
  }
  for (const [key, list] of byService) {
    const own = list.filter(({ meta }) => meta.kind === "EndpointSlice");
    if (own.length > 0) byService.set(key, own);
  }
  return byService;
}

/** Finds what has all of some labels without looking at everything: 2,000 Services over 4,000 pods. */
class LabelIndex<T> {
  readonly #entriesByLabel = new Map<string, { readonly item: T; readonly labels: Labels }[]>();

  constructor(entries: readonly { item: T; namespace: string; labels: Labels }[]) {
    for (const { item, namespace, labels } of entries) {
      for (const [name, value] of Object.entries(labels)) {
        const key = labelKey(namespace, name, value);
        const list = this.#entriesByLabel.get(key);
        if (list === undefined) this.#entriesByLabel.set(key, [{ item, labels }]);
        else list.push({ item, labels });
      }
    }
  }

  /** Nothing if there is no selector, or an empty one: a Service without one has its endpoints by other means. */
  select(namespace: string, selector: Labels | undefined): T[] {
    const wanted = Object.entries(selector ?? {});
    if (wanted.length === 0) return [];
    const lists = wanted.map(([name, value]) =>
      this.#entriesByLabel.get(labelKey(namespace, name, value)) ?? []
    );
    const shortest = lists.reduce((a, b) => b.length < a.length ? b : a);
    return shortest.filter(({ labels }) =>
      wanted.every(([name, value]) => Object.hasOwn(labels, name) && labels[name] === value)
    ).map(({ item }) => item);
  }
}

function labelKey(namespace: string, name: string, value: string): string {
  return JSON.stringify([namespace, name, value]);
}
