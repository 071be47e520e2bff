/**
 * ExternalName Services: names of the cluster's DNS that stand for other names (a CNAME each), so they have no endpoints of their
 * own. Follows them to the name at the end, whether that is a Service or outside the cluster.
 */
import type { Service } from "../../schemas/resources.ts";
import type { PlanAlias } from "../plan.ts";
import type { Catalog } from "./catalog.ts";
import { keyOf, keyOfMeta } from "./keys.ts";
import { groupId, type ResolvedService } from "./endpoints.ts";
import { type Findings, quoted } from "./findings.ts";
import { parseServiceName } from "./names.ts";
import { ALIASES_MAX } from "../limits.ts";

/** What may be a host; anything else that is written there stands for nothing. */
const HOST = /^[a-z0-9_]([-a-z0-9_.]*[a-z0-9_])?$/;

/**
 * What an ExternalName Service is another name of; null: nothing, or a split says what becomes of requests to it.
 * @param isRoot a split says that of this Service, by `namespace/name`
 */
export function planAlias(
  service: Service,
  catalog: Catalog,
  isRoot: (key: string) => boolean,
  findings: Findings,
): PlanAlias | null {
  const { namespace, name } = service.meta;
  if (hostOf(service) === null || isRoot(keyOf(namespace, name))) return null;
  const host = follow(service, (host) => {
    const next = serviceAt(host, catalog);
    if (next === undefined || isRoot(keyOfMeta(next.meta))) return null;
    return hostOf(next);
  });
  if (host !== null) return { namespace, name, host };
  report(service, findings);
  return null;
}

/**
 * The ports and endpoints of the Service that this one is another name of: so it may be a split's root or backend. Undefined: it is
 * none of one.
 */
export function resolveAlias(
  service: Service,
  catalog: Catalog,
  own: (key: string) => ResolvedService | undefined,
): ResolvedService | undefined {
  const host = follow(service, (host) => {
    const next = serviceAt(host, catalog);
    return next === undefined ? null : hostOf(next);
  });
  const end = host === null ? undefined : serviceAt(host, catalog);
  const target = end && own(keyOfMeta(end.meta));
  if (target === undefined) return undefined;
  const { namespace, name } = service.meta;
  const ports = target.ports.map(({ port, endpoints }) => ({
    port,
    group: groupId(namespace, name, port.port),
    endpoints,
  }));
  return { service, ports, podHosts: [] };
}

/** The host at the end of the chain; null: it has no end, or is too long. */
function follow(start: Service, next: (host: string) => string | null): string | null {
  let host = hostOf(start);
  for (let count = 1; host !== null && count <= ALIASES_MAX; count++) {
    const further = next(host);
    if (further === null) return host;
    host = further;
  }
  return null;
}

/** A CNAME is a whole name: no search path is tried for it. */
function serviceAt(host: string, catalog: Catalog): Service | undefined {
  if (!host.includes(".svc")) return undefined;
  const { name, namespace } = parseServiceName(host, catalog.clusterDomain) ?? {};
  if (name === undefined || namespace === undefined) return undefined;
  return catalog.services.get(namespace, name);
}

/** In one spelling; null: it is none of these Services, or names no host. */
function hostOf({ externalName }: Service): string | null {
  const host = externalName?.toLowerCase().replace(/\.$/, "") ?? "";
  return host.length <= 253 && HOST.test(host) ? host : null;
}

function report({ meta, externalName = "" }: Service, findings: Findings): void {
  findings.add({
    code: "alias-endless",
    meta,
    path: ["spec", "externalName"],
    message:
      `ExternalName ${quoted(externalName)} leads to ExternalName Services without end, or ` +
      `to more than ${ALIASES_MAX} of them, so it stands for nothing`,
    hint: "Name a Service that has pods, or a host outside the cluster",
  });
}
