/** Checks of an installation: its controllers, their rights and certificates, and whether the API server reaches their webhooks. */
import { expiryOf } from "../../base/x509.ts";
import { VERSION } from "../../base/version.ts";
import { DAY_MS } from "../../controller/inject/limits.ts";
import { PROXY_NAME } from "../../base/sidecar_pod.ts";
import { findObject, progressOf, troublesOf } from "../../controller/install/cluster.ts";
import { metricsApi } from "../../controller/install/metrics_api.ts";
import { membersOf } from "../../controller/install/members.ts";
import { ADMIN_PORT, CA_SECRET, CONTROLLER, TLS_SECRET } from "../../controller/install/objects.ts";
import { CONTROLLER_RULES, NAMESPACE_RULES } from "../../controller/install/rbac.ts";
import { KubeError } from "../../controller/kube/client.ts";
import { fieldsOf, textField } from "../../controller/kube/fields.ts";
import { allItems } from "../../controller/kube/pages.ts";
import { EXPIRY_WARNING_DAYS } from "../limits.ts";
import { type CheckResult, type ClusterCheck, found, good } from "./result.ts";

export const version: ClusterCheck = async ({ installation }) => {
  await Promise.resolve();
  if (installation?.version === VERSION) {
    return good("version", `Controllers and this executable are of version ${VERSION}`);
  }
  return found(
    "version",
    "warning",
    `Controllers are of version ${installation?.version}, this executable of ${VERSION}`,
    "weft upgrade brings them together.",
  );
};

export const controllers: ClusterCheck = async ({ client, namespace }) => {
  const metadata = { name: CONTROLLER, namespace };
  const there = await findObject(client, { apiVersion: "apps/v1", kind: "Deployment", metadata });
  const { ready, wanted, isDone } = progressOf(there ?? {});
  const message = `${ready} of ${wanted} controllers are ready`;
  if (!isDone) {
    const troubles = await troublesOf(client, { namespace, app: CONTROLLER }, there ?? {});
    const lines = troubles.map((each) => [each.who, each.reason, each.message].join(": "));
    const hint = lines.join("; ") || `See kubectl describe pods -n ${namespace}.`;
    return found("controllers", ready === 0 ? "error" : "warning", message, hint);
  }
  if (wanted > 1) return good("controllers", message);
  const hint = "weft upgrade --set replicaCount=2: pods start while one is away, too.";
  return found("controllers", "warning", "There is one controller only", hint);
};

