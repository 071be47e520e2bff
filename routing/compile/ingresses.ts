/**
 * IngressBackends as the plan has them. One only ever allows, so whatever in it is not understood, or does not show in what is spoken at a
 * port, allows nothing. It opens a Service of its own namespace: what is behind it elsewhere is not its to open.
 */
import { compareText } from "../../base/order.ts";
import { DEFAULT_TRUST_DOMAIN, formatWorkloadId, parseWorkloadId } from "../../base/spiffe.ts";
import type {
  IngressBackend,
  IngressPort,
  IngressSource,
  Service,
} from "../../schemas/resources.ts";
import type { PlanEndpoint, PlanIngress, PlanIngressFrom, PlanIngressService } from "../plan.ts";
import type { ResolvedService } from "./endpoints.ts";
import { type Findings, plainList, positionOf, quoted, quotedList, refOf } from "./findings.ts";
import {
  groupMatches,
  INGRESS_CODES,
  type ReportEdge,
  reportOf,
  sortedTexts,
} from "./group_matches.ts";
import { keyOf } from "./keys.ts";
import { compareNumbers } from "./order.ts";
import type { GroupLookup } from "./route_groups.ts";

interface IngressInput {
  readonly groups: GroupLookup;
  /** By `namespace/name`. */
  readonly services: { get(key: string): ResolvedService | undefined };
  /** Whether all that runs as an account is behind a Service. */
  readonly hasAllOf: (account: string, service: Service) => boolean;
  readonly findings: Findings;
}

type Narrowed = Pick<PlanIngress, "from" | "principals" | "serverNames">;

/** What sources come to; null: nothing of the kind is asked. */
interface Asked {
  readonly from: PlanIngressFrom | null;
  readonly principals: readonly string[] | null;
}

/** For all accounts, by account, port and protocol. */
export function planIngress(ingress: IngressBackend, input: IngressInput): PlanIngress[] {
  const { meta } = ingress;
  const report = reportOf(ingress, input.findings);
  const http = groupMatches(ingress, INGRESS_CODES, input.groups, report);
  const asked = askedOf(ingress, input, report);
  return ingress.backends.flatMap((backend): PlanIngress[] => {
    const places = placesOf(ingress, backend, input, report);
    const narrowed = narrow(backend, asked, report);
    if (narrowed === null || letsNoOneIn(narrowed, http)) return [];
    return places.map((place) => ({
      ref: refOf(meta),
      position: positionOf(meta, []),
      ...place,
      port: backend.port,
      protocol: backend.protocol,
      ...narrowed,
      http,
    }));
  }).sort((a, b) =>
    compareText(a.destination, b.destination) || compareNumbers(a.port, b.port) ||
    compareText(a.protocol, b.protocol)
  );
}

/** Whether something is asked for that nothing satisfies. */
function letsNoOneIn(
  { from, principals, serverNames }: Narrowed,
  http: PlanIngress["http"],
): boolean {
  return [from && [...from.ranges, ...from.services], principals, serverNames, http]
    .some((list) => list?.length === 0);
}

function askedOf({ sources }: IngressBackend, input: IngressInput, report: ReportEdge): Asked {
  const of = (...kinds: readonly string[]) => {
    // What cannot be read may have been any of them.
    const isAsked = sources.some(({ kind }) => !isKnown(kind) || kinds.includes(kind));
    const own = sources.filter(({ kind }) => kind !== null && kinds.includes(kind));
    return isAsked ? own : undefined;
  };
  for (const { kind, at } of sources) {
    if (kind === null || isKnown(kind)) continue;
    report([...at, "kind"], "ingress-kind-unsupported", {
      message: `Kind ${quoted(kind)} lets no one in: Weft knows ${quotedList(SOURCES)} here`,
      hint: `Use one of ${quotedList(SOURCES)}`,
    });
  }
  const places = of("Service", "IPRange");
  const ranges = places?.filter(({ kind, name }) => kind === "IPRange" && name !== "");
  const services = places?.filter(({ kind }) => kind === "Service");
  const principals = of("AuthenticatedPrincipal")?.flatMap((source) =>
    principalOf(source, report) ?? []
  );
  const from = places === undefined ? null : {
    ranges: sortedTexts(ranges?.map(({ name }) => name)) ?? [],
    services: sourceServices(services ?? [], input, report),
  };
  return { from, principals: sortedTexts(principals) };
}

const SOURCES = ["Service", "IPRange", "AuthenticatedPrincipal"];

function isKnown(kind: string | null): kind is string {
  return kind !== null && SOURCES.includes(kind);
}

