/**
 * The resources of a compilation, freed of duplicates and indexed, so that the rest of compile sees one order whatever order the input
 * had. What is asked for here by name, label or reference is what an answer depends on. Decides nothing about routing.
 */
import type {
  Egress,
  EndpointSlice,
  GatewayRoute,
  HttpRouteGroup,
  Meta,
  Namespace,
  Pod,
  ReferenceGrant,
  Service,
  Snapshot,
  TargetSubject,
  TcpRoute,
  TrafficPolicy,
  TrafficSplit,
  TrafficTarget,
  Workload,
} from "../../schemas/resources.ts";
import { canonicalJson } from "../../base/canonical_json.ts";
import { type Incremental, Inputs } from "./incremental.ts";
import { parseServiceName } from "./names.ts";
import { compareText } from "../../base/order.ts";
import { compareAge, compareCreation } from "./order.ts";

/** `namespace/name`: neither may contain a slash. */
export function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

export function keyOfMeta({ namespace, name }: Meta): string {
  return keyOf(namespace, name);
}

/** `HTTPRoute namespace/name`. */
export function keyOfKind(meta: Meta): string {
  return `${meta.kind} ${keyOfMeta(meta)}`;
}

const GATEWAY_GROUP = "gateway.networking.k8s.io";

/** `weft.dev/v1alpha1 namespace/name`: other groups have one of the name too, which is another object. */
export function keyOfEgress(meta: Meta): string {
  return `${meta.apiVersion} ${keyOfMeta(meta)}`;
}

/** `Deployment namespace/name`. */
export function ownerKey(
  { namespace }: Meta,
  { kind, name }: { readonly kind: string; readonly name: string },
): string {
  return `${kind} ${keyOf(namespace, name)}`;
}

type Resource = { readonly meta: Meta };

/** What changes in one list of the Snapshot: `before` null: it is new, `after` null: it is gone. */
export interface ResourceChange<T> {
  readonly before: T | null;
  readonly after: T | null;
}

/** Resources by `namespace/name`. Of two with one name the oldest counts, then the one whose text comes first. */
class Named<T extends Resource> {
  readonly #inputs: Inputs<T>;
  /** By key: all that have one name, where there are several. */
  readonly #namesakes = new Map<string, Set<T>>();
  readonly #onChange: (change: ResourceChange<T>, key: string) => void;
  readonly #keyOf: (meta: Meta) => string;

  /**
   * @param onChange told of each change of those that count
   * @param keyOf another name than `namespace/name`, where several kinds are in one list
   */
  constructor(
    incremental: Incremental,
    onChange: (change: ResourceChange<T>, key: string) => void = () => {},
    keyOf: (meta: Meta) => string = keyOfMeta,
  ) {
    this.#inputs = new Inputs(incremental);
    this.#onChange = onChange;
    this.#keyOf = keyOf;
  }

  get(namespace: string, name: string): T | undefined {
    return this.#inputs.get(keyOf(namespace, name));
  }

  at(key: string): T | undefined {
    return this.#inputs.get(key);
  }

  change({ before, after }: ResourceChange<T>): void {
    const isRenamed = before !== null && after !== null &&
      this.#keyOf(before.meta) !== this.#keyOf(after.meta);
    if (isRenamed) {
      this.#replace(this.#keyOf(before.meta), before, null);
      this.#replace(this.#keyOf(after.meta), null, after);
    } else {
      const meta = (after ?? before)?.meta;
      if (meta !== undefined) this.#replace(this.#keyOf(meta), before, after);
    }
  }

  #replace(key: string, before: T | null, after: T | null): void {
    const counting = this.#inputs.peek(key);
    const all = this.#namesakes.get(key) ?? new Set(counting === undefined ? [] : [counting]);
    if (before !== null) all.delete(before);
    if (after !== null) all.add(after);
    if (all.size > 1) this.#namesakes.set(key, all);
    else this.#namesakes.delete(key);
    const next = all.size > 1 ? [...all].sort(compareSameName)[0] : [...all][0];
    if (next === counting) return;
    this.#inputs.set(key, next);
    this.#onChange({ before: counting ?? null, after: next ?? null }, key);
  }
}

function compareSameName(a: Resource, b: Resource): number {
  return compareAge(a.meta, b.meta) || compareContent(a, b);
}

/** The last tie: what the resources say, then where they say it. */
function compareContent(a: Resource, b: Resource): number {
  return compareText(contentOf(a), contentOf(b));
}

function contentOf(resource: Resource): string {
  const { origin, ...meta } = resource.meta;
  return canonicalJson([{ ...resource, meta }, origin.locate([]) ?? null]);
}

