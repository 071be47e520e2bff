/**
 * The resources of a compilation, freed of duplicates and indexed, so that the rest of compile sees one order whatever order the input
 * had. What is asked for here by name, label or reference is what an answer depends on. Decides nothing about routing.
 */
import type {
  Egress,
  EndpointSlice,
  GatewayRoute,
  HttpRouteGroup,
  IngressBackend,
  Meta,
  Namespace,
  Pod,
  ReferenceGrant,
  Service,
  Snapshot,
  TcpRoute,
  TrafficPolicy,
  TrafficSplit,
  TrafficTarget,
  Workload,
} from "../../schemas/resources.ts";
import type { Incremental } from "./incremental.ts";
import { parseServiceName } from "./names.ts";
import { compareText } from "../../base/order.ts";
import { SharedTexts } from "../../base/shared_texts.ts";
import {
  byName,
  compareContent,
  Index,
  LabelIndex,
  NamedResources,
  type ResourceChange,
} from "./indexes.ts";
import {
  accountCalledBy,
  keyInGroup,
  keyOf,
  keyOfKind,
  keyOfMeta,
  ownerKey,
  sourceAccount,
  targetText,
} from "./keys.ts";
import { compareAge, compareCreation } from "./order.ts";

const GATEWAY_GROUP = "gateway.networking.k8s.io";

function byAge(a: { readonly meta: Meta }, b: { readonly meta: Meta }): number {
  return compareAge(a.meta, b.meta);
}

/** The oldest first, then by `namespace/name`, as the Gateway API has it; and by kind, which it leaves open. */
function compareRoutes(a: GatewayRoute, b: GatewayRoute): number {
  return compareCreation(a.meta, b.meta) || compareText(keyOfMeta(a.meta), keyOfMeta(b.meta)) ||
    compareText(b.meta.kind, a.meta.kind);
}

/** One Endpoints object gives a slice per subset under one name, so slices are sorted and never merged by name. */
function compareSlices(a: EndpointSlice, b: EndpointSlice): number {
  return compareText(a.meta.kind, b.meta.kind) || compareText(a.meta.name, b.meta.name) ||
    compareContent(a, b);
}

/** Told of what is to be compiled: resources that count, and keys by which others refer to something. */
export interface CatalogEvents {
  namespace(change: ResourceChange<Namespace>, key: string): void;
  service(change: ResourceChange<Service>, key: string): void;
  split(change: ResourceChange<TrafficSplit>, key: string): void;
  group(change: ResourceChange<HttpRouteGroup>, key: string): void;
  target(change: ResourceChange<TrafficTarget>, key: string): void;
  policy(change: ResourceChange<TrafficPolicy>, key: string): void;
  egress(change: ResourceChange<Egress>, key: string): void;
  ingress(change: ResourceChange<IngressBackend>, key: string): void;
  route(change: ResourceChange<GatewayRoute>, key: string): void;
  pod(change: ResourceChange<Pod>): void;
  workload(change: ResourceChange<Workload>): void;
}

export class Catalog {
  readonly clusterDomain: string;
  /** What many endpoints say. */
  readonly texts = new SharedTexts();
  readonly namespaces: NamedResources<Snapshot["namespaces"][number]>;
  readonly services: NamedResources<Service>;
  readonly splits: NamedResources<TrafficSplit>;
  readonly groups: NamedResources<HttpRouteGroup>;
  readonly tcpRoutes: NamedResources<TcpRoute>;
  readonly targets: NamedResources<TrafficTarget>;
  readonly policies: NamedResources<TrafficPolicy>;
  /** By `keyInGroup`. */
  readonly egresses: NamedResources<Egress>;
  /** By `keyInGroup`. */
  readonly ingresses: NamedResources<IngressBackend>;
  /** By `kind namespace/name`. */
  readonly routes: NamedResources<GatewayRoute>;
  readonly grants: NamedResources<ReferenceGrant>;
  readonly pods: NamedResources<Pod>;
  readonly statefulSets: NamedResources<Workload>;
  readonly #slices: Index<EndpointSlice>;
  readonly #podsByLabel: LabelIndex<Pod>;
  readonly #workloadsByLabel: LabelIndex<Workload>;
  readonly #workloadsByOwnName: Index<Workload>;
  readonly #splitsByRoot: Index<TrafficSplit>;
  readonly #splitsByGroup: Index<TrafficSplit>;
  readonly #targetsByGroup: Index<TrafficTarget>;
  readonly #targetsByDestination: Index<TrafficTarget>;
  readonly #egressesByGroup: Index<Egress>;
  readonly #egressesBySource: Index<Egress>;
  readonly #ingressesByGroup: Index<IngressBackend>;
  readonly #ingressesByNamespace: Index<IngressBackend>;
  readonly #policiesByTarget: Index<TrafficPolicy>;
  readonly #podsByAccount: Index<Pod>;
  readonly #workloadsByAccount: Index<Workload>;
  readonly #groupsByName: Index<HttpRouteGroup>;
  readonly #routesByParent: Index<GatewayRoute>;
  readonly #grantsByNamespace: Index<ReferenceGrant>;
  readonly #refusedServices: NamedResources<Service>;
  readonly #refused: Index<TrafficSplit | TrafficTarget>;
  readonly #events: CatalogEvents;