/** Each once, by name. */
function sourceServices(
  sources: readonly IngressSource[],
  { services }: IngressInput,
  report: ReportEdge,
): PlanIngressService[] {
  const found = new Map<string, PlanIngressService>();
  for (const { namespace, name, at } of sources) {
    const service = keyOf(namespace, name);
    const resolved = services.get(service);
    if (resolved === undefined) {
      report([...at, "name"], "ingress-source-missing", {
        message: `There is no Service ${quoted(service)} in the mesh, so no one is let in by it`,
        hint: "Correct the name, or take its namespace into the mesh: its pods need no sidecar",
      });
      continue;
    }
    const addresses = addressesOf(resolved.ports.flatMap(({ endpoints }) => endpoints));
    found.set(service, { service, addresses });
  }
  return [...found.values()].sort((a, b) => compareText(a.service, b.service));
}

/** `NAME.NAMESPACE.TRUST-DOMAIN` is how OSM writes an account. */
const ACCOUNT_NAME = /^([^./]+)\.([^./]+)\.([^/]+)$/;

function principalOf({ name, at }: IngressSource, report: ReportEdge): string | undefined {
  const [, account = "", namespace = "", trustDomain = ""] = ACCOUNT_NAME.exec(name) ?? [];
  const spelt = account === ""
    ? name
    : formatWorkloadId({ trustDomain, identity: keyOf(namespace, account) });
  if (parseWorkloadId(spelt) !== null) return spelt;
  const example = formatWorkloadId({
    trustDomain: DEFAULT_TRUST_DOMAIN,
    identity: "ingress/nginx",
  });
  report([...at, "name"], "ingress-principal-unsupported", {
    message: `${quoted(name)} is no service account, so no certificate shows it`,
    hint: `Write its SPIFFE id, such as ${quoted(example)}`,
  });
  return undefined;
}

/** What a backend asks of a caller. Null: what is spoken there does not show it. */
function narrow(
  { port, protocol, skipsCertificate, serverNames, at }: IngressPort,
  { from, principals }: Asked,
  report: ReportEdge,
): Narrowed | null {
  const blind = (why: string, hint: string) => {
    const message = `Port ${port} (${protocol}) lets no one in: ${why}`;
    report(at, "ingress-port-blind", { message, hint });
    return null;
  };
  if (protocol === "http") {
    if (serverNames !== undefined) {
      return blind("what comes in plain names no server", "Remove tls, or write https");
    }
    if (from === null) {
      return blind(
        "who comes in plain shows nothing but an address",
        'Add a source of kind "Service" or "IPRange", or write https',
      );
    }
    return { from, principals: null, serverNames: null };
  }
  if (!skipsCertificate && principals === null) {
    return blind(
      "no source says whose certificate counts",
      'Add a source of kind "AuthenticatedPrincipal", or tls.skipClientCertValidation: true',
    );
  }
  return {
    from,
    principals: skipsCertificate ? null : principals,
    serverNames: sortedTexts(serverNames),
  };
}

/** Which pods listen at a backend's port, by account. */
function placesOf(
  { meta: { namespace } }: IngressBackend,
  { service: name, port, at }: IngressPort,
  { services, hasAllOf }: IngressInput,
  report: ReportEdge,
): Pick<PlanIngress, "destination" | "pods">[] {
  const resolved = services.get(keyOf(namespace, name));
  if (resolved === undefined) {
    report([...at, "name"], "ingress-backend-missing", {
      message: `There is no Service ${quoted(name)} in namespace ${quoted(namespace)}`,
      hint: "Correct the name: an IngressBackend is of the namespace of its Services",
    });
    return [];
  }
  const all = resolved.ports.flatMap(({ endpoints }) => endpoints);
  const own = all.filter((endpoint) => endpoint.port === port);
  if (own.length === 0 && all.length > 0) {
    const ports = [...new Set(all.map((endpoint) => endpoint.port))].sort(compareNumbers);
    report([...at, "port", "number"], "ingress-backend-missing", {
      message: `Service ${quoted(name)} has no pod that listens at ${port}`,
      hint: `Write the port of the pods (targetPort): ${plainList(ports)}`,
    });
  }
  const byAccount = Map.groupBy(own, ({ identity }) => identity);
  return [...byAccount].filter(([account]) => account.startsWith(`${namespace}/`))
    .map(([destination, endpoints]) => ({
      destination,
      pods: hasAllOf(destination, resolved.service) ? null : addressesOf(endpoints),
    }));
}

function addressesOf(endpoints: readonly PlanEndpoint[]): string[] {
  const addresses = endpoints.map(({ address }) => address).filter((address) => address !== "");
  return [...new Set(addresses)].sort(compareText);
}