/** Resources by what they refer to, each list in one order. */
class Index<T> {
  readonly #lists: Inputs<List<T>>;
  readonly #keysOf: (resource: T) => Iterable<string>;
  readonly #compare: (a: T, b: T) => number;

  constructor(
    incremental: Incremental,
    keysOf: (resource: T) => Iterable<string>,
    compare: (a: T, b: T) => number,
  ) {
    this.#lists = new Inputs(incremental);
    this.#keysOf = keysOf;
    this.#compare = compare;
  }

  get(key: string): readonly T[] {
    return this.#lists.get(key)?.sorted(this.#compare) ?? [];
  }

  /** How many there are, where nothing depends on that. */
  countAt(key: string): number {
    return this.#lists.peek(key)?.items.size ?? 0;
  }

  change({ before, after }: ResourceChange<T>): void {
    if (before !== null) this.#remove(before);
    if (after !== null) this.#add(after);
  }

  #remove(resource: T): void {
    for (const key of new Set(this.#keysOf(resource))) {
      const list = this.#lists.peek(key);
      if (list?.items.delete(resource) !== true) continue;
      list.order = null;
      if (list.items.size === 0) this.#lists.set(key, undefined);
      else this.#lists.changed(key);
    }
  }

  #add(resource: T): void {
    for (const key of new Set(this.#keysOf(resource))) {
      const list = this.#lists.peek(key);
      if (list === undefined) this.#lists.set(key, new List(resource));
      else {
        list.items.add(resource);
        list.order = null;
        this.#lists.changed(key);
      }
    }
  }
}

class List<T> {
  readonly items: Set<T>;
  /** Null: not known yet. */
  order: readonly T[] | null = null;

  constructor(item: T) {
    this.items = new Set([item]);
  }

  sorted(compare: (a: T, b: T) => number): readonly T[] {
    return this.order ??= [...this.items].sort(compare);
  }
}

type Labels = Readonly<Record<string, string>>;

interface Labelled extends Resource {
  readonly template: { readonly labels: Labels };
}

/** Finds what has all of some labels without looking at everything: 2,000 Services over 4,000 pods. */
class LabelIndex<T extends Labelled> {
  readonly #byLabel: Index<T>;

  constructor(incremental: Incremental) {
    this.#byLabel = new Index<T>(
      incremental,
      ({ meta, template }) =>
        Object.entries(template.labels).map(([name, value]) =>
          labelKey(meta.namespace, name, value)
        ),
      byName,
    );
  }

  change(change: ResourceChange<T>): void {
    this.#byLabel.change(change);
  }

  /** Nothing if there is no selector, or an empty one: a Service without one has its endpoints by other means. */
  select(namespace: string, selector: Labels | undefined): T[] {
    const wanted = Object.entries(selector ?? {});
    if (wanted.length === 0) return [];
    const keys = wanted.map(([name, value]) => labelKey(namespace, name, value));
    // Whichever list is taken, its items are checked against all labels.
    const rarest = keys.reduce((a, b) =>
      this.#byLabel.countAt(b) < this.#byLabel.countAt(a) ? b : a
    );
    return this.#byLabel.get(rarest).filter(({ template: { labels } }) =>
      wanted.every(([name, value]) => Object.hasOwn(labels, name) && labels[name] === value)
    );
  }
}

function labelKey(namespace: string, name: string, value: string): string {
  return JSON.stringify([namespace, name, value]);
}

function byName(a: Resource, b: Resource): number {
  return compareText(a.meta.namespace, b.meta.namespace) ||
    compareText(a.meta.name, b.meta.name) || compareSameName(a, b);
}

