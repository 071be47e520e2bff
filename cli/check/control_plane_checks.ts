/** Checks of an installation: its controllers, their rights and certificates, and whether the API server reaches their webhooks. */
import { expiryOf } from "../../base/x509.ts";
import { VERSION } from "../../base/version.ts";
import { DAY_MS } from "../../controller/inject/limits.ts";
import { findObject, progressOf, troublesOf } from "../../controller/install/cluster.ts";
import { metricsApi } from "../../controller/install/metrics_api.ts";
import { membersOf } from "../../controller/install/members.ts";
import { ADMIN_PORT, CA_SECRET, CONTROLLER, TLS_SECRET } from "../../controller/install/objects.ts";
import { CONTROLLER_RULES, NAMESPACE_RULES } from "../../controller/install/rbac.ts";
import { KubeError } from "../../controller/kube/client.ts";
import { fieldsOf, textField } from "../../controller/kube/fields.ts";
import { allItems } from "../../controller/kube/pages.ts";
import { sidecarOf } from "../../controller/kube/pod_containers.ts";
import { EXPIRY_WARNING_DAYS } from "../limits.ts";
import { changeUnderWay, inForce } from "../certificate/rotation.ts";
import { readState } from "../certificate/view.ts";
import { type CheckResult, type ClusterCheck, found, good, someOf } from "./result.ts";

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
  for (const { apiGroups: [group], resources, verbs, resourceNames, place } of rules) {
    const name = resourceNames?.[0];
    for (const [resource, verb] of resources.flatMap((each) => verbs.map((verb) => [each, verb]))) {
      const what = { group, resource, verb, ...(name === undefined ? {} : { name }), ...place };
      const spec = { user, resourceAttributes: what };
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

/** Whom sidecars trust, who signs for them, and for how long. */
export const identity: ClusterCheck = async ({ client, namespace }) => {
  const view = await readState(client, namespace);
  const results: CheckResult[] = [];
  const signers = view.authorities.filter(({ root }) => root.role === "active");
  if (signers.length !== 1) {
    const message = `${signers.length} MeshRootCertificates are active`;
    const hint = `See kubectl get meshrootcertificates -n ${namespace}, and docs/identity.md.`;
    // The first one is made by a controller, of which it is said elsewhere that there is none.
    const isError = signers.length === 0 && view.replicas.some((each) => each !== null);
    results.push(found("identity", isError ? "error" : "warning", message, hint));
  }
  for (const { root: { name, role, roots } } of view.authorities) {
    if (role === "inactive") continue;
    const days = Math.floor((Math.min(...roots.map((each) => each.untilMs)) - Date.now()) / DAY_MS);
    const problem = view.replicas.flatMap((each) => each?.authorities ?? [])
      .find((each) => each.name === name && each.problem !== "")?.problem;
    const hint = "weft certificate rotate goes to another authority.";
    if (problem !== undefined) {
      const message = `Nothing can be signed under ${name}: ${problem}`;
      results.push(found("identity", role === "active" ? "error" : "warning", message, hint));
    } else if (days < EXPIRY_WARNING_DAYS) {
      const message = days < 0
        ? `A root of ${name} has expired`
        : `A root of ${name} is good for ${days} days`;
      results.push(found("identity", days < 0 ? "error" : "warning", message, hint));
    } else results.push(good("identity", `${name} (${role}) is good for ${days} days`));
  }
  const change = changeUnderWay(view.authorities);
  if (change !== null) {
    const message = `A change of authorities is under way, to ${change.next.root.name}`;
    results.push(found("identity", "info", message, "weft certificate rotate goes on."));
  }
  const { done, of, missing } = inForce(view, false);
  if (done < of) {
    const message = `${of - done} sidecars do not trust what is to be trusted: ${someOf(missing)}`;
    const hint = "Those that are silent keep what they have; see their logs.";
    results.push(found("identity", "warning", message, hint));
  } else results.push(good("identity", `${done} sidecars have the mesh's roots`));
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
    const made = fieldsOf(await client.call("POST", path, { body: pod }));
    if (sidecarOf(made) !== undefined) {
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
