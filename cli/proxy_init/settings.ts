/** Options of `weft proxy-init` to what is to be captured. Checks every value; runs nothing. */
import {
  type IpRange,
  parseIpRange,
  parsePortRange,
  type PortRange,
  wordsOfList,
} from "../../base/capture_lists.ts";
import { usageFailure } from "../../console/exit.ts";
import { parseWhole } from "../../console/values.ts";
import { USER_ID_MAX } from "../limits.ts";

/** As commander parses them. */
export interface ProxyInitOptions {
  readonly outboundPort: string;
  readonly inboundPort: string;
  readonly proxyUid: string;
  readonly proxyGid: string;
  readonly outboundPortExclusionList?: string | undefined;
  readonly outboundPortInclusionList?: string | undefined;
  readonly outboundIpRangeExclusionList?: string | undefined;
  readonly outboundIpRangeInclusionList?: string | undefined;
  readonly inboundPortExclusionList?: string | undefined;
  readonly inboundPortInclusionList?: string | undefined;
  readonly inboundIpRangeExclusionList?: string | undefined;
  readonly inboundIpRangeInclusionList?: string | undefined;
  readonly networkInterfaceExclusionList?: string | undefined;
  /** Commander's spelling of `--no-hairpin`. */
  readonly hairpin: boolean;
  readonly ipVersion: "both" | "4" | "6";
  readonly backend: IptablesBackend;
  readonly clean: boolean;
  readonly dryRun: boolean;
  readonly yes: boolean;
}

/** Which of the system's iptables is called: `default` is what the system has chosen. */
export type IptablesBackend = "default" | "nft" | "legacy";

/** What of one direction's TCP is captured. */
export interface CaptureScope {
  /** The proxy's listener. */
  readonly listenerPort: number;
  readonly excludedPorts: readonly PortRange[];
  /** Null: every port. */
  readonly includedPorts: readonly PortRange[] | null;
  /** Of the destination outbound, of the source inbound. */
  readonly excludedRanges: readonly IpRange[];
  /** Null: every address. */
  readonly includedRanges: readonly IpRange[] | null;
}

export interface CaptureSettings {
  readonly outbound: CaptureScope;
  readonly inbound: CaptureScope;
  readonly proxyUid: number;
  readonly proxyGid: number;
  /** Interfaces on which nothing is captured, in either direction. */
  readonly excludedInterfaces: readonly string[];
  /** Whether what the proxy sends to this pod's own addresses passes its inbound listener. */
  readonly hasHairpin: boolean;
}

/**
 * Everything that is to be captured.
 * @throws {CommandFailure} a value is not what its option takes; exit code 2
 */
export function captureSettings(options: ProxyInitOptions): CaptureSettings {
  const settings: CaptureSettings = {
    outbound: scopeOf(options, "outbound"),
    inbound: scopeOf(options, "inbound"),
    proxyUid: parseWhole(options.proxyUid, 0, USER_ID_MAX),
    proxyGid: parseWhole(options.proxyGid, 0, USER_ID_MAX),
    excludedInterfaces: wordsOf(options.networkInterfaceExclusionList).map(parseInterface),
    hasHairpin: options.hairpin,
  };
  if (settings.outbound.listenerPort === settings.inbound.listenerPort) {
    throw usageFailure("--outbound-port and --inbound-port are the same port");
  }
  return settings;
}

function scopeOf(options: ProxyInitOptions, direction: "outbound" | "inbound"): CaptureScope {
  const ports = (kind: "Exclusion" | "Inclusion") =>
    portsOf(
      options[`${direction}Port${kind}List`],
      `${direction}-port-${kind.toLowerCase()}-list`,
    );
  const ranges = (kind: "Exclusion" | "Inclusion") =>
    rangesOf(
      options[`${direction}IpRange${kind}List`],
      `${direction}-ip-range-${kind.toLowerCase()}-list`,
    );
  // An empty list includes everything: that is what an annotation that is not set comes to.
  const orAll = <Item>(items: Item[]) => items.length === 0 ? null : items;
  return {
    listenerPort: parseWhole(options[`${direction}Port`], 1, 65_535),
    excludedPorts: ports("Exclusion"),
    includedPorts: orAll(ports("Inclusion")),
    excludedRanges: ranges("Exclusion"),
    includedRanges: orAll(ranges("Inclusion")),
  };
}

function wordsOf(list: string | undefined): string[] {
  return wordsOfList(list ?? "");
}

function portsOf(list: string | undefined, option: string): PortRange[] {
  return wordsOf(list).map((word) => {
    const range = parsePortRange(word);
    if (range !== null) return range;
    throw usageFailure(
      `"${word}" in --${option} is not a port`,
      "Write ports from 1 to 65535 with commas between them; 8000-8080 is a range.",
    );
  });
}

function rangesOf(list: string | undefined, option: string): IpRange[] {
  return wordsOf(list).map((word) => {
    const range = parseIpRange(word);
    if (range !== null) return range;
    throw usageFailure(
      `"${word}" in --${option} is not an address range`,
      "Write ranges like 10.0.0.0/8 or fd00::/8 with commas between them.",
    );
  });
}

/** A name that Linux takes (at most 15 bytes), or its beginning and `+`, as iptables matches it. */
function parseInterface(name: string): string {
  if (/^[^\s/"'\\!:-][^\s/"'\\:]{0,14}$/.test(name)) return name;
  throw usageFailure(
    `"${name}" in --network-interface-exclusion-list is not a network interface`,
    "Write names like eth1 with commas between them; veth+ is every name that begins with veth.",
  );
}
