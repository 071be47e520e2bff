/** Which namespaces are in a mesh, as labels and annotations say it, and which meshes there are. */
import { MEMBER_LABEL } from "../objects.ts";
import { STATUS_ANNOTATION } from "../inject/inject.ts";
import { METRICS_ANNOTATION, SCRAPED } from "../inject/scraped.ts";
import type { KubeClient } from "../kube/client.ts";
import { fieldsOf, type JsonFields, textField } from "../kube/fields.ts";
import { allItems } from "../kube/pages.ts";
import { isNotFound } from "./cluster.ts";

const INJECTION_ANNOTATION = "weft.dev/sidecar-injection";
const POD_SECURITY_LABEL = "pod-security.kubernetes.io/enforce";
/** `true`: it is not to be put into a mesh. */
export const IGNORE_LABEL = "weft.dev/ignore";

export interface Member {
  readonly name: string;
  /** Undefined: it is in none. */
  readonly mesh: string | undefined;
  /** `enabled`, `disabled`, or what else stands there; empty: nothing does. */
  readonly injection: string;
  readonly isIgnored: boolean;
  /** The Pod Security level that refuses what it does not allow; undefined: none. */
  readonly podSecurity: string | undefined;
}

/** @throws {KubeError} there is no such namespace */
export async function memberNamed(client: KubeClient, name: string): Promise<Member> {
  return memberOf(fieldsOf(await client.call("GET", `/api/v1/namespaces/${name}`)));
}

/** Those of one mesh, or of any. */
export function membersOf(client: KubeClient, mesh: string | undefined): Promise<Member[]> {
  return labelled(client, mesh === undefined ? MEMBER_LABEL : `${MEMBER_LABEL}=${mesh}`);
}

/** Those that are not to be put into a mesh. */
export function ignoredIn(client: KubeClient): Promise<Member[]> {
  return labelled(client, `${IGNORE_LABEL}=true`);
}

async function labelled(client: KubeClient, labelSelector: string): Promise<Member[]> {
  const query = new URLSearchParams({ labelSelector });
  const { items } = fieldsOf(await client.call("GET", `/api/v1/namespaces?${query}`));
  return (Array.isArray(items) ? items : []).map((item) => memberOf(fieldsOf(item)));
}

function memberOf(namespace: JsonFields): Member {
  const metadata = fieldsOf(namespace["metadata"]);
  const labels = fieldsOf(metadata["labels"]);
  return {
    name: textField(metadata, "name") ?? "",
    mesh: textField(labels, MEMBER_LABEL),
    isIgnored: labels[IGNORE_LABEL] === "true",
    podSecurity: textField(labels, POD_SECURITY_LABEL),
    injection: textField(fieldsOf(metadata["annotations"]), INJECTION_ANNOTATION) ?? "",
  };
}

/** Puts a namespace into a mesh, or takes it out (null). */
export function setMember(
  client: KubeClient,
  name: string,
  to: { readonly mesh: string; readonly injection: string } | null,
): Promise<void> {
  return patchNamespace(client, name, {
    labels: { [MEMBER_LABEL]: to?.mesh ?? null },
    annotations: {
      [INJECTION_ANNOTATION]: to?.injection ?? null,
      ...(to === null ? { [METRICS_ANNOTATION]: null } : {}),
    },
  });
}

/** Takes a namespace out of its mesh, and says that it is to be put into none. */
export function setIgnored(client: KubeClient, name: string): Promise<void> {
  return patchNamespace(client, name, {
    labels: { [MEMBER_LABEL]: null, [IGNORE_LABEL]: "true" },
    annotations: { [INJECTION_ANNOTATION]: null, [METRICS_ANNOTATION]: null },
  });
}

/** Has Prometheus scrape the sidecars of a namespace, or not: the pods that it has, and those that it is going to have. */
export async function setMetrics(
  client: KubeClient,
  name: string,
  isEnabled: boolean,
): Promise<number> {
  await patchNamespace(client, name, {
    annotations: { [METRICS_ANNOTATION]: isEnabled ? "enabled" : null },
  });
  const annotations = Object.fromEntries(
    SCRAPED.map(([key, value]) => [key, isEnabled ? value : null]),
  );
  let count = 0;
  for (const pod of await allItems(client, `/api/v1/namespaces/${name}/pods`)) {
    const metadata = fieldsOf(pod["metadata"]);
    const own = fieldsOf(metadata["annotations"]);
    if (own[STATUS_ANNOTATION] === undefined) continue;
    // One that names another port is the application's own.
    const [, [portKey, port]] = SCRAPED;
    if (own[portKey] !== undefined && own[portKey] !== port) continue;
    const path = `/api/v1/namespaces/${name}/pods/${textField(metadata, "name")}`;
    await client.call("PATCH", path, {
      body: { metadata: { annotations } },
      contentType: "application/merge-patch+json",
    }).catch((error) => {
      // It has gone meanwhile.
      if (!isNotFound(error)) throw error;
    });
    count++;
  }
  return count;
}

async function patchNamespace(
  client: KubeClient,
  name: string,
  metadata: unknown,
): Promise<void> {
  await client.call("PATCH", `/api/v1/namespaces/${name}`, {
    body: { metadata },
    contentType: "application/merge-patch+json",
  });
}

/** Whether it has pods that were made before it joined: they have no sidecar. */
export async function hasPods(client: KubeClient, namespace: string): Promise<boolean> {
  const { items } = fieldsOf(
    await client.call("GET", `/api/v1/namespaces/${namespace}/pods?limit=1`),
  );
  return Array.isArray(items) && items.length > 0;
}
