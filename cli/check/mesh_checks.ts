/** Checks of what is in the mesh: namespaces, and whether their pods have sidecars. */
import { wordsOfList } from "../../base/capture_lists.ts";
import { choose } from "../../controller/inject/choose.ts";
import type { PodObject } from "../../controller/inject/pod.ts";
import { isNotFound } from "../../controller/install/cluster.ts";
import { membersOf } from "../../controller/install/members.ts";
import { fieldsOf, type JsonFields, textField } from "../../controller/kube/fields.ts";
import { allItems } from "../../controller/kube/pages.ts";
import { settingsOfMesh } from "../inject/settings.ts";
import {
  type CheckContext,
  type CheckResult,
  type ClusterCheck,
  found,
  good,
  someOf,
} from "./result.ts";

export const namespaces: ClusterCheck = async ({ client, installation }) => {
  const members = await membersOf(client, installation?.meshName);
  if (members.length > 0) {
    return good("namespaces", `In the mesh: ${someOf(members.map(({ name }) => name))}`);
  }
  const message = "No namespace is in the mesh";
  return found("namespaces", "info", message, "weft namespace add NAMESPACE puts one into it.");
};

/** Labels and annotations by which other meshes take a namespace; a value that says no is none. */
const OTHER_MARKS: readonly (readonly [key: RegExp, mesh: string])[] = [
  [/^(istio-injection|istio\.io\/rev)$/, "Istio"],
  [/^linkerd\.io\/inject$/, "Linkerd"],
  [/^flomesh\.io\/monitored-by$/, "FSM"],
  [/^openservicemesh\.io\/monitored-by$/, "OSM"],
  [/^kuma\.io\/sidecar-injection$/, "Kuma"],
];

export const twoMeshes: ClusterCheck = async ({ client, installation }) => {
  const objects = await memberObjects({ client, installation });
  const results = objects.flatMap(({ metadata }): CheckResult[] => {
    const { name, labels, annotations } = fieldsOf(metadata);
    const marks = { ...fieldsOf(labels), ...fieldsOf(annotations) };
    const other = OTHER_MARKS.find(([form]) =>
      Object.entries(marks).some(([key, value]) => form.test(key) && value !== "disabled")
    );
    if (other === undefined) return [];
    const message = `Namespace ${name} is in ${other[1]}'s mesh too: its pods are captured twice`;
    const hint = `Take it out of one: weft namespace remove ${name}, or ${other[1]}'s own mark.`;
    return [found("two-meshes", "error", message, hint)];
  });
  return results.length > 0 ? results : good("two-meshes", "No namespace is in two meshes");
};

/** Pods name Secrets that nothing copies into their namespaces; the kubelet passes over one that is not there, and then pulls nothing. */
export const pullSecrets: ClusterCheck = async ({ client, installation, namespace }) => {
  const settings = await settingsOfMesh(client, namespace);
  const names = wordsOfList(settings?.imagePullSecrets ?? "");
  const results: CheckResult[] = [];
  for (
    const { name: member } of names.length === 0
      ? []
      : await membersOf(client, installation?.meshName)
  ) {
    for (const name of names) {
      if (await hasSecret(client, member, name)) continue;
      const message =
        `Namespace ${member} has no Secret ${name}, by which sidecars' image is pulled`;
      const hint = `Make it there: kubectl create secret docker-registry ${name} -n ${member} …`;
      results.push(found("pull-secrets", "warning", message, hint));
    }
  }
  if (results.length > 0 || names.length === 0) return results;
  return good("pull-secrets", `Each namespace of the mesh has ${someOf(names)}`);
};

/** Nothing of what is in it is asked for. */
async function hasSecret(
  client: CheckContext["client"],
  namespace: string,
  name: string,
): Promise<boolean> {
  const accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
  try {
    await client.call("GET", `/api/v1/namespaces/${namespace}/secrets/${name}`, { accept });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

function memberObjects(
  { client, installation }: Pick<CheckContext, "client" | "installation">,
): Promise<JsonFields[]> {
  const labelSelector = `weft.dev/monitored-by=${installation?.meshName}`;
  return allItems(client, "/api/v1/namespaces", { labelSelector });
}

export const sidecars: ClusterCheck = async ({ client, installation }) => {
  const results: CheckResult[] = [];
  let count = 0;
  for (const { metadata } of await memberObjects({ client, installation })) {
    const namespace = fieldsOf(metadata);
    const name = textField(namespace, "name") ?? "";
    const pods = await allItems(client, `/api/v1/namespaces/${name}/pods`, {
      fieldSelector: "status.phase!=Succeeded,status.phase!=Failed",
    });
    const missing: string[] = [];
    for (const pod of pods) {
      // What the API server gives has the shape that the webhook is given.
      const choice = choose(pod as unknown as PodObject, namespace);
      if (choice.kind === "injected") count++;
      if (choice.kind === "inject") {
        missing.push(textField(fieldsOf(pod["metadata"]), "name") ?? "");
      }
      if (choice.kind === "leave" && !choice.isExpected) {
        const podName = textField(fieldsOf(pod["metadata"]), "name");
        const message = `Pod ${name}/${podName} has no sidecar: ${choice.reason}`;
        results.push(found("sidecars", "info", message));
      }
    }
    if (missing.length === 0) continue;
    const message = `In namespace ${name} pods have no sidecar: ${someOf(missing)}`;
    const hint = `Make them anew: kubectl rollout restart deployment -n ${name}`;
    results.push(found("sidecars", "warning", message, hint));
  }
  return [good("sidecars", `${count} pods have sidecars`), ...results];
};
