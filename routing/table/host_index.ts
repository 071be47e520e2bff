/**
 * HostIndex: which Service (or single pod) an authority names, for clients of one namespace. Knows
 * every spelling that Kubernetes DNS resolves for such a client (smi-facts 3.10): `service` and
 * `pod.service` in the client's own namespace; `service.namespace` and `pod.service.namespace`,
 * alone or followed by `.svc`, by `.svc.` and the cluster domain's first label, or by `.svc.` and
 * the cluster domain; ClusterIPs. Each in any case, with or without a port, with or without a
 * trailing dot.
 */
import { lowerByte, NameIndex } from "../match/name_index.ts";
import type { Plan, PlanAlias, PlanService } from "../plan.ts";

const COLON = 0x3a;
const DOT = 0x2e;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** A Service of a table; a test has less. */
interface NamedService {
  readonly plan: PlanService;
}

/** An authority taken apart; reused, so that looking up allocates nothing. */
export class HostMatch<Service extends NamedService> {
  /** False: the authority is neither `host` nor `host:port`. */
  isValid = false;
  /** -1: the authority has no port. */
  port = -1;
  /** The host without port, brackets and trailing dot, as offsets into the bytes given. */
  nameStart = 0;
  nameEnd = 0;
  /** The host was written in brackets. */
  isIpv6 = false;
  /** Null: not known. */
  service: Service | null = null;
  /** Index into the service's `podHosts`; -1: the Service itself. */
  pod = -1;
  /** The ExternalName Service that the host names. It is outside the mesh where `service` is null; null: it names none. */
  alias: PlanAlias | null = null;
}

/** What names stand for: a Service, one of its pods, or an alias. */
interface HostTarget<Service extends NamedService> {
  readonly service: Service | null;
  readonly pod: number;
  readonly alias: HostAlias | null;
}

interface HostAlias {
  readonly plan: PlanAlias;
  /** The qualified name that it leads to; empty: it leads out of the cluster. */
  readonly leadsTo: Uint8Array;
}

/** A target with its names. */
interface Entry<Service extends NamedService> {
  readonly target: HostTarget<Service>;
  /** `service.namespace` or `pod.service.namespace`. */
  readonly qualified: readonly string[];
  /** Names that stand alone: short names of the client's namespace, and IPv4 ClusterIPs. */
  readonly bare: readonly string[];
  /** IPv6 ClusterIPs, as 16 bytes in hexadecimal. */
  readonly ipv6: readonly string[];
}

/** The kinds of names, each with an index of its own. */
const KINDS = ["qualified", "bare", "ipv6"] as const;

type Indexes = Record<typeof KINDS[number], NameIndex>;

/** What the index of one plan is. */
interface Contents<Service extends NamedService> {
  readonly indexes: Indexes;
  readonly targets: readonly HostTarget<Service>[];
  /** Places in `targets` that no name stands for. */
  readonly free: readonly number[];
  readonly aliases: readonly PlanAlias[];
}

/** What a plan has to say of names, besides its Services. */
type PlanNames = Pick<Plan, "clusterDomain" | "aliases">;

interface Changes<Service extends NamedService> {
  readonly gone: readonly Service[];
  readonly come: readonly Service[];
}

const encoder = new TextEncoder();
const OUTSIDE = { service: null, pod: -1, alias: null };

export class HostIndex<Service extends NamedService> {
  readonly #namespace: string;
  readonly #clusterDomain: string;
  readonly #contents: Contents<Service>;
  readonly #qualified: NameIndex;
  readonly #bare: NameIndex;
  readonly #targets: readonly HostTarget<Service>[];
  /** What may follow a qualified name, longest first. */
  readonly #suffixes: readonly Uint8Array[];

  constructor(
    services: readonly Service[],
    namespace: string,
    { clusterDomain, aliases = [] }: PlanNames,
    contents: Contents<Service> = contentsOf(services, namespace, clusterDomain, aliases),
  ) {
    this.#namespace = namespace;
    this.#clusterDomain = clusterDomain;
    this.#contents = contents;
    this.#qualified = contents.indexes.qualified;
    this.#bare = contents.indexes.bare;
    this.#targets = contents.targets;
    this.#suffixes = nameSuffixes(clusterDomain).map((suffix) => encoder.encode(suffix));
  }