  constructor(incremental: Incremental, clusterDomain: string, events: CatalogEvents) {
    this.clusterDomain = clusterDomain;
    this.#events = events;
    this.namespaces = new NamedResources(incremental, events.namespace);
    this.services = new NamedResources(incremental, events.service);
    this.#refusedServices = new NamedResources(incremental);
    this.splits = new NamedResources(incremental, (change, key) => {
      this.#splitsByRoot.change(change);
      this.#splitsByGroup.change(change);
      this.#refused.change(change);
      events.split(change, key);
    });
    this.groups = new NamedResources(incremental, (change, key) => {
      this.#groupsByName.change(change);
      events.group(change, key);
    });
    this.tcpRoutes = new NamedResources(incremental);
    this.targets = new NamedResources(incremental, (change, key) => {
      this.#targetsByGroup.change(change);
      this.#targetsByDestination.change(change);
      this.#refused.change(change);
      events.target(change, key);
    });
    this.policies = new NamedResources(incremental, (change, key) => {
      this.#policiesByTarget.change(change);
      events.policy(change, key);
    });
    this.egresses = new NamedResources(incremental, (change, key) => {
      this.#egressesByGroup.change(change);
      this.#egressesBySource.change(change);
      events.egress(change, key);
    }, keyInGroup);
    this.#egressesByGroup = new Index<Egress>(incremental, groupsNamed, byName);
    this.#egressesBySource = new Index<Egress>(
      incremental,
      ({ sources }) => sources.flatMap((source) => sourceAccount(source) ?? []),
      byName,
    );
    this.ingresses = new NamedResources(incremental, (change, key) => {
      this.#ingressesByGroup.change(change);
      this.#ingressesByNamespace.change(change);
      events.ingress(change, key);
    }, keyInGroup);
    this.#ingressesByGroup = new Index<IngressBackend>(incremental, groupsNamed, byName);
    this.#ingressesByNamespace = new Index<IngressBackend>(
      incremental,
      ({ meta }) => [meta.namespace],
      byName,
    );
    this.routes = new NamedResources(incremental, (change, key) => {
      this.#routesByParent.change(change);
      events.route(change, key);
    }, keyOfKind);
    this.#routesByParent = new Index<GatewayRoute>(
      incremental,
      ({ parents }) => parents.map(({ namespace, name }) => keyOf(namespace, name)),
      compareRoutes,
    );
    this.grants = new NamedResources(
      incremental,
      (change) => this.#grantsByNamespace.change(change),
    );
    this.#grantsByNamespace = new Index<ReferenceGrant>(
      incremental,
      ({ meta }) => [meta.namespace],
      byName,
    );
    this.#podsByLabel = new LabelIndex(incremental);
    this.pods = new NamedResources(incremental, (change) => {
      this.#podsByLabel.change(change);
      this.#podsByAccount.change(change);
    });
    this.#workloadsByLabel = new LabelIndex(incremental);
    this.statefulSets = new NamedResources(incremental);
    this.#workloadsByOwnName = new Index<Workload>(
      incremental,
      ({ meta, kind }) => [ownerKey(meta, { kind, name: meta.name })],
      byName,
    );
    this.#slices = new Index<EndpointSlice>(
      incremental,
      ({ meta, service }) => [keyOf(meta.namespace, service)],
      compareSlices,
    );
    this.#splitsByRoot = new Index<TrafficSplit>(incremental, (split) => {
      const root = this.rootKeyOf(split);
      return root === undefined ? [] : [root];
    }, byAge);
    this.#splitsByGroup = new Index<TrafficSplit>(
      incremental,
      ({ meta, matches }) => (matches ?? []).map(({ name }) => keyOf(meta.namespace, name)),
      byAge,
    );
    this.#targetsByGroup = new Index<TrafficTarget>(
      incremental,
      ({ meta, rules }) =>
        rules.filter(({ kind }) => kind === "HTTPRouteGroup")
          .map(({ name }) => keyOf(meta.namespace, name)),
      byName,
    );
    this.#targetsByDestination = new Index<TrafficTarget>(
      incremental,
      (target) => [accountCalledBy(target)],
      byName,
    );
    this.#podsByAccount = new Index<Pod>(incremental, accountsOfTemplate, byName);
    this.#workloadsByAccount = new Index<Workload>(incremental, accountsOfTemplate, byName);
    this.#policiesByTarget = new Index<TrafficPolicy>(
      incremental,
      ({ meta, targets }) =>
        targets.map(({ kind, name, match }) => targetText(kind, meta.namespace, name, match)),
      byAge,
    );
    this.#groupsByName = new Index<HttpRouteGroup>(incremental, ({ meta }) => [meta.name], byName);
    this.#refused = new Index<TrafficSplit | TrafficTarget>(
      incremental,
      ({ meta, isRefused }) => isRefused === true ? [meta.namespace] : [],
      byName,
    );
  }

  changeService({ before, after }: ResourceChange<Service>): void {
    const those = (isRefused: boolean) => (service: Service | null) =>
      (service?.isRefused === true) === isRefused ? service : null;
    const [good, refused] = [those(false), those(true)];
    this.services.change({ before: good(before), after: good(after) });
    this.#refusedServices.change({ before: refused(before), after: refused(after) });
  }

  /** Whether a Service, by `namespace/name`, is there and cannot be read. */
  isRefusedService(key: string): boolean {
    return this.services.at(key) === undefined && this.#refusedServices.at(key) !== undefined;
  }

  changePod(change: ResourceChange<Pod>): void {
    this.pods.change(change);
    this.#events.pod(change);
  }

  changeWorkload(change: ResourceChange<Workload>): void {
    const ofStatefulSets = {
      before: change.before?.kind === "StatefulSet" ? change.before : null,
      after: change.after?.kind === "StatefulSet" ? change.after : null,
    };
    this.statefulSets.change(ofStatefulSets);
    this.#workloadsByLabel.change(change);
    this.#workloadsByAccount.change(change);
    this.#workloadsByOwnName.change(change);
    this.#events.workload(change);
  }

  changeSlice(change: ResourceChange<EndpointSlice>): void {
    this.#slices.change(change);
  }

  /** `namespace/name` of the Service that a split speaks for, whether or not it is there; undefined: it names none of its namespace. */
  rootKeyOf({ meta, service }: TrafficSplit): string | undefined {
    const parsed = parseServiceName(service, this.clusterDomain);
    const isOwn = parsed !== undefined && (parsed.namespace ?? meta.namespace) === meta.namespace;
    return isOwn ? keyOf(meta.namespace, parsed.name) : undefined;
  }

  /** Oldest first, those that have backends. */
  splitsOfRoot(key: string): readonly TrafficSplit[] {
    return this.#splitsByRoot.get(key).filter(({ backends }) => backends.length > 0);
  }

  /** Oldest first. */
  splitsNaming(group: string): readonly TrafficSplit[] {
    return this.#splitsByGroup.get(group);
  }

  /** Those that can be read, in the order in which they count. @param key of the Service */
  routesOf(key: string): readonly GatewayRoute[] {
    return this.#routesByParent.get(key).filter(({ isRefused }) => isRefused !== true);
  }

  /** Whether routes of a kind in a namespace may name a Service of another one. */
  isGranted(
    from: { readonly kind: string; readonly namespace: string },
    to: { readonly namespace: string; readonly name: string },
  ): boolean {
    return this.#grantsByNamespace.get(to.namespace).some((grant) =>
      grant.from.some(({ group, kind, namespace }) =>
        group === GATEWAY_GROUP && kind === from.kind && namespace === from.namespace
      ) &&
      grant.to.some(({ group, kind, name = to.name }) =>
        group === "" && kind === "Service" && name === to.name
      )
    );
  }

  isNamedByTarget(group: string): boolean {
    return this.#targetsByGroup.get(group).length > 0;
  }

  /** Whether an Egress or an IngressBackend names a group, by `namespace/name`. */
  isNamedAtEdge(group: string): boolean {
    return this.#egressesByGroup.get(group).length > 0 ||
      this.#ingressesByGroup.get(group).length > 0;
  }

  ingressesOf(namespace: string): readonly IngressBackend[] {
    return this.#ingressesByNamespace.get(namespace);
  }

  /** @param account `namespace/serviceaccount` */
  egressesOf(account: string): readonly Egress[] {
    return this.#egressesBySource.get(account);
  }

  /** @param account `namespace/serviceaccount` */
  targetsCalling(account: string): readonly TrafficTarget[] {
    return this.#targetsByDestination.get(account);
  }

  /** Oldest first. @param target as `targetText` */
  policiesAt(target: string): readonly TrafficPolicy[] {
    return this.#policiesByTarget.get(target);
  }

  /** Whether a split or a target of a namespace cannot be read: it may name what no other names. */
  hasRefused(namespace: string): boolean {
    return this.#refused.get(namespace).length > 0;
  }

  /** The namespaces that have an HTTPRouteGroup of this name, for hints. */
  namespacesOfGroup(name: string): readonly string[] {
    return this.#groupsByName.get(name).map(({ meta }) => meta.namespace);
  }

  /** The pods that the Service's selector picks, ready or not; none if it has no selector. */
  podsOf({ meta, selector }: Service): readonly Pod[] {
    return this.#podsByLabel.select(meta.namespace, selector);
  }

  /** Whether a pod or a workload's template runs as an account (`namespace/serviceaccount`). */
  runsAs(account: string): boolean {
    return this.#podsByAccount.get(account).length > 0 ||
      this.#workloadsByAccount.get(account).length > 0;
  }

  /** Whether all that runs as an account (`namespace/serviceaccount`) is picked by the Service's selector. */
  hasAllOf(account: string, { selector }: Service): boolean {
    const wanted = Object.entries(selector ?? {});
    return wanted.length > 0 &&
      [...this.#podsByAccount.get(account), ...this.#workloadsByAccount.get(account)]
        .every(({ template: { labels } }) =>
          wanted.every(([name, value]) => Object.hasOwn(labels, name) && labels[name] === value)
        );
  }

  /** Whether the selector picks a pod or a workload's template. */
  selectsAnything({ meta, selector }: Service): boolean {
    return this.#podsByLabel.select(meta.namespace, selector).length > 0 ||
      this.#workloadsByLabel.select(meta.namespace, selector).length > 0;
  }

  /** EndpointSlices of the Service; its Endpoints only where it has no EndpointSlice, as the one mirrors the other. */
  slicesOf({ meta }: Service): readonly EndpointSlice[] {
    const all = this.#slices.get(keyOfMeta(meta));
    const own = all.filter(({ meta }) => meta.kind === "EndpointSlice");
    return own.length > 0 ? own : all;
  }

  /** Whether the workload that an object names as its maker is there. */
  hasWorkload(owner: string): boolean {
    return this.#workloadsByOwnName.get(owner).length > 0;
  }
}

/** Route groups that an object names, by `namespace/name`. */
function groupsNamed({ meta, matches = [] }: Egress | IngressBackend): string[] {
  return matches.map(({ name }) => keyOf(meta.namespace, name));
}

function accountsOfTemplate({ meta, template }: Pod | Workload): string[] {
  return [keyOf(meta.namespace, template.serviceAccount || "default")];
}
