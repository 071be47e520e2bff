/** What an installation asks of the API server: applies objects, finds earlier ones, waits, and removes. */
import { type KubeClient, KubeError } from "../kube/client.ts";
import { fieldsOf, type JsonFields, textField } from "../kube/fields.ts";
import type { ApiObject } from "./objects.ts";

/** The name under which fields are ours (server-side apply). */
const FIELD_MANAGER = "weft";

/** Kinds that an installation makes, and how paths spell them. */
const PLURALS: Readonly<Record<string, string>> = {
  APIService: "apiservices",
  ClusterRole: "clusterroles",
  ClusterRoleBinding: "clusterrolebindings",
  ConfigMap: "configmaps",
  CustomResourceDefinition: "customresourcedefinitions",
  Deployment: "deployments",
  Lease: "leases",
  MeshConfig: "meshconfigs",
  MeshRootCertificate: "meshrootcertificates",
  MutatingWebhookConfiguration: "mutatingwebhookconfigurations",
  Namespace: "namespaces",
  PodDisruptionBudget: "poddisruptionbudgets",
  Role: "roles",
  RoleBinding: "rolebindings",
  Secret: "secrets",
  Service: "services",
  ServiceAccount: "serviceaccounts",
  ValidatingWebhookConfiguration: "validatingwebhookconfigurations",
};

export type Named = Pick<ApiObject, "apiVersion" | "kind" | "metadata">;

function pathOf({ apiVersion, kind, metadata: { namespace, name } }: Named): string {
  return `${collectionPath({ apiVersion, kind }, namespace)}/${name}`;
}

type Kind = Pick<ApiObject, "apiVersion" | "kind">;

function collectionPath({ apiVersion, kind }: Kind, namespace: string | undefined): string {
  const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const where = namespace === undefined ? "" : `/namespaces/${namespace}`;
  return `${group}${where}/${PLURALS[kind]}`;
}

/** Those of a kind that have the label, of one namespace or of the cluster. */
export async function objectsLabelled(
  client: KubeClient,
  kind: Kind,
  { label, namespace }: { readonly label: string; readonly namespace?: string },
): Promise<Named[]> {
  const query = new URLSearchParams({ labelSelector: label });
  // A custom kind may have no definition any more.
  const { items } = fieldsOf(
    await client.call("GET", `${collectionPath(kind, namespace)}?${query}`).catch((error) => {
      if (!isNotFound(error)) throw error;
    }),
  );
  return (Array.isArray(items) ? items : []).map((item) => {
    const name = textField(fieldsOf(fieldsOf(item)["metadata"]), "name") ?? "";
    return { ...kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) } };
  });
}

/** Makes the object, or makes of its fields what they are here. What others have added stays. */
export async function applyObject(client: KubeClient, object: ApiObject): Promise<void> {
  await client.call("PATCH", `${pathOf(object)}?fieldManager=${FIELD_MANAGER}&force=true`, {
    body: object,
    contentType: "application/apply-patch+yaml",
  });
}

/** Null: there is none. */
export async function findObject(client: KubeClient, object: Named): Promise<JsonFields | null> {
  try {
    return fieldsOf(await client.call("GET", pathOf(object)));
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

/** False: there was none. What belongs to it goes with it. */
export async function removeObject(client: KubeClient, object: Named): Promise<boolean> {
  try {
    await client.call("DELETE", `${pathOf(object)}?propagationPolicy=Background`);
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

export function isNotFound(error: unknown): boolean {
  return error instanceof KubeError && error.status === 404;
}

/** How far a Deployment is. */
interface DeploymentProgress {
  readonly ready: number;
  readonly wanted: number;
  /** Every replica is of the newest template, and serves. */
  readonly isDone: boolean;
}

export function progressOf(deployment: JsonFields): DeploymentProgress {
  const status = fieldsOf(deployment["status"]);
  const wanted = numberAt(fieldsOf(deployment["spec"]), "replicas");
  const isSeen = numberAt(status, "observedGeneration") >=
    numberAt(fieldsOf(deployment["metadata"]), "generation");
  const [updated, available, all] = ["updatedReplicas", "availableReplicas", "replicas"]
    .map((name) => numberAt(status, name));
  const ready = isSeen ? Math.min(updated, available) : 0;
  return {
    ready,
    wanted,
    isDone: isSeen && updated >= wanted && available >= wanted && all <= wanted,
  };
}

function numberAt(fields: JsonFields, name: string): number {
  const value = fields[name];
  return typeof value === "number" ? value : 0;
}

/** Why something is not ready. */
interface Trouble {
  /** `Pod NAME`, `Deployment NAME`. */
  readonly who: string;
  /** One word of the cluster's: `ImagePullBackOff`. */
  readonly reason: string;
  readonly message: string;
}

/** Why a Deployment has no pods that are ready, by itself and by each pod. */
export async function troublesOf(
  client: KubeClient,
  { namespace, app }: { readonly namespace: string; readonly app: string },
  deployment: JsonFields,
): Promise<Trouble[]> {
  const query = new URLSearchParams({ labelSelector: `app=${app}`, limit: "20" });
  const { items } = fieldsOf(
    await client.call("GET", `/api/v1/namespaces/${namespace}/pods?${query}`),
  );
  // Pods that are refused (a quota, another webhook) are not there to say so.
  const refused = listAt(fieldsOf(deployment["status"]), "conditions")
    .filter(({ type, status }) => type === "ReplicaFailure" && status === "True");
  return [
    ...refused.map((condition) => troubleOf(`Deployment ${app}`, condition)),
    ...(Array.isArray(items) ? items.map(fieldsOf) : []).flatMap((pod) => {
      const name = textField(fieldsOf(pod["metadata"]), "name") ?? "";
      const status = fieldsOf(pod["status"]);
      const why = waitingState(status) ??
        listAt(status, "conditions").find((condition) => condition["status"] === "False");
      return why === undefined ? [] : [troubleOf(`Pod ${name}`, why)];
    }),
  ];
}

function troubleOf(who: string, why: JsonFields): Trouble {
  const message = textField(why, "message") ?? "";
  return { who, reason: textField(why, "reason") ?? "not ready", message };
}

/** Of the first container that waits, or has ended other than it should. */
function waitingState(status: JsonFields): JsonFields | undefined {
  return [...listAt(status, "initContainerStatuses"), ...listAt(status, "containerStatuses")]
    .map((container) => fieldsOf(container["state"]))
    .map((state) => fieldsOf(state["waiting"] ?? state["terminated"]))
    .find((why) => ![undefined, "Completed", "PodInitializing"].includes(textField(why, "reason")));
}

function listAt(fields: JsonFields, name: string): JsonFields[] {
  const value = fields[name];
  return Array.isArray(value) ? value.map(fieldsOf) : [];
}
