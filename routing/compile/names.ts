/**
 * Every spelling by which a resource may name a Service (smi-spec leaves it open; writers use all of these).
 * Knows text only: whether the Service exists is for the caller.
 */

interface ServiceName {
  readonly name: string;
  /** Undefined: x. */
  readonly namespace: string | undefined;
}

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/**
 * Reads `web`, `web.app`, `web.app.svc`, `web.app.svc.cluster.local` and FSM's `app/web`, each in any case, with
 * or without a trailing dot. Undefined: not a name of a Service in this cluster.
 */
export function parseServiceName(text: string, clusterDomain: string): ServiceName | undefined {
  const host = text.trim().toLowerCase().replace(/\.$/, "");
  const [namespace, slashed, ...rest] = host.split("/");
  if (slashed !== undefined) {
    const isName = rest.length === 0 && isDnsLabel(namespace) && isDnsLabel(slashed);
    return isName ? { name: slashed, namespace } : undefined;
  }
  const labels = host.split(".");
  if (!labels.every(isDnsLabel)) return undefined;
  const suffix = ["svc", ...clusterDomain.toLowerCase().split(".")];
  // A search path may leave off the end of the cluster domain, so any head of it will do.
  if (labels.slice(2).some((label, i) => label !== suffix[i])) return undefined;
  return { name: labels[0], namespace: labels[1] };
}

function isDnsLabel(text: string): boolean {
  return text.length <= 63 && DNS_LABEL.test(text);
}