export const rights: ClusterCheck = async ({ client, namespace }) => {
  const path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
  const user = `system:serviceaccount:${namespace}:${CONTROLLER}`;
  const missing: string[] = [];
  const rules = [
    ...CONTROLLER_RULES.map((rule) => ({ ...rule, place: {} })),
    ...NAMESPACE_RULES.map((rule) => ({ ...rule, place: { namespace } })),
  ];
  for (const { apiGroups: [group], resources, verbs, place } of rules) {
    for (const [resource, verb] of resources.flatMap((each) => verbs.map((verb) => [each, verb]))) {
      const spec = { user, resourceAttributes: { group, resource, verb, ...place } };
      const body = { apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview", spec };
      const { status } = fieldsOf(await client.call("POST", path, { body }));
      if (fieldsOf(status)["allowed"] !== true) missing.push(`${verb} ${resource}`);
    }
  }
  if (missing.length === 0) return good("rights", "Controllers have the rights that they need");
  const message = `Controllers may not ${missing.join(", ")}`;
  return found("rights", "error", message, "weft upgrade gives them again.");
};

const CERTIFICATES = [
  ["authority", CA_SECRET, "ca.crt"],
  ["controller's certificate", TLS_SECRET, "tls.crt"],
] as const;

export const certificates: ClusterCheck = async ({ client, namespace }) => {
  const results: CheckResult[] = [];
  for (const [what, name, key] of CERTIFICATES) {
    const metadata = { name, namespace };
    const secret = await findObject(client, { apiVersion: "v1", kind: "Secret", metadata });
    const expiry = expiryOf(pemIn(fieldsOf(secret?.["data"])[key]));
    if (expiry === null) {
      const message = `The ${what} is missing (Secret ${name})`;
      results.push(found("certificates", "error", message, "weft upgrade makes it."));
      continue;
    }
    const days = Math.floor((expiry - Date.now()) / DAY_MS);
    const message = days < 0 ? `The ${what} has expired` : `The ${what} is good for ${days} days`;
    results.push(
      days >= EXPIRY_WARNING_DAYS
        ? good("certificates", message)
        : found("certificates", days < 0 ? "error" : "warning", message, "weft upgrade renews it."),
    );
  }
  return results;
};

function pemIn(base64: unknown): string {
  try {
    return new TextDecoder().decode(Uint8Array.fromBase64(String(base64)));
  } catch {
    return "";
  }
}

const WEBHOOKS = [
  ["mutatingwebhookconfigurations", "weft-injector"],
  ["validatingwebhookconfigurations", "weft-validator"],
] as const;

/** Each has to trust the authority that has signed the controllers' certificate. */
export const webhookTrust: ClusterCheck = async ({ client, namespace }) => {
  const metadata = { name: TLS_SECRET, namespace };
  const secret = await findObject(client, { apiVersion: "v1", kind: "Secret", metadata });
  const authority = pemIn(fieldsOf(secret?.["data"])["ca.crt"]).trim();
  const results: CheckResult[] = [];
  for (const [plural, name] of WEBHOOKS) {
    const path = `/apis/admissionregistration.k8s.io/v1/${plural}/${name}`;
    const there = await client.call("GET", path).then(fieldsOf).catch((error) => {
      if (error instanceof KubeError && error.status === 404) return null;
      throw error;
    });
    const hooks = Array.isArray(there?.["webhooks"]) ? there["webhooks"].map(fieldsOf) : [];
    const trusts = hooks.every((hook) =>
      pemIn(fieldsOf(hook["clientConfig"])["caBundle"]).includes(authority)
    );
    const problem = hooks.length === 0
      ? "is missing"
      : trusts
      ? null
      : "does not trust the controllers' certificate";
    results.push(
      problem === null
        ? good("webhooks", `Webhook ${name} is there`)
        : found("webhooks", "error", `Webhook ${name} ${problem}`, "weft upgrade sets it right."),
    );
  }
  return results;
};

/** Tried with a pod that is never made (`dryRun`): what refuses it is the way from the API server to the webhook, or the webhook. */
export const injection: ClusterCheck = async ({ client, installation }) => {
  const members = (await membersOf(client, installation?.meshName))
    .filter(({ injection }) => injection !== "disabled");
  const [member] = members;
  if (member === undefined) {
    const message = "Injection was not tried: no namespace is in the mesh";
    return found("injection", "info", message, "weft namespace add NAMESPACE puts one into it.");
  }
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { generateName: "weft-check-" },
    spec: { containers: [{ name: "check", image: "check" }] },
  };
  const path = `/api/v1/namespaces/${member.name}/pods?dryRun=All`;
  try {
    const { spec } = fieldsOf(await client.call("POST", path, { body: pod }));
    const { initContainers, containers } = fieldsOf(spec);
    const names = [initContainers, containers]
      .flatMap((list) => Array.isArray(list) ? list.map((each) => fieldsOf(each)["name"]) : []);
    if (names.includes(PROXY_NAME)) {
      return good("injection", `A pod of namespace ${member.name} would get a sidecar`);
    }
    const message = `A pod of namespace ${member.name} would get no sidecar`;
    return found("injection", "error", message, "weft upgrade sets the webhook right.");
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    if (!error.message.includes("failed calling webhook")) {
      return found("injection", "info", `Injection was not tried: ${error.message}`);
    }
    return found(
      "injection",
      "error",
      `The API server does not reach the webhook: ${error.message}`,
      "Port 9443 of the controllers has to be open to the API server: see firewalls, NetworkPolicies and kubectl get pods.",
    );
  }
};

/** Only where it is registered: then the whole cluster suffers if it is not served. */
export const smiMetrics: ClusterCheck = async ({ client, namespace }) => {
  const registered = await findObject(client, metricsApi(namespace, ""));
  if (registered === null) return [];
  const { conditions } = fieldsOf(registered["status"]);
  const { status, message } = (Array.isArray(conditions) ? conditions.map(fieldsOf) : [])
    .find(({ type }) => type === "Available") ?? {};
  if (status === "True") return good("smi-metrics", "The SMI metrics API is served");
  return found(
    "smi-metrics",
    "error",
    `The SMI metrics API is registered and not served, so no namespace can be deleted: ${
      message ?? ""
    }`,
    "weft metrics api disable takes the registration out.",
  );
};

/** Each controller knows of the proxies that are connected to it. */
export const proxies: ClusterCheck = async ({ client, namespace }) => {
  const pods = await allItems(client, `/api/v1/namespaces/${namespace}/pods`, {
    labelSelector: `app=${CONTROLLER}`,
    fieldSelector: "status.phase=Running",
  });
  const counts = { connected: 0, behind: 0 };
  const silent: string[] = [];
  for (const { metadata } of pods) {
    const name = textField(fieldsOf(metadata), "name") ?? "";
    const path = `/api/v1/namespaces/${namespace}/pods/http:${name}:${ADMIN_PORT}/proxy/metrics`;
    const text = await client.text("GET", path).catch(() => null);
    if (text === null) silent.push(name);
    counts.connected += valueOf(text, "weft_controller_proxies");
    counts.behind += valueOf(text, "weft_controller_proxies_behind");
  }
  const results: CheckResult[] = silent.map((name) =>
    found("proxies", "warning", `Controller ${name} does not answer`, "See its log.")
  );
  const connected = `${counts.connected} sidecars are connected`;
  if (counts.behind === 0) return [...results, good("proxies", `${connected}, none behind`)];
  const message = `${connected}, of which ${counts.behind} have not taken what they were told last`;
  return [...results, found("proxies", "warning", message, "weft status -o wide names them.")];
};

function valueOf(metrics: string | null, name: string): number {
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(metrics ?? "")?.[1] ?? 0);
}
