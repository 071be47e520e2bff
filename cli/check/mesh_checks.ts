/** Checks of what is in the mesh: namespaces, and whether their pods have sidecars. */
import { choose } from "../../controller/inject/choose.ts";
import type { PodObject } from "../../controller/inject/pod.ts";
import { membersOf } from "../../controller/install/members.ts";
import { fieldsOf, type JsonFields, textField } from "../../controller/kube/fields.ts";
import { allItems } from "../../controller/kube/pages.ts";
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