  /**
   * The index of a later plan, for the same client. What did not change is shared.
   * @param all in the plan's order, where all has to be looked at
   */
  after(
    changes: Changes<Service>,
    all: () => readonly Service[],
    plan: PlanNames,
  ): HostIndex<Service> {
    const isMany = 2 * (changes.gone.length + changes.come.length) > this.#targets.length;
    const contents = plan.clusterDomain !== this.#clusterDomain || isMany
      ? null
      : this.#contentsAfter(changes, plan.aliases ?? []);
    return contents === null
      ? new HostIndex(all(), this.#namespace, plan)
      : new HostIndex([], this.#namespace, plan, contents);
  }

  /** Null: equal names can only be told apart with all of them at hand. */
  #contentsAfter(
    { gone, come }: Changes<Service>,
    aliases: readonly PlanAlias[],
  ): Contents<Service> | null {
    const { aliases: knownAliases, free, indexes } = this.#contents;
    if (indexes.qualified.hasEqualNames) return null;
    const namespace = this.#namespace;
    const before = [
      ...gone.flatMap((service) => entriesOf(service, namespace)),
      ...this.#aliasEntries(knownAliases, aliases),
    ];
    const after = [
      ...come.flatMap((service) => entriesOf(service, namespace)),
      ...this.#aliasEntries(aliases, knownAliases),
    ];
    const next = { targets: [...this.#targets], free: [...free] };
    const names = new NameChanges();
    const rest = new Map(before.map((entry) => [entry.qualified[0], entry]));
    const added: Entry<Service>[] = [];
    for (const entry of after) {
      const was = rest.get(entry.qualified[0]);
      if (was === undefined || !hasSameNames(was, entry)) added.push(entry);
      else {
        next.targets[this.#numberOf(was)] = entry.target;
        rest.delete(entry.qualified[0]);
      }
    }
    for (const entry of rest.values()) {
      const number = this.#numberOf(entry);
      next.targets[number] = OUTSIDE;
      next.free.push(number);
      names.remove(entry);
    }
    for (const entry of added) {
      const number = next.free.pop() ?? next.targets.length;
      next.targets[number] = entry.target;
      names.add(entry, number);
    }
    const changed = names.apply(indexes);
    return changed === null ? null : { ...next, indexes: changed, aliases };
  }

  /** Of the aliases that are not among `others`. */
  #aliasEntries(
    aliases: readonly PlanAlias[],
    others: readonly PlanAlias[],
  ): Entry<Service>[] {
    if (aliases === others) return [];
    const known = new Set(others.map(aliasText));
    return aliases.filter((alias) => !known.has(aliasText(alias)))
      .map((alias) => entryOfAlias(alias, this.#namespace, nameSuffixes(this.#clusterDomain)));
  }

  #numberOf({ qualified: [name] }: Entry<Service>): number {
    const bytes = encoder.encode(name);
    return this.#qualified.get(bytes, 0, bytes.length);
  }

  /** Takes `bytes[start, end)` apart and looks it up. */
  find(bytes: Uint8Array, start: number, end: number, match: HostMatch<Service>): void {
    match.service = null;
    match.pod = -1;
    match.alias = null;
    splitAuthority(bytes, start, end, match);
    if (!match.isValid) return;
    const number = match.isIpv6
      ? this.#lookUpIpv6(bytes.subarray(match.nameStart, match.nameEnd))
      : this.#lookUp(bytes, match.nameStart, match.nameEnd);
    if (number === -1) return;
    const named = this.#targets[number];
    const target = named.alias === null ? named : this.#behind(named.alias);
    match.service = target.service;
    match.pod = target.pod;
    match.alias = named.alias === null ? null : named.alias.plan;
  }

  /** Where an alias leads to; another alias is no such place. */
  #behind({ leadsTo }: HostAlias): HostTarget<Service> {
    const number = this.#qualified.get(leadsTo, 0, leadsTo.length);
    const target = number === -1 ? OUTSIDE : this.#targets[number];
    return target.alias === null ? target : OUTSIDE;
  }

  #lookUp(bytes: Uint8Array, start: number, end: number): number {
    for (const suffix of this.#suffixes) {
      if (!endsWith(bytes, start, end, suffix)) continue;
      const found = this.#qualified.get(bytes, start, end - suffix.length);
      if (found !== -1) return found;
    }
    const found = this.#qualified.get(bytes, start, end);
    return found !== -1 ? found : this.#bare.get(bytes, start, end);
  }

  /**
   * IPv6 has many spellings of one address; the text is normalised first. Rare, so it may allocate.
   */
  #lookUpIpv6(text: Uint8Array): number {
    const key = encoder.encode(ipv6Key(text));
    return this.#contents.indexes.ipv6.get(key, 0, key.length);
  }
}

/** Names that come and go, by their kinds. */
class NameChanges {
  readonly #gone = { qualified: [] as string[], bare: [] as string[], ipv6: [] as string[] };
  readonly #come = { qualified: [] as Entries, bare: [] as Entries, ipv6: [] as Entries };

