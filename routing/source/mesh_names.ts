/**
 * MeshNames: which Services a host or an address may mean, in a whole mesh that changes part by part. It answers with every candidate,
 * in any reading that Kubernetes DNS allows; which of them is meant is decided where they are held (`table/host_index.ts`).
 */
import { NAME_LENGTH_MAX } from "../../base/limits.ts";
import { canonicalIp } from "../../base/ip.ts";
import { type Part, type PartKey, routeKey } from "../parts.ts";
import { nameSuffixes } from "../table/host_index.ts";

/** Questions whose answers may be others after a change. */
export type ChangedNames = "none" | "addresses" | "all";

/** The mesh that is named. */
interface NamedMesh {
  readonly clusterDomain: string;
  /** Left out: addresses of endpoints are gathered from the start, or not asked for. */
  readonly parts?: Iterable<readonly [PartKey, Part]>;
  at(key: PartKey): Part | undefined;
}

export class MeshNames {
  readonly #mesh: NamedMesh;
  /** Services by their own addresses. */
  readonly #services = new Buckets();
  /** And by those of their endpoints; null: nothing has asked yet. */
  #endpoints: Buckets | null;

  /** @param withEndpoints addresses of endpoints are gathered from the start; else once they are asked for, from all parts */
  constructor(mesh: NamedMesh, withEndpoints = false) {
    this.#mesh = mesh;
    this.#endpoints = withEndpoints ? new Buckets() : null;
  }

  /** A part is new (`before` undefined), gone, or another now. Which questions may have other answers since. */
  change(key: PartKey, before: Part | undefined, after: Part | undefined): ChangedNames {
    if (key.startsWith("group ")) {
      if (this.#endpoints === null) return "none";
      const isOther = this.#endpoints.move(
        key,
        endpointAddresses(before),
        endpointAddresses(after),
      );
      return isOther ? "addresses" : "none";
    }
    if (key.startsWith("access ")) return "none";
    const isOther = this.#services.move(key, serviceAddresses(before), serviceAddresses(after));
    return isOther || namesOf(before) !== namesOf(after) ? "all" : "none";
  }

  /** Keys of the Services that a client of the namespace may mean by the host; in order. */
  host(namespace: string, host: string): PartKey[] {
    const found = new Set<PartKey>();
    const ip = canonicalIp(host);
    if (ip !== null) return this.#services.at(ip);
    this.#addWhole(host, found);
    this.#addQualified(host, found);
    const labels = host.split(".");
    if (labels.length === 1) this.#addService(namespace, host, found);
    else if (labels.length === 2) this.#addPod(namespace, labels[1], labels[0], found);
    return [...found].sort();
  }

  /** Keys of the Services that an address is of: a Service's own, or that of a pod behind some; in order. */
  address(address: string): PartKey[] {
    const ip = canonicalIp(address) ?? "";
    const services = this.#services.at(ip);
    return services.length > 0 ? services : this.#endpointIndex.at(ip);
  }

  get #endpointIndex(): Buckets {
    if (this.#endpoints === null) {
      this.#endpoints = new Buckets();
      for (const [key, part] of this.#mesh.parts ?? []) {
        this.#endpoints.move(key, NONE, endpointAddresses(part));
      }
    }
    return this.#endpoints;
  }

  /** `service.namespace` and `pod.service.namespace`. */
  #addQualified(name: string, found: Set<PartKey>): void {
    const labels = name.split(".");
    if (labels.length === 2) this.#addService(labels[1], labels[0], found);
    else if (labels.length === 3) this.#addPod(labels[2], labels[1], labels[0], found);
  }

  #addService(namespace: string, name: string, found: Set<PartKey>): void {
    const key = routeKey(`${namespace}/${name}`);
    const part = this.#mesh.at(key);
    if (part === undefined) return;
    found.add(key);
    // What it is another name of is no alias itself.
    if ("alias" in part && part.alias !== undefined) this.#addWhole(part.alias.host, found);
  }

  /** A name that says that it is of the cluster. */
  #addWhole(host: string, found: Set<PartKey>): void {
    for (const suffix of nameSuffixes(this.#mesh.clusterDomain)) {
      if (host.endsWith(suffix)) this.#addQualified(host.slice(0, -suffix.length), found);
    }
  }

  #addPod(namespace: string, service: string, pod: string, found: Set<PartKey>): void {
    const key = routeKey(`${namespace}/${service}`);
    const part = this.#mesh.at(key);
    if (part === undefined || !("service" in part) || part.service === undefined) return;
    if (part.service.podHosts.includes(pod)) found.add(key);
  }
}

/** Whether any Service may be meant by a host, in lower case; most names outside a cluster are longer than those within. */
export function mayBeOfMesh(host: string, clusterDomain: string): boolean {
  if (host.length > NAME_LENGTH_MAX || !/^[-_.:a-z0-9]+$/.test(host)) return false;
  const suffix = nameSuffixes(clusterDomain).find((each) => host.endsWith(each)) ?? "";
  const labels = host.slice(0, host.length - suffix.length).split(".");
  return labels.length <= 3 || canonicalIp(host) !== null;
}

const NONE: readonly string[] = [];

/** What else names a Service than its own name. */
function namesOf(part: Part | undefined): string {
  if (part === undefined) return "";
  if ("alias" in part && part.alias !== undefined) return `alias ${part.alias.host}`;
  return "service" in part && part.service !== undefined
    ? `service ${part.service.podHosts.join(" ")}`
    : "";
}

function serviceAddresses(part: Part | undefined): readonly string[] {
  if (part === undefined || !("service" in part) || part.service === undefined) return NONE;
  return part.service.clusterIps;
}

function endpointAddresses(part: Part | undefined): readonly string[] {
  return part !== undefined && "endpoints" in part
    ? part.endpoints.map(({ address }) => address)
    : NONE;
}

/** Service keys by address. Nearly always one Service has an address, so that one is kept without a list. */
class Buckets {
  readonly #byAddress = new Map<string, PartKey | readonly PartKey[]>();

  /** @param key of a route, or of a group of its Service; false: nothing is different */
  move(key: PartKey, before: readonly string[], after: readonly string[]): boolean {
    if (before.length === after.length && before.every((each, i) => each === after[i])) {
      return false;
    }
    for (const address of before) this.#remove(canonicalIp(address), key);
    for (const address of after) this.#add(canonicalIp(address), key);
    return true;
  }

  /** In order, each once. */
  at(address: string): PartKey[] {
    const found = this.#byAddress.get(address);
    if (found === undefined) return [];
    const keys = typeof found === "string" ? [found] : found;
    return [...new Set(keys.map(routeOf))].sort();
  }

  #add(address: string | null, key: PartKey): void {
    if (address === null) return;
    const found = this.#byAddress.get(address);
    const keys = found === undefined
      ? key
      : typeof found === "string"
      ? [found, key]
      : [...found, key];
    this.#byAddress.set(address, keys);
  }

  #remove(address: string | null, key: PartKey): void {
    if (address === null) return;
    const found = this.#byAddress.get(address);
    if (found === undefined) return;
    const keys = typeof found === "string" ? [found] : [...found];
    const at = keys.indexOf(key);
    if (at !== -1) keys.splice(at, 1);
    if (keys.length === 0) this.#byAddress.delete(address);
    else this.#byAddress.set(address, keys.length === 1 ? keys[0] : keys);
  }
}

/** `group app/web:80` is of `route app/web`. */
function routeOf(key: PartKey): PartKey {
  return key.startsWith("group ") ? routeKey(key.slice(6, key.lastIndexOf(":"))) : key;
}
