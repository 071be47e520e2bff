/**
 * AddressIndex: what an IP address and port mean in the mesh. Connections that were captured on their way say nothing else:
 * a client that has resolved a Service's name connects to its ClusterIP, or, where it is headless, to a pod.
 * Owns addresses only; what is routed there is the table's. It goes from plan to plan at the cost of what is another object there.
 */
import { canonicalIp } from "../../base/ip.ts";
import type { PlanEndpoint, PlanPort, PlanService } from "../plan.ts";
import { groupOf, keysToCompare, type PlanView, servicesOf } from "../plan_view.ts";

/** What an address is. */
export type MeshAddress = ServiceAddress | PodAddress;

/** A Service's own address. */
export interface ServiceAddress {
  readonly kind: "service";
  /** `namespace/name`. */
  readonly service: string;
  /** Null: the Service does not have this port. */
  readonly port: PlanPort | null;
}

/** A pod's address. */
export interface PodAddress {
  readonly kind: "pod";
  /** The port that was asked for. */
  readonly asked: number;
  /** Ports of Services that lead to it; those that say what they speak come first. Empty: no Service lists it. */
  readonly listed: readonly PodPort[];
  /** Headless Services that the pod is behind by whichever port, as `namespace/name`. */
  readonly headless: readonly string[];
}

/** A port of a Service that leads to a pod. */
interface PodPort {
  /** `namespace/name`. */
  readonly service: string;
  readonly port: PlanPort;
  readonly endpoint: PlanEndpoint;
}

/** A Service of the plan, with the endpoints of its ports. */
interface Indexed {
  /** `namespace/name`. */
  readonly key: string;
  readonly plan: PlanService;
  readonly isHeadless: boolean;
  readonly groups: readonly {
    readonly id: string;
    readonly port: PlanPort;
    readonly endpoints: readonly PlanEndpoint[];
  }[];
}

export class AddressIndex {
  /** Counts the plans: what was found by another one may mean something else now. */
  generation = 0;
  /** Of the plan. */
  #planned: ReturnType<typeof servicesOf> = new Map();
  readonly #byKey = new Map<string, Indexed>();
  /** By their own addresses; of several, which no cluster has, the first counts. */
  readonly #services = new Map<string, string[]>();
  readonly #pods = new Map<string, PodPort[]>();

  constructor(plan: PlanView) {
    this.rebind(plan);
  }

  /** Goes over to another plan. */
  rebind(plan: PlanView): void {
    const before = this.#planned;
    this.#planned = servicesOf(plan);
    for (const key of keysToCompare(before, this.#planned)) {
      const [was, service] = [this.#byKey.get(key), this.#planned.get(key)];
      if (was !== undefined && was.plan === service && isIndexOf(was, plan)) continue;
      if (was !== undefined) this.#remove(was);
      if (service !== undefined) this.#add(indexedOf(service, plan));
    }
    this.generation++;
  }

  #add(indexed: Indexed): void {
    const { key, plan, groups } = indexed;
    this.#byKey.set(key, indexed);
    for (const address of plan.clusterIps) insert(this.#services, keyOf(address), key, (it) => it);
    for (const { port, endpoints } of groups) {
      for (const endpoint of endpoints) {
        // A manifest alone gives no addresses, and a port that could not be resolved is none.
        const address = endpoint.port === 0 ? "" : keyOf(endpoint.address);
        insert(this.#pods, address, { service: key, port, endpoint }, (it) => it.service);
      }
    }
  }

  #remove({ key, plan, groups }: Indexed): void {
    this.#byKey.delete(key);
    for (const address of plan.clusterIps) remove(this.#services, keyOf(address), key, (it) => it);
    for (const { endpoints } of groups) {
      for (const { address } of endpoints) {
        remove(this.#pods, keyOf(address), key, (it) => it.service);
      }
    }
  }

  /** What is at `address`, in the spelling of `formatIp`; null if it is not of the mesh. */
  find(address: string, port: number): MeshAddress | null {
    const service = this.#services.get(address)?.[0];
    // An address is never both, but if it were, the Service is what a client means.
    if (service !== undefined) {
      const ports = this.#byKey.get(service)?.plan.ports ?? [];
      return { kind: "service", service, port: ports.find((each) => each.port === port) ?? null };
    }
    const all = this.#pods.get(address);
    return all === undefined ? null : this.#podAt(all, port);
  }

  #podAt(all: readonly PodPort[], asked: number): PodAddress {
    const isGuessed = ({ port }: PodPort) => port.isGuessed === true;
    const listed = all.filter(({ endpoint }) => endpoint.port === asked);
    const headless = all.map(({ service }) => service)
      .filter((service) => this.#byKey.get(service)?.isHeadless);
    return {
      kind: "pod",
      asked,
      listed: listed.toSorted((a, b) => Number(isGuessed(a)) - Number(isGuessed(b))),
      headless: [...new Set(headless)],
    };
  }
}

function indexedOf(plan: PlanService, of: PlanView): Indexed {
  const key = `${plan.namespace}/${plan.name}`;
  return {
    key,
    plan,
    isHeadless: plan.clusterIps.every((address) => keyOf(address) === ""),
    groups: plan.ports.map((port) => {
      const id = `${key}:${port.port}`;
      return { id, port, endpoints: groupOf(of, id) };
    }),
  };
}

function isIndexOf({ groups }: Indexed, plan: PlanView): boolean {
  return groups.every(({ id, endpoints }) => groupOf(plan, id) === endpoints);
}

/** Puts an item among those at an address: by namespace and name of its Service, behind those of the same one. */
function insert<Item>(
  map: Map<string, Item[]>,
  address: string,
  item: Item,
  serviceOf: (item: Item) => string,
): void {
  if (address === "") return;
  const items = map.get(address);
  if (items === undefined) {
    map.set(address, [item]);
    return;
  }
  let at = items.length;
  while (at > 0 && isBefore(serviceOf(item), serviceOf(items[at - 1]))) at--;
  items.splice(at, 0, item);
}

/** Takes all items of a Service away. */
function remove<Item>(
  map: Map<string, Item[]>,
  address: string,
  service: string,
  serviceOf: (item: Item) => string,
): void {
  const items = map.get(address)?.filter((item) => serviceOf(item) !== service) ?? [];
  if (items.length > 0) map.set(address, items);
  else map.delete(address);
}

function isBefore(some: string, other: string): boolean {
  if (some === other) return false;
  const [namespace, name] = some.split("/");
  const [otherNamespace, otherName] = other.split("/");
  return namespace === otherNamespace ? name < otherName : namespace < otherNamespace;
}

/** One spelling for all of an address; empty if it is none, as the "None" of a headless Service. */
function keyOf(address: string): string {
  return canonicalIp(address) ?? "";
}
