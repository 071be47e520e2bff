/** Installations that a cluster has, found by their controllers, and what they were made with. */
import type { KubeClient } from "../kube/client.ts";
import { fieldsOf, type JsonFields, textField } from "../kube/fields.ts";
import { findObject } from "./cluster.ts";
import { parseValuesFile } from "./given_values.ts";
import { CONTROLLER, MESH_LABEL, VALUES_CONFIG, VALUES_KEY } from "./objects.ts";
import type { GivenValues } from "./values.ts";

export interface Installation {
  readonly namespace: string;
  readonly meshName: string;
  /** Of the controllers; empty: it is not said. */
  readonly version: string;
  /** Helm has made it, and knows its values. */
  readonly isHelm: boolean;
  /** Undefined: the controllers' own default. */
  readonly clusterDomain: string | undefined;
  /** Traffic targets are not enforced, where no MeshConfig says otherwise. */
  readonly permissive: boolean;
  /** What the mesh does not know is passed on, where no MeshConfig says otherwise. */
  readonly egress: boolean;
}

export async function installationsIn(client: KubeClient): Promise<Installation[]> {
  const query = new URLSearchParams({ labelSelector: `app=${CONTROLLER}` });
  const { items } = fieldsOf(await client.call("GET", `/apis/apps/v1/deployments?${query}`));
  return (Array.isArray(items) ? items.map(fieldsOf) : []).flatMap((deployment) => {
    const metadata = fieldsOf(deployment["metadata"]);
    const labels = fieldsOf(metadata["labels"]);
    const meshName = textField(labels, MESH_LABEL);
    if (meshName === undefined) return [];
    const version = textField(labels, "app.kubernetes.io/version") ?? "";
    const isHelm = labels["app.kubernetes.io/managed-by"] === "Helm";
    const namespace = textField(metadata, "namespace") ?? "";
    const words = argumentsOf(deployment);
    return [{
      ...{ namespace, meshName, version, isHelm },
      clusterDomain: valueOf("--cluster-domain", words),
      permissive: !words.includes("--enforce-access"),
      egress: !words.includes("--egress=off"),
    }];
  });
}

/** Of the controller, as the Deployment has them now. */
function argumentsOf(deployment: JsonFields): string[] {
  const { spec } = fieldsOf(fieldsOf(deployment["spec"])["template"]);
  const { containers } = fieldsOf(spec);
  const { args } = fieldsOf(Array.isArray(containers) ? containers[0] : undefined);
  return Array.isArray(args) ? args.map(String) : [];
}

function valueOf(option: string, words: readonly string[]): string | undefined {
  return words.find((word) => word.startsWith(`${option}=`))?.slice(option.length + 1);
}

/** What the installation was last given; null: that is not known. */
export async function givenIn(client: KubeClient, namespace: string): Promise<GivenValues | null> {
  const metadata = { name: VALUES_CONFIG, namespace };
  const found = await findObject(client, { apiVersion: "v1", kind: "ConfigMap", metadata });
  const text = textField(fieldsOf(found?.["data"]), VALUES_KEY);
  return text === undefined ? null : parseValuesFile(text);
}

/** What of an object would be applied again: without what the API server says of it. */
export function appliedPart(found: JsonFields): JsonFields {
  const { name, namespace, labels, annotations } = fieldsOf(found["metadata"]);
  const metadata = Object.fromEntries(
    Object.entries({ name, namespace, labels, annotations }).filter(([, value]) =>
      value !== undefined
    ),
  );
  return { ...found, metadata, status: undefined };
}
