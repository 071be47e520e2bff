/**
 * The rules that bring a pod's TCP to its proxy, as lines of an `iptables-restore` document. Pure text: what is captured
 * comes from settings.ts, and run.ts puts the rules in force.
 *
 *     PREROUTING ──► WEFT_INBOUND ──────► WEFT_INBOUND_REDIRECT ──► inbound listener
 *                        ▲ hairpin
 *     OUTPUT ──────► WEFT_OUTBOUND ─────► WEFT_OUTBOUND_REDIRECT ─► outbound listener
 *
 * RETURN anywhere means: not captured. Only the nat table is touched, and of it only these chains and one jump to them
 * from each built-in chain.
 */
import { PROXY_PORTS } from "../../base/sidecar_pod.ts";
import type { IpRange, IpVersion, PortRange } from "../../base/capture_lists.ts";
import type { CaptureScope, CaptureSettings } from "./settings.ts";

const INBOUND = "WEFT_INBOUND";
const INBOUND_REDIRECT = "WEFT_INBOUND_REDIRECT";
const OUTBOUND = "WEFT_OUTBOUND";
const OUTBOUND_REDIRECT = "WEFT_OUTBOUND_REDIRECT";

const CHAINS = [INBOUND, INBOUND_REDIRECT, OUTBOUND, OUTBOUND_REDIRECT];

/** How the built-in chains of the nat table lead into ours. */
export const JUMPS: readonly (readonly [chain: string, ...rule: string[]])[] = [
  ["PREROUTING", "-p", "tcp", "-j", INBOUND],
  ["OUTPUT", "-p", "tcp", "-j", OUTBOUND],
];

const LOOPBACK: Readonly<Record<IpVersion, string>> = { 4: "127.0.0.0/8", 6: "::1/128" };

/**
 * A document for `iptables-restore --noflush` (or `ip6tables-restore`). A chain that it declares is made, or emptied where
 * it is there, and everything takes effect at once: so it may be applied any number of times.
 */
export function captureDocument(settings: CaptureSettings, version: IpVersion): string {
  return documentOf([
    ...CHAINS.map((chain) => `:${chain} - [0:0]`),
    ...inboundRules(settings, version),
    ...outboundRules(settings, version),
  ]);
}

/** A document that removes our chains, whether or not they are there. The jumps to them must be gone. */
export function cleanDocument(): string {
  return documentOf([
    ...CHAINS.map((chain) => `:${chain} - [0:0]`),
    ...CHAINS.map((chain) => `-X ${chain}`),
  ]);
}

function documentOf(lines: readonly string[]): string {
  return `*nat\n${lines.join("\n")}\nCOMMIT\n`;
}

function inboundRules(
  { inbound, excludedInterfaces }: CaptureSettings,
  version: IpVersion,
): string[] {
  return [
    ...excludedInterfaces.map((name) => `-A ${INBOUND} -i ${name} -j RETURN`),
    ...PROXY_PORTS.map((ports) => `-A ${INBOUND} ${matchPorts(ports)} -j RETURN`),
    ...scopeRules(inbound, version, { chain: INBOUND, redirect: INBOUND_REDIRECT, side: "-s" }),
  ];
}

function outboundRules(settings: CaptureSettings, version: IpVersion): string[] {
  const { outbound, excludedInterfaces, proxyUid, proxyGid, hasHairpin } = settings;
  const loopback = LOOPBACK[version];
  const hairpin = `-o lo ! -d ${loopback} -m owner --uid-owner ${proxyUid}`;
  return [
    ...excludedInterfaces.map((name) => `-A ${OUTBOUND} -o ${name} -j RETURN`),
    // The application calls a Service that it is itself an endpoint of: the proxy's connection to this very pod
    // must come in as any other would, by the inbound listener.
    ...(hasHairpin ? [`-A ${OUTBOUND} ${hairpin} -j ${INBOUND}`] : []),
    // What the proxy sends must never come back to it.
    `-A ${OUTBOUND} -m owner --uid-owner ${proxyUid} -j RETURN`,
    `-A ${OUTBOUND} -m owner --gid-owner ${proxyGid} -j RETURN`,
    // Within the pod: the application and itself, or the proxy's admin port.
    `-A ${OUTBOUND} -o lo -j RETURN`,
    `-A ${OUTBOUND} -d ${loopback} -j RETURN`,
    ...scopeRules(outbound, version, { chain: OUTBOUND, redirect: OUTBOUND_REDIRECT, side: "-d" }),
  ];
}

/**
 * Exclusions come before inclusions, so that what is in both lists is not captured. The redirecting chain holds the
 * included ports, so that ranges and ports both have to hold without a rule for every pair.
 */
function scopeRules(
  scope: CaptureScope,
  version: IpVersion,
  { chain, redirect, side }: { chain: string; redirect: string; side: "-s" | "-d" },
): string[] {
  const target = `-j REDIRECT --to-ports ${scope.listenerPort}`;
  const ofVersion = (ranges: readonly IpRange[]) =>
    ranges.filter((range) => range.version === version).map(({ text }) => text);
  return [
    ...scope.excludedPorts.map((ports) => `-A ${chain} ${matchPorts(ports)} -j RETURN`),
    ...ofVersion(scope.excludedRanges).map((range) => `-A ${chain} ${side} ${range} -j RETURN`),
    ...(scope.includedRanges === null
      ? [`-A ${chain} -j ${redirect}`]
      : ofVersion(scope.includedRanges).map((range) =>
        `-A ${chain} ${side} ${range} -j ${redirect}`
      )),
    ...(scope.includedPorts === null
      ? [`-A ${redirect} -p tcp ${target}`]
      : scope.includedPorts.map((ports) => `-A ${redirect} ${matchPorts(ports)} ${target}`)),
  ];
}

function matchPorts({ first, last }: PortRange): string {
  return `-p tcp --dport ${first === last ? first : `${first}:${last}`}`;
}
