/** The SMI metrics API on a real node: asked by kubectl, edges and errors, and that it keeps no namespace from being deleted. */
import assert from "node:assert/strict";
import { until } from "../../support/until.ts";
import { get, insist, NODE, OFF_NODE, runOnNode } from "./on_node.ts";

const NAMESPACE = "metrics";
const API = "/apis/metrics.smi-spec.io/v1alpha1";
const REGISTRATION = "apiservice v1alpha1.metrics.smi-spec.io";

function deployment(name: string, command: readonly string[]): unknown {
  const labels = { app: name };
  const container = {
    ...{ name: "app", image: "weft-test/load", imagePullPolicy: "IfNotPresent" },
    command: ["/bin/load", ...command],
  };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
    },
  };
}

// deno-lint-ignore no-explicit-any -- what is asked for is what is tested
async function ask(path: string): Promise<any> {
  return JSON.parse(await insist(`kubectl get --raw "${API}${path}"`));
}

interface Metrics {
  readonly resource: { readonly name: string };
  readonly edge: {
    readonly direction: string;
    readonly resource: { readonly name: string } | null;
  };
  readonly metrics: readonly { readonly name: string; readonly value: string }[];
}

function successesOf({ metrics }: Metrics): number {
  return Number(metrics.find(({ name }) => name === "success_count")?.value);
}

async function deleteNamespace(name: string): Promise<void> {
  await insist(`kubectl create namespace ${name}`);
  await insist(`kubectl delete namespace ${name} --timeout 100s`);
}

Deno.test({
  name: `SMI metrics API: by kubectl, with two controllers, and until Weft is gone${OFF_NODE}`,
  ignore: NODE === undefined,
  async fn(t) {
    await insist("weft install --image localhost/weft:test --timeout 120s");
    await insist(`kubectl create namespace ${NAMESPACE} && weft namespace add ${NAMESPACE}`);
    const service = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web" },
      spec: { selector: { app: "web" }, ports: [{ name: "http", port: 8080 }] },
    };
    const items = [
      service,
      deployment("web", ["server", "v1", "8080", "close"]),
      deployment("client", ["client", `http://web.${NAMESPACE}:8080`, "20"]),
    ];
    const list = JSON.stringify({ apiVersion: "v1", kind: "List", items });
    await insist(`kubectl apply -n ${NAMESPACE} -f -`, list);
    for (const name of ["web", "client"]) {
      await insist(`kubectl rollout status -n ${NAMESPACE} deployment/${name} --timeout 120s`);
    }
    await t.step("it is not there unless asked for", async () => {
      assert.notEqual((await runOnNode(`kubectl get --raw ${API}`)).code, 0);
      assert.match(await insist("weft metrics api enable"), /enabled/);
      assert.match(await insist("weft check"), /The SMI metrics API is served/);
      const { resources } = await ask("");
      assert.equal(resources.length, 5);
    });
    await t.step("what a Deployment answers, and whom it calls", async () => {
      const web = `/namespaces/${NAMESPACE}/deployments/web`;
      const answered = await until("answers", () => ask(web), (item) => successesOf(item) > 0);
      assert.equal(answered.kind, "TrafficMetrics");
      const names: string[] = answered.metrics.map(({ name }: { name: string }) => name);
      assert.deepEqual(names, [
        ...["p50_response_latency", "p90_response_latency", "p99_response_latency"],
        ...["success_count", "failure_count"],
      ]);
      const isOfClient = ({ items }: { items: Metrics[] }) =>
        items.some((item) =>
          item.edge.direction === "from" && item.edge.resource?.name === "client" &&
          successesOf(item) > 0
        );
      await until("the edge", () => ask(`${web}/edges?t=10s`), isOfClient);
    });
    await t.step("errors and tables are those of the API server", async () => {
      const none = await runOnNode(
        `kubectl get --raw ${API}/namespaces/${NAMESPACE}/deployments/no`,
      );
      assert.match(none.text, /NotFound.*No pod with a sidecar is of Deployment metrics\/no/);
      const table = await insist(`kubectl get deployments.metrics.smi-spec.io -n ${NAMESPACE}`);
      assert.match(table, /^NAME +EDGE +WINDOW +SUCCESS +FAILURE +P50 +P90 +P99$/m);
      assert.match(table, /^web +\S+s +\d+ +0 +[\d.]+ms/m);
    });
    await t.step("namespaces can be deleted, also while one controller is gone", async () => {
      await deleteNamespace("metrics-short-lived");
      await insist("kubectl scale -n weft-system deployment/weft-controller --replicas=1");
      await insist("kubectl rollout status -n weft-system deployment/weft-controller");
      await deleteNamespace("metrics-short-lived");
    });
    await t.step("an uninstallation takes the registration out first", async () => {
      const lines = (await insist("weft uninstall")).trim().split("\n");
      assert.match(lines[0], /^Removed APIService /);
      assert.notEqual((await runOnNode(`kubectl get ${REGISTRATION}`)).code, 0);
      await insist(`kubectl delete namespace ${NAMESPACE} --timeout 100s`);
    });
    await insist("weft install --image localhost/weft:test --timeout 120s");
    assert.equal((await get("deployment weft-controller -n weft-system")).status.replicas, 2);
  },
});
