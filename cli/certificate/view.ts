/** Reads what a change of authorities goes by: the objects, what each controller says, and which pods there are. */
import { IDENTITY_ARGUMENT } from "../../controller/inject/containers.ts";
import { isReplicaIdentity, type ReplicaIdentity } from "../../controller/identity/answer.ts";
import {
  readRootCertificate,
  ROOT_API_VERSION,
} from "../../controller/identity/root_certificate.ts";
import { membersOf } from "../../controller/install/members.ts";
import { ADMIN_PORT, CONTROLLER } from "../../controller/install/objects.ts";
import type { KubeClient } from "../../controller/kube/client.ts";
import { fieldsOf, type JsonFields, textField } from "../../controller/kube/fields.ts";
import { allItems } from "../../controller/kube/pages.ts";
import { sidecarOf } from "../../controller/kube/pod_containers.ts";
import { type Authority, type MeshState, REPLACES } from "./rotation.ts";

/** As which a change writes roles: when it did is known by this. */
export const ROLE_WRITER = "weft-certificate";

export function authoritiesPath(namespace: string): string {
  return `/apis/${ROOT_API_VERSION}/namespaces/${namespace}/meshrootcertificates`;
}

export async function readState(client: KubeClient, namespace: string): Promise<MeshState> {
  const [authorities, replicas, pods] = await Promise.all([
    readAuthorities(client, namespace),
    readReplicas(client, namespace),
    readPods(client),
  ]);
  return { authorities, replicas, pods };
}

/** @throws {Error} one is of no use */
export async function readAuthorities(
  client: KubeClient,
  namespace: string,
): Promise<Authority[]> {
  const objects = await allItems(client, authoritiesPath(namespace));
  return objects.map((object) => {
    const metadata = fieldsOf(object["metadata"]);
    const annotations = fieldsOf(metadata["annotations"]);
    return {
      root: rootIn(object),
      replaces: textField(annotations, REPLACES) ?? "",
      madeAtMs: Date.parse(textField(metadata, "creationTimestamp") ?? ""),
      roleSinceMs: roleSinceMs(metadata),
    };
  });
}

function rootIn(object: JsonFields): Authority["root"] {
  try {
    return readRootCertificate(object);
  } catch (error) {
    const name = textField(fieldsOf(object["metadata"]), "name");
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`MeshRootCertificate ${name} is of no use: ${reason}`);
  }
}

/** By the API server; not a number where no change has written it. */
function roleSinceMs({ managedFields }: JsonFields): number {
  const written = (Array.isArray(managedFields) ? managedFields : []).map(fieldsOf)
    .find(({ manager }) => manager === ROLE_WRITER);
  return Date.parse(textField(written ?? {}, "time") ?? "");
}

async function readReplicas(
  client: KubeClient,
  namespace: string,
): Promise<(ReplicaIdentity | null)[]> {
  const pods = await allItems(client, `/api/v1/namespaces/${namespace}/pods`, {
    labelSelector: `app=${CONTROLLER}`,
    fieldSelector: "status.phase=Running",
  });
  return await Promise.all(pods.map(async ({ metadata }) => {
    const name = textField(fieldsOf(metadata), "name") ?? "";
    const path = `/api/v1/namespaces/${namespace}/pods/http:${name}:${ADMIN_PORT}/proxy/identity`;
    const answer = await client.call("GET", path).catch(() => null);
    return isReplicaIdentity(answer) ? answer : null;
  }));
}

/** Pods that run a sidecar with an identity. */
async function readPods(client: KubeClient): Promise<string[]> {
  const names: string[] = [];
  for (const { name } of await membersOf(client, undefined)) {
    const pods = await allItems(client, `/api/v1/namespaces/${name}/pods`, {
      fieldSelector: "status.phase!=Succeeded,status.phase!=Failed",
    });
    for (const pod of pods) {
      const hasStarted = textField(fieldsOf(pod["status"]), "podIP") !== undefined;
      if (!hasStarted || !hasIdentity(pod)) continue;
      names.push(`${name}/${textField(fieldsOf(pod["metadata"]), "name")}`);
    }
  }
  return names;
}

function hasIdentity(pod: JsonFields): boolean {
  const args = sidecarOf(pod)?.["args"];
  return Array.isArray(args) && args.includes(IDENTITY_ARGUMENT);
}

/** That of this machine may be wrong: an object that is never made says when it would have been. */
export async function serverTimeMs(client: KubeClient, namespace: string): Promise<number> {
  const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { generateName: "weft-time-" } };
  const path = `/api/v1/namespaces/${namespace}/configmaps?dryRun=All`;
  const { metadata } = fieldsOf(await client.call("POST", path, { body }));
  return Date.parse(textField(fieldsOf(metadata), "creationTimestamp") ?? "");
}
