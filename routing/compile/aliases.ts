/**
 * ExternalName Services: names of the cluster's DNS that stand for other names (a CNAME each), so they have no endpoints of their
 * own. Follows them to the name at the end, whether that is a Service or outside the cluster.
 */
import type { Service } from "../../schemas/resources.ts";
import type { PlanAlias } from "../plan.ts";
import { type Catalog, keyOf } from "./catalog.ts";
import { groupId, type ResolvedService } from "./endpoints.ts";
import { type Findings, quoted } from "./findings.ts";
import { parseServiceName } from "./names.ts";
import { ALIASES_MAX } from "../limits.ts";

/** What may be a host; anything else that is written there stands for nothing. */
const HOST = /^[a-z0-9_]([-a-z0-9_.]*[a-z0-9_])?$/;

/**
 * By namespace, then name.
 * @param isRoot a split says what becomes of requests to this Service, by `namespace/name`
 */
export function planAliases(
  catalog: Catalog,
  clusterDomain: string,
  isRoot: (key: string) => boolean,
  findings: Findings,
): readonly PlanAlias[] {
  const aliases: PlanAlias[] = [];
  for (const service of catalog.services) {
    const { namespace, name } = service.meta;
    if (hostOf(service) === null || isRoot(keyOf(namespace, name))) continue;
    const host = follow(service, (host) => {
      const next = serviceAt(host, catalog, clusterDomain);
      if (next === undefined || isRoot(keyOf(next.meta.namespace, next.meta.name))) return null;
      return hostOf(next);
    });
    if (host === null) report(service, findings);
    else aliases.push({ namespace, name, host });
  }
  return aliases;
}

/**
 * The same Services, where an alias of one of them has its ports and endpoints: so it may be a split's root or backend.
 */
export function resolveAliases(
  catalog: Catalog,
  clusterDomain: string,
  services: ReadonlyMap<string, ResolvedService>,
): ReadonlyMap<string, ResolvedService> {
  const resolved = new Map(services);
  for (const service of catalog.services) {
    const host = follow(service, (host) => {
      const next = serviceAt(host, catalog, clusterDomain);
      return next === undefined ? null : hostOf(next);
    });
    const end = host === null ? undefined : serviceAt(host, catalog, clusterDomain);
    const target = end && services.get(keyOf(end.meta.namespace, end.meta.name));
    if (target === undefined) continue;
    const { namespace, name } = service.meta;
    const ports = target.ports.map(({ port, endpoints }) => ({
      port,
      group: groupId(namespace, name, port.port),
      endpoints,
    }));
    resolved.set(keyOf(namespace, name), { service, ports, podHosts: [] });
  }
  return resolved;
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
function serviceAt(host: string, catalog: Catalog, clusterDomain: string): Service | undefined {
  if (!host.includes(".svc")) return undefined;
  const { name, namespace } = parseServiceName(host, clusterDomain) ?? {};
  if (name === undefined || namespace === undefined) return undefined;
  return catalog.service(namespace, name);
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