  remove(entry: Pick<Entry<NamedService>, typeof KINDS[number]>): void {
    for (const kind of KINDS) this.#gone[kind].push(...entry[kind]);
  }

  add(entry: Pick<Entry<NamedService>, typeof KINDS[number]>, number: number): void {
    for (const kind of KINDS) {
      for (const name of entry[kind]) this.#come[kind].push([name, number]);
    }
  }

  /** Null: some are equal. */
  apply(indexes: Indexes): Indexes | null {
    const changed = { ...indexes };
    for (const kind of KINDS) {
      const [gone, come] = [this.#gone[kind], this.#come[kind]];
      if (gone.length + come.length === 0) continue;
      const index = indexes[kind].after(gone, come);
      if (index === null) return null;
      changed[kind] = index;
    }
    return changed;
  }

  /** An index of those that come, and of no others. */
  whole(): Indexes {
    const { qualified, bare, ipv6 } = this.#come;
    return {
      qualified: new NameIndex(qualified),
      bare: new NameIndex(bare),
      ipv6: new NameIndex(ipv6),
    };
  }
}

type Entries = [name: string, number: number][];

function contentsOf<Service extends NamedService>(
  services: readonly Service[],
  namespace: string,
  clusterDomain: string,
  aliases: readonly PlanAlias[],
): Contents<Service> {
  const entries = services.map((service) => entriesOf(service, namespace));
  const suffixes = nameSuffixes(clusterDomain);
  const names = new NameChanges();
  const targets: HostTarget<Service>[] = [];
  const add = (entry: Entry<Service>) => names.add(entry, targets.push(entry.target) - 1);
  // Pods after all Services, so that a Service's own name wins over a pod's of the same spelling.
  for (const [own] of entries) add(own);
  for (const [_, ...pods] of entries) for (const pod of pods) add(pod);
  for (const alias of aliases) add(entryOfAlias(alias, namespace, suffixes));
  return { indexes: names.whole(), targets, free: [], aliases };
}

/** A Service's own entry, and one for each of its pods that has a name. */
function entriesOf<Service extends NamedService>(
  service: Service,
  clientNamespace: string,
): [Entry<Service>, ...Entry<Service>[]] {
  const { name, namespace, clusterIps, podHosts } = service.plan;
  const isOwn = namespace === clientNamespace;
  const ipv4 = clusterIps.filter((address) => !address.includes(":"));
  const ipv6 = clusterIps.filter((address) => address.includes(":"));
  const pods = podHosts.map((pod, index): Entry<Service> => ({
    target: { service, pod: index, alias: null },
    qualified: [`${pod}.${name}.${namespace}`],
    bare: isOwn ? [`${pod}.${name}`] : [],
    ipv6: [],
  }));
  const own: Entry<Service> = {
    target: { service, pod: -1, alias: null },
    qualified: [`${name}.${namespace}`],
    bare: isOwn ? [name, ...ipv4] : ipv4,
    ipv6: ipv6.map((address) => ipv6Key(encoder.encode(address))),
  };
  return [own, ...pods];
}

function entryOfAlias<Service extends NamedService>(
  alias: PlanAlias,
  clientNamespace: string,
  suffixes: readonly string[],
): Entry<Service> {
  const { namespace, name, host } = alias;
  // Names outside the cluster are whole: of its own only those count that say so.
  const suffix = suffixes.find((each) => host.endsWith(each));
  const leadsTo = encoder.encode(suffix === undefined ? "" : host.slice(0, -suffix.length));
  return {
    target: { service: null, pod: -1, alias: { plan: alias, leadsTo } },
    qualified: [`${name}.${namespace}`],
    bare: namespace === clientNamespace ? [name] : [],
    ipv6: [],
  };
}

function hasSameNames(some: Entry<NamedService>, other: Entry<NamedService>): boolean {
  return KINDS.every((kind) =>
    some[kind].length === other[kind].length &&
    some[kind].every((name, i) => name === other[kind][i])
  );
}

function aliasText({ namespace, name, host }: PlanAlias): string {
  return `${namespace} ${name} ${host}`;
}

/** What may follow a qualified name, longest first. */
export function nameSuffixes(clusterDomain: string): string[] {
  const label = clusterDomain.split(".")[0];
  return [`.svc.${clusterDomain}`, `.svc.${label}`, ".svc"].map((suffix) => suffix.toLowerCase());
}

/** Sets all of `match` that is about the authority itself. */
function splitAuthority(
  bytes: Uint8Array,
  start: number,
  end: number,
  match: HostMatch<NamedService>,
): void {
  match.isValid = false;
  match.port = -1;
  match.isIpv6 = start < end && bytes[start] === OPEN_BRACKET;
  let nameStart = start;
  let nameEnd = end;
  let portStart = -1;
  if (match.isIpv6) {
    const close = bytes.indexOf(CLOSE_BRACKET, start);
    if (close === -1 || close >= end) return;
    nameStart = start + 1;
    nameEnd = close;
    if (close + 1 < end) {
      if (bytes[close + 1] !== COLON) return;
      portStart = close + 2;
    }
  } else {
    // Ports have at most five digits: the colon is near the end or there is none.
    const searchFrom = Math.max(start, end - 6);
    for (let i = end - 1; i >= searchFrom; i--) {
      if (bytes[i] !== COLON) continue;
      nameEnd = i;
      portStart = i + 1;
      break;
    }
    if (nameEnd > nameStart && bytes[nameEnd - 1] === DOT) nameEnd--;
  }
  if (nameStart === nameEnd) return;
  if (portStart !== -1 && portStart < end) {
    const port = parsePort(bytes, portStart, end);
    if (port === -1) return;
    match.port = port;
  }
  match.nameStart = nameStart;
  match.nameEnd = nameEnd;
  match.isValid = true;
}

/** Decimal digits as a port number, or -1. */
function parsePort(bytes: Uint8Array, start: number, end: number): number {
  let port = 0;
  for (let i = start; i < end; i++) {
    const digit = bytes[i] - 0x30;
    if (digit < 0 || digit > 9) return -1;
    port = port * 10 + digit;
    if (port > 65535) return -1;
  }
  return port;
}

function endsWith(bytes: Uint8Array, start: number, end: number, suffix: Uint8Array): boolean {
  let j = end - suffix.length;
  if (j <= start) return false;
  for (let i = 0; i < suffix.length; i++, j++) {
    if (lowerByte(bytes[j]) !== suffix[i]) return false;
  }
  return true;
}

/** One spelling for all spellings of an IPv6 address; text that is not one comes back as it is. */
function ipv6Key(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(lowerByte(byte));
  const dotted = /^(.*:)(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (dotted !== null) {
    const [, head, a, b, c, d] = dotted;
    text = `${head}${(Number(a) * 256 + Number(b)).toString(16)}:` +
      (Number(c) * 256 + Number(d)).toString(16);
  }
  const halves = text.split("::");
  if (halves.length > 2) return text;
  const groups = halves.map((half) => half === "" ? [] : half.split(":"));
  const zeros = halves.length === 2 ? 8 - groups[0].length - groups[1].length : 0;
  if (zeros < 0) return text;
  const all = [...groups[0], ...new Array<string>(zeros).fill("0"), ...(groups[1] ?? [])];
  if (all.length !== 8 || !all.every((group) => /^[0-9a-f]{1,4}$/.test(group))) return text;
  return all.map((group) => group.padStart(4, "0")).join("");
}