function byAge(a: Resource, b: Resource): number {
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
interface CatalogEvents {
  namespace(change: ResourceChange<Namespace>, key: string): void;
  service(change: ResourceChange<Service>, key: string): void;
  split(change: ResourceChange<TrafficSplit>, key: string): void;
  group(change: ResourceChange<HttpRouteGroup>, key: string): void;
  target(change: ResourceChange<TrafficTarget>, key: string): void;
  policy(change: ResourceChange<TrafficPolicy>, key: string): void;
  egress(change: ResourceChange<Egress>, key: string): void;
  route(change: ResourceChange<GatewayRoute>, key: string): void;
  pod(change: ResourceChange<Pod>): void;
  workload(change: ResourceChange<Workload>): void;
}

export class Catalog {
  readonly clusterDomain: string;
  readonly namespaces: Named<Snapshot["namespaces"][number]>;
  readonly services: Named<Service>;
  readonly splits: Named<TrafficSplit>;
  readonly groups: Named<HttpRouteGroup>;
  readonly tcpRoutes: Named<TcpRoute>;
  readonly targets: Named<TrafficTarget>;
  readonly policies: Named<TrafficPolicy>;
  /** By `keyOfEgress`. */
  readonly egresses: Named<Egress>;
  /** By `kind namespace/name`. */
  readonly routes: Named<GatewayRoute>;
  readonly grants: Named<ReferenceGrant>;
  readonly pods: Named<Pod>;
  readonly statefulSets: Named<Workload>;
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
  readonly #policiesByTarget: Index<TrafficPolicy>;
  readonly #podsByAccount: Index<Pod>;
  readonly #workloadsByAccount: Index<Workload>;
  readonly #groupsByName: Index<HttpRouteGroup>;
  readonly #routesByParent: Index<GatewayRoute>;
  readonly #grantsByNamespace: Index<ReferenceGrant>;
  readonly #refusedServices: Named<Service>;
  readonly #refused: Index<TrafficSplit | TrafficTarget>;
  readonly #events: CatalogEvents;

  constructor(incremental: Incremental, clusterDomain: string, events: CatalogEvents) {
    this.clusterDomain = clusterDomain;
    this.#events = events;
    this.namespaces = new Named(incremental, events.namespace);
    this.services = new Named(incremental, events.service);
    this.#refusedServices = new Named(incremental);
    this.splits = new Named(incremental, (change, key) => {
      this.#splitsByRoot.change(change);
      this.#splitsByGroup.change(change);
      this.#refused.change(change);
      events.split(change, key);
    });
    this.groups = new Named(incremental, (change, key) => {
      this.#groupsByName.change(change);
      events.group(change, key);
    });
    this.tcpRoutes = new Named(incremental);
    this.targets = new Named(incremental, (change, key) => {
      this.#targetsByGroup.change(change);
      this.#targetsByDestination.change(change);
      this.#refused.change(change);
      events.target(change, key);
    });
    this.policies = new Named(incremental, (change, key) => {
      this.#policiesByTarget.change(change);
      events.policy(change, key);
    });
    this.egresses = new Named(incremental, (change, key) => {
      this.#egressesByGroup.change(change);
      this.#egressesBySource.change(change);
      events.egress(change, key);
    }, keyOfEgress);
    this.#egressesByGroup = new Index<Egress>(
      incremental,
      ({ meta, matches = [] }) => matches.map(({ name }) => keyOf(meta.namespace, name)),
      byName,
    );
    this.#egressesBySource = new Index<Egress>(
      incremental,
      ({ sources }) => sources.flatMap((source) => sourceAccount(source) ?? []),
      byName,
    );
    this.routes = new Named(incremental, (change, key) => {
      this.#routesByParent.change(change);
      events.route(change, key);
    }, keyOfKind);
    this.#routesByParent = new Index<GatewayRoute>(
      incremental,
      ({ parents }) => parents.map(({ namespace, name }) => keyOf(namespace, name)),
      compareRoutes,
    );
    this.grants = new Named(incremental, (change) => this.#grantsByNamespace.change(change));
    this.#grantsByNamespace = new Index<ReferenceGrant>(
      incremental,
      ({ meta }) => [meta.namespace],
      byName,
    );
    this.#podsByLabel = new LabelIndex(incremental);
    this.pods = new Named(incremental, (change) => {
      this.#podsByLabel.change(change);
      this.#podsByAccount.change(change);
    });
    this.#workloadsByLabel = new LabelIndex(incremental);
    this.statefulSets = new Named(incremental);
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

  /** Whether an Egress names a group, by `namespace/name`. */
  isNamedByEgress(group: string): boolean {
    return this.#egressesByGroup.get(group).length > 0;
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

/** `namespace/serviceaccount` of a subject of a target; its namespace is the target's if it names none. */
export function accountOf({ meta }: TrafficTarget, { namespace, name }: TargetSubject): string {
  return keyOf(namespace === "" ? meta.namespace : namespace, name);
}

/** The same of the one that is called. */
export function accountCalledBy(target: TrafficTarget): string {
  return accountOf(target, target.destination);
}

/** The account that a source of an Egress is, `namespace/serviceaccount`; undefined: it is none. */
export function sourceAccount({ kind, namespace, name }: TargetSubject): string | undefined {
  return kind === "ServiceAccount" ? keyOf(namespace, name) : undefined;
}

function accountsOfTemplate({ meta, template }: Pod | Workload): string[] {
  return [keyOf(meta.namespace, template.serviceAccount || "default")];
}

/** What a policy is attached to, as people read it. */
export function targetText(kind: string, namespace: string, name: string, match?: string): string {
  return `${kind} ${keyOf(namespace, name)}${match === undefined ? "" : `#${match}`}`;
}
