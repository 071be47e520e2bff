/** Which namespaces are in a mesh, as labels and annotations say it, and which meshes there are. */
import { MEMBER_LABEL } from "../objects.ts";
import type { KubeClient } from "../kube/client.ts";
import { fieldsOf, type JsonFields, textField } from "../kube/fields.ts";
import { CONTROLLER, MESH_LABEL } from "./objects.ts";

const INJECTION_ANNOTATION = "weft.dev/sidecar-injection";

export interface Member {
  readonly name: string;
  /** Undefined: it is in none. */
  readonly mesh: string | undefined;
  /** `enabled`, `disabled`, or what else stands there; empty: nothing does. */
  readonly injection: string;
}

/** @throws {KubeError} there is no such namespace */
export async function memberNamed(client: KubeClient, name: string): Promise<Member> {
  return memberOf(fieldsOf(await client.call("GET", `/api/v1/namespaces/${name}`)));
}

/** Those of one mesh, or of any. */
export async function membersOf(client: KubeClient, mesh: string | undefined): Promise<Member[]> {
  const labelSelector = mesh === undefined ? MEMBER_LABEL : `${MEMBER_LABEL}=${mesh}`;
  const query = new URLSearchParams({ labelSelector });
  const { items } = fieldsOf(await client.call("GET", `/api/v1/namespaces?${query}`));
  return (Array.isArray(items) ? items : []).map((item) => memberOf(fieldsOf(item)));
}

function memberOf(namespace: JsonFields): Member {
  const metadata = fieldsOf(namespace["metadata"]);
  return {
    name: textField(metadata, "name") ?? "",
    mesh: textField(fieldsOf(metadata["labels"]), MEMBER_LABEL),
    injection: textField(fieldsOf(metadata["annotations"]), INJECTION_ANNOTATION) ?? "",
  };
}

/** Puts a namespace into a mesh, or takes it out (null). */
export async function setMember(
  client: KubeClient,
  name: string,
  to: { readonly mesh: string; readonly injection: string } | null,
): Promise<void> {
  const metadata = {
    labels: { [MEMBER_LABEL]: to?.mesh ?? null },
    annotations: { [INJECTION_ANNOTATION]: to?.injection ?? null },
  };
  await client.call("PATCH", `/api/v1/namespaces/${name}`, {
    body: { metadata },
    contentType: "application/merge-patch+json",
  });
}

/** The names of the meshes whose controllers are installed. */
export async function meshNames(client: KubeClient): Promise<string[]> {
  const query = new URLSearchParams({ labelSelector: `app=${CONTROLLER}` });
  const { items } = fieldsOf(await client.call("GET", `/apis/apps/v1/deployments?${query}`));
  return (Array.isArray(items) ? items.map(fieldsOf) : []).flatMap((deployment) => {
    const labels = fieldsOf(fieldsOf(deployment["metadata"])["labels"]);
    return textField(labels, MESH_LABEL) ?? [];
  });
}

/** Whether it has pods that were made before it joined: they have no sidecar. */
export async function hasPods(client: KubeClient, namespace: string): Promise<boolean> {
  const { items } = fieldsOf(
    await client.call("GET", `/api/v1/namespaces/${namespace}/pods?limit=1`),
  );
  return Array.isArray(items) && items.length > 0;
}
