/**
 * What a bug report has: versions, what `weft check` says, the installation's objects, objects of the mesh, and logs, metrics and plans of
 * controllers and of the pods that are asked for. Secrets are never read; of applications' pods there are names and states only.
 */
import { buildCommit, VERSION } from "../../base/version.ts";
import { causeText } from "../../base/text.ts";
import { PROXY_NAME } from "../../base/sidecar_pod.ts";
import { OWN_LABEL } from "../../controller/install/objects.ts";
import type { KubeClient } from "../../controller/kube/client.ts";
import { fieldsOf, type JsonFields, textField } from "../../controller/kube/fields.ts";
import { allItems } from "../../controller/kube/pages.ts";
import { PortForward } from "../../controller/kube/port_forward.ts";
import { REPORT_LOG_LINES, REPORT_PODS_MAX } from "../limits.ts";

interface ReportFile {
  readonly path: string;
  readonly text: string;
}

interface ReportPlace {
  readonly client: KubeClient;
  /** Of the control plane. */
  readonly namespace: string;
  readonly meshName: string | undefined;
  /** `namespace/name` of pods whose sidecars are asked. */
  readonly pods: readonly string[];
}

/** Collected one after the other; what cannot be had is a file that says why. */
export async function collectReport(
  place: ReportPlace,
  say: (what: string) => void,
): Promise<ReportFile[]> {
  const files: ReportFile[] = [];
  const add = async (path: string, read: () => Promise<string>) => {
    const text = await read().catch((error) => `not collected: ${causeText(error)}\n`);
    files.push({ path, text });
  };
  const { client, namespace } = place;
  say("Cluster");
  await add("version.json", async () => {
    const server = await client.call("GET", "/version");
    return json({ weft: VERSION, commit: buildCommit(), deno: Deno.version.deno, server });
  });
  for (const [path, source] of objectSources(namespace, place.meshName)) {
    await add(`objects/${path}.json`, async () => {
      const items = await allItems(client, source.path, source.query);
      return json(items.map(source.only ?? withoutNoise));
    });
  }
  say("Controllers");
  const label = { labelSelector: "app=weft-controller" };
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  const controllers = await allItems(client, pods, label).catch(() => []);
  for (const name of controllers.map(nameOf)) {
    await add(`controllers/${name}.log`, () => logOf(client, `${pods}/${name}`, "controller"));
    await add(
      `controllers/${name}.metrics.txt`,
      () => client.text("GET", `${pods}/http:${name}:15000/proxy/metrics`),
    );
  }
  for (const pod of place.pods.slice(0, REPORT_PODS_MAX)) {
    say(`Sidecar of ${pod}`);
    const [namespace, name] = pod.split("/");
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
    await add(`pods/${namespace}.${name}.log`, () => logOf(client, path, PROXY_NAME));
    using forward = new PortForward(client, { namespace, pod: name, port: 15_000 });
    for (const [what, file] of [["/plan", "plan.json"], ["/metrics", "metrics.txt"]]) {
      await add(
        `pods/${namespace}.${name}.${file}`,
        () => fetch(`http://${forward.address}${what}`).then((answer) => answer.text()),
      );
    }
  }
  return files;
}

interface ObjectSource {
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** What is kept of each. */
  readonly only?: (object: JsonFields) => unknown;
}

function objectSources(
  namespace: string,
  meshName: string | undefined,
): readonly (readonly [name: string, source: ObjectSource])[] {
  const own = { labelSelector: OWN_LABEL };
  const here = `/namespaces/${namespace}`;
  const admission = "/apis/admissionregistration.k8s.io/v1";
  const member = { labelSelector: `weft.dev/monitored-by=${meshName ?? "weft"}` };
  return [
    ["deployments", { path: `/apis/apps/v1${here}/deployments`, query: own }],
    ["controller-pods", {
      path: `/api/v1${here}/pods`,
      query: { labelSelector: "app=weft-controller" },
    }],
    ["configmaps", { path: `/api/v1${here}/configmaps`, query: own }],
    ["services", { path: `/api/v1${here}/services`, query: own }],
    ["events", { path: `/api/v1${here}/events` }],
    ["mutating-webhooks", {
      path: `${admission}/mutatingwebhookconfigurations`,
      only: webhookPart,
    }],
    ["validating-webhooks", {
      path: `${admission}/validatingwebhookconfigurations`,
      only: webhookPart,
    }],
    ["nodes", { path: "/api/v1/nodes", only: nodePart }],
    ["namespaces", { path: "/api/v1/namespaces", query: member }],
    ["member-pods", { path: "/api/v1/pods", only: podPart }],
    ["trafficsplits", { path: "/apis/split.smi-spec.io/v1alpha4/trafficsplits" }],
    ["httproutegroups", { path: "/apis/specs.smi-spec.io/v1alpha4/httproutegroups" }],
    ["tcproutes", { path: "/apis/specs.smi-spec.io/v1alpha4/tcproutes" }],
    ["traffictargets", { path: "/apis/access.smi-spec.io/v1alpha3/traffictargets" }],
    ["egresses", { path: "/apis/weft.dev/v1alpha1/egresses" }],
    ["ingressbackends", { path: "/apis/weft.dev/v1alpha1/ingressbackends" }],
    ["trafficpolicies", { path: "/apis/weft.dev/v1alpha1/trafficpolicies" }],
  ];
}

function nameOf({ metadata }: JsonFields): string {
  return textField(fieldsOf(metadata), "name") ?? "";
}

/** An earlier text of the object, and who wrote which field, are long and say nothing more. */
function withoutNoise(object: JsonFields): unknown {
  const { managedFields: _, ...metadata } = fieldsOf(object["metadata"]);
  const annotations = Object.entries(fieldsOf(metadata["annotations"]))
    .filter(([key]) => key !== "kubectl.kubernetes.io/last-applied-configuration");
  return { ...object, metadata: { ...metadata, annotations: Object.fromEntries(annotations) } };
}

function webhookPart(object: JsonFields): unknown {
  const hooks = Array.isArray(object["webhooks"]) ? object["webhooks"].map(fieldsOf) : [];
  const parts = hooks.map(({ name, failurePolicy, rules, namespaceSelector }) => ({
    ...{ name, failurePolicy, rules, namespaceSelector },
  }));
  return { name: nameOf(object), webhooks: parts };
}

function nodePart(object: JsonFields): unknown {
  const { nodeInfo, conditions } = fieldsOf(object["status"]);
  return { name: nameOf(object), nodeInfo, conditions };
}

/** Without their environment, which may hold passwords. */
function podPart(object: JsonFields): unknown {
  const { namespace, name, labels } = fieldsOf(object["metadata"]);
  const { initContainers, containers, hostNetwork } = fieldsOf(object["spec"]);
  const { phase, podIP, conditions, containerStatuses, initContainerStatuses } = fieldsOf(
    object["status"],
  );
  const namesOf = (list: unknown) =>
    Array.isArray(list) ? list.map((each) => fieldsOf(each)["name"]) : [];
  const states = { phase, podIP, conditions, containerStatuses, initContainerStatuses };
  const names = { initContainers: namesOf(initContainers), containers: namesOf(containers) };
  return { namespace, name, labels, hostNetwork, ...names, ...states };
}

function logOf(client: KubeClient, pod: string, container: string): Promise<string> {
  const query = new URLSearchParams({
    container,
    tailLines: String(REPORT_LOG_LINES),
    timestamps: "true",
  });
  return client.text("GET", `${pod}/log?${query}`, { accept: "*/*" });
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
