/**
 * HostIndex: which Service (or single pod) an authority names, for clients of one namespace. Knows
 * every spelling that Kubernetes DNS resolves for such a client (smi-facts 3.10): `service` and
 * `pod.service` in the client's own namespace; `service.namespace` and `pod.service.namespace`,
 * alone or followed by `.svc`, by `.svc.` and the cluster domain's first label, or by `.svc.` and
 * the cluster domain; ClusterIPs. Each in any case, with or without a port, with or without a
 * trailing dot.
 */
import { lowerByte, NameIndex } from "../match/name_index.ts";
import type { PlanAlias, PlanService } from "../plan.ts";

const COLON = 0x3a;
const DOT = 0x2e;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** An authority taken apart; reused, so that looking up allocates nothing. */
export class HostMatch {
  /** False: the authority is neither `host` nor `host:port`. */
  isValid = false;
  /** -1: the authority has no port. */
  port = -1;
  /** The host without port, brackets and trailing dot, as offsets into the bytes given. */
  nameStart = 0;
  nameEnd = 0;
  /** The host was written in brackets. */
  isIpv6 = false;
  /** Index into the services; -1: not known. */
  service = -1;
  /** Index into the service's `podHosts`; -1: the Service itself. */
  pod = -1;
  /** The ExternalName Service that the host names. It is outside the mesh where `service` is -1; null: it names none. */
  alias: PlanAlias | null = null;
}

/** What an index entry names. */
interface HostTarget {
  readonly service: number;
  readonly pod: number;
  readonly alias: PlanAlias | null;
}

const encoder = new TextEncoder();

export class HostIndex {
  /** Names that stand alone: short names of the client's namespace, and IPv4 ClusterIPs. */
  readonly #bare: NameIndex;
  /** `service.namespace` and `pod.service.namespace`. */
  readonly #qualified: NameIndex;
  /** IPv6 ClusterIPs, as 16 bytes in hexadecimal. */
  readonly #ipv6: NameIndex;
  readonly #targets: readonly HostTarget[];
  /** What may follow a qualified name, longest first. */
  readonly #suffixes: readonly Uint8Array[];

  constructor(
    services: readonly PlanService[],
    clientNamespace: string,
    clusterDomain: string,
    aliases: readonly PlanAlias[] = [],
  ) {
    const targets: HostTarget[] = [];
    const bare: [string, number][] = [];
    const qualified: [string, number][] = [];
    const ipv6: [string, number][] = [];
    services.forEach((service, index) => {
      const target = targets.push({ service: index, pod: -1, alias: null }) - 1;
      qualified.push([`${service.name}.${service.namespace}`, target]);
      if (service.namespace === clientNamespace) bare.push([service.name, target]);
      for (const address of service.clusterIps) {
        if (!address.includes(":")) bare.push([address, target]);
        else ipv6.push([ipv6Key(encoder.encode(address)), target]);
      }
    });
    // After all Services, so that a Service's own name wins over a pod's of the same spelling.
    services.forEach((service, index) => {
      service.podHosts.forEach((pod, podIndex) => {
        const target = targets.push({ service: index, pod: podIndex, alias: null }) - 1;
        const name = `${pod}.${service.name}`;
        qualified.push([`${name}.${service.namespace}`, target]);
        if (service.namespace === clientNamespace) bare.push([name, target]);
      });
    });
    const label = clusterDomain.split(".")[0];
    const suffixes = [`.svc.${clusterDomain}`, `.svc.${label}`, ".svc"]
      .map((suffix) => suffix.toLowerCase());
    const known = new NameIndex(qualified);
    for (const alias of aliases) {
      const { namespace, name, host } = alias;
      // Names outside the cluster are whole: of its own only those count that say so.
      const suffix = suffixes.find((each) => host.endsWith(each));
      const inside = encoder.encode(suffix === undefined ? "" : host.slice(0, -suffix.length));
      const found = known.get(inside, 0, inside.length);
      const { service, pod } = found === -1 ? { service: -1, pod: -1 } : targets[found];
      const target = targets.push({ service, pod, alias }) - 1;
      qualified.push([`${name}.${namespace}`, target]);
      if (namespace === clientNamespace) bare.push([name, target]);
    }
    this.#targets = targets;
    this.#bare = new NameIndex(bare);
    this.#qualified = new NameIndex(qualified);
    this.#ipv6 = new NameIndex(ipv6);
    this.#suffixes = suffixes.map((suffix) => encoder.encode(suffix));
  }

  /** Takes `bytes[start, end)` apart and looks it up. */
  find(bytes: Uint8Array, start: number, end: number, match: HostMatch): void {
    match.service = -1;
    match.pod = -1;
    match.alias = null;
    splitAuthority(bytes, start, end, match);
    if (!match.isValid) return;
    const target = match.isIpv6
      ? this.#lookUpIpv6(bytes.subarray(match.nameStart, match.nameEnd))
      : this.#lookUp(bytes, match.nameStart, match.nameEnd);
    if (target === -1) return;
    match.service = this.#targets[target].service;
    match.pod = this.#targets[target].pod;
    match.alias = this.#targets[target].alias;
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
    return this.#ipv6.get(key, 0, key.length);
  }
}

/** Sets all of `match` but `service` and `pod`. */
function splitAuthority(bytes: Uint8Array, start: number, end: number, match: HostMatch): void {
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
