/** What an installation asks of the API server: applies objects, finds earlier ones, waits, and removes. */
import { type KubeClient, KubeError } from "../kube/client.ts";
import { fieldsOf, type JsonFields, textField } from "../kube/fields.ts";
import type { ApiObject } from "./objects.ts";

/** The name under which fields are ours (server-side apply). */
const FIELD_MANAGER = "weft";

/** Kinds that an installation makes, and how paths spell them. */
const PLURALS: Readonly<Record<string, string>> = {
  ClusterRole: "clusterroles",
  ClusterRoleBinding: "clusterrolebindings",
  ConfigMap: "configmaps",
  CustomResourceDefinition: "customresourcedefinitions",
  Deployment: "deployments",
  MutatingWebhookConfiguration: "mutatingwebhookconfigurations",
  Namespace: "namespaces",
  PodDisruptionBudget: "poddisruptionbudgets",
  Secret: "secrets",
  Service: "services",
  ServiceAccount: "serviceaccounts",
  ValidatingWebhookConfiguration: "validatingwebhookconfigurations",
};

type Named = Pick<ApiObject, "apiVersion" | "kind" | "metadata">;

function pathOf({ apiVersion, kind, metadata }: Named): string {
  const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const { namespace, name } = metadata;
  const where = namespace === undefined ? "" : `/namespaces/${namespace}`;
  return `${group}${where}/${PLURALS[kind]}/${name}`;
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

/** Why the pods of an app are not ready, a line for each. */
export async function troublesOf(
  client: KubeClient,
  namespace: string,
  app: string,
): Promise<string[]> {
  const query = new URLSearchParams({ labelSelector: `app=${app}`, limit: "20" });
  const { items } = fieldsOf(
    await client.call("GET", `/api/v1/namespaces/${namespace}/pods?${query}`),
  );
  return (Array.isArray(items) ? items.map(fieldsOf) : []).flatMap((pod) => {
    const name = textField(fieldsOf(pod["metadata"]), "name") ?? "";
    const status = fieldsOf(pod["status"]);
    const reason = waitingReason(status) ?? conditionReason(status);
    return reason === undefined ? [] : [`Pod ${name}: ${reason}`];
  });
}

function waitingReason(status: JsonFields): string | undefined {
  for (const container of listAt(status, "containerStatuses")) {
    const state = fieldsOf(container["state"]);
    const why = fieldsOf(state["waiting"] ?? state["terminated"]);
    const reason = textField(why, "reason");
    if (reason !== undefined) return [reason, textField(why, "message")].filter(Boolean).join(": ");
  }
  return undefined;
}

function conditionReason(status: JsonFields): string | undefined {
  const bad = listAt(status, "conditions").find((condition) => condition["status"] === "False");
  return bad && (textField(bad, "message") ?? textField(bad, "reason"));
}

function listAt(fields: JsonFields, name: string): JsonFields[] {
  const value = fields[name];
  return Array.isArray(value) ? value.map(fieldsOf) : [];
}
