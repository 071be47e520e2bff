/** Checks of a cluster that need no installation. */
import { fieldsOf, textField } from "../../controller/kube/fields.ts";
import { allItems } from "../../controller/kube/pages.ts";
import { findObject } from "../../controller/install/cluster.ts";
import { definitions } from "../../controller/install/definitions.ts";
import { isOurs } from "../../controller/install/objects.ts";
import { everyKubeletIsNative } from "../../controller/kubelets.ts";
import { KUBERNETES_MINOR_MIN } from "../limits.ts";
import { type CheckContext, type CheckResult, type ClusterCheck, found, good } from "./result.ts";

export const apiServer: ClusterCheck = async ({ client }) => {
  const version = fieldsOf(await client.call("GET", "/version"));
  const name = textField(version, "gitVersion") ?? "of an unknown version";
  const minor = Number(/^\d+/.exec(textField(version, "minor") ?? "")?.[0]);
  if (minor >= KUBERNETES_MINOR_MIN || textField(version, "major") !== "1") {
    return good("api-server", `The API server answers: Kubernetes ${name}`);
  }
  const message = `The API server is Kubernetes ${name}`;
  return found("api-server", "error", message, `Weft needs 1.${KUBERNETES_MINOR_MIN} or newer.`);
};

export const kubelets: ClusterCheck = async ({ client }) => {
  if (await everyKubeletIsNative(client)) {
    return good("kubelets", "Every kubelet knows native sidecars (1.29 or newer)");
  }
  return found(
    "kubelets",
    "info",
    "Not every node has a kubelet of 1.29 or newer: sidecars are ordinary containers",
  );
};

/** Who installs gives rights that only those can give who have them; so these are looked at and not each of them. */
const TO_INSTALL = [
  ["apiextensions.k8s.io", "customresourcedefinitions"],
  ["rbac.authorization.k8s.io", "clusterroles"],
  ["rbac.authorization.k8s.io", "clusterrolebindings"],
  ["admissionregistration.k8s.io", "mutatingwebhookconfigurations"],
  ["admissionregistration.k8s.io", "validatingwebhookconfigurations"],
  ["", "namespaces"],
  ["", "secrets"],
  ["", "configmaps"],
  ["", "services"],
  ["", "serviceaccounts"],
  ["apps", "deployments"],
  ["policy", "poddisruptionbudgets"],
] as const;

export const rightsToInstall: ClusterCheck = async ({ client, namespace }) => {
  const missing: string[] = [];
  for (const [group, resource] of TO_INSTALL) {
    for (const verb of ["get", "create", "patch", "delete"]) {
      const review = {
        apiVersion: "authorization.k8s.io/v1",
        kind: "SelfSubjectAccessReview",
        spec: { resourceAttributes: { group, resource, verb, namespace } },
      };
      const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
      const { status } = fieldsOf(await client.call("POST", path, { body: review }));
      if (fieldsOf(status)["allowed"] !== true) missing.push(`${verb} ${resource}`);
    }
  }
  if (missing.length === 0) return good("rights-to-install", "You may install");
  const message = `You may not ${missing.join(", ")}`;
  return found("rights-to-install", "error", message, "Use an administrator's kubeconfig.");
};

export const customDefinitions: ClusterCheck = async ({ client, installation }) => {
  const results: CheckResult[] = [];
  let own = 0;
  for (const definition of definitions()) {
    const { name } = definition.metadata;
    const there = await findObject(client, definition);
    if (there === null) {
      if (installation === null) continue;
      const message = `The definition ${name} is missing`;
      results.push(found("definitions", "error", message, "weft upgrade brings it."));
      continue;
    }
    const spec = fieldsOf(there["spec"]);
    if (fieldsOf(spec["conversion"])["strategy"] === "Webhook") {
      results.push(found(
        "definitions",
        "warning",
        `Objects of ${name} are converted by another server: without it none can be read`,
        "Set its spec.conversion to {strategy: None}, if the mesh that has brought it is gone.",
      ));
    }
    if (isOurs(there)) own++;
    else {
      const message =
        `The definition ${name} is another mesh's: Weft reads its objects, and leaves it alone`;
      results.push(found("definitions", "info", message));
    }
  }
  if (own > 0) results.unshift(good("definitions", `${own} definitions of Weft are there`));
  return results;
};

/** Webhooks by which other meshes add their sidecars. */
const OTHER_INJECTORS: readonly (readonly [name: RegExp, mesh: string])[] = [
  [/^istio-(sidecar-injector|revision-tag)/, "Istio"],
  [/^linkerd-proxy-injector/, "Linkerd"],
  [/^fsm-webhook/, "FSM"],
  [/^osm-webhook/, "OSM"],
  [/^kuma-/, "Kuma"],
  [/^consul-/, "Consul"],
];

export const otherMeshes: ClusterCheck = async ({ client }) => {
  const path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
  const names = (await allItems(client, path))
    .map(({ metadata }) => textField(fieldsOf(metadata), "name") ?? "");
  const meshes = OTHER_INJECTORS.filter(([form]) => names.some((name) => form.test(name)))
    .map(([, mesh]) => mesh);
  if (meshes.length === 0) return good("other-meshes", "No other mesh is installed");
  return found(
    "other-meshes",
    "info",
    `${meshes.join(", ")} is installed too: a namespace can be in one mesh only`,
  );
};

/** Only of `--pre`. */
export async function notInstalled({ installation }: CheckContext): Promise<CheckResult> {
  await Promise.resolve();
  if (installation === null) return good("installation", "Weft is not installed yet");
  const { namespace } = installation;
  const message = `Weft is installed already, in namespace ${namespace}`;
  return found("installation", "info", message, "weft upgrade brings it to this version.");
}
