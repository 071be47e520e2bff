/**
 * A namespace moves into the mesh and out of it while a client in the mesh asks its Service at a steady rate: in plain first, then by mutual
 * TLS with the pods that have a sidecar, in strict mode, and in plain again. Not one request may fail. On a real node. (Pods that lose their
 * sidecars are made anew outside the mesh: their old sidecars outlive applications, and what calls them in plain is answered 503 for a moment.)
 */
import { until } from "../../support/until.ts";
import { LoadClient } from "./load_client.ts";
import { get, insist, NODE, OFF_NODE } from "./on_node.ts";

const SERVERS = "moving";
const CLIENTS = "asking";
const RATE = 100;

/** An application that goes on for as long as others take to hear of its end, as applications have to without a mesh. */
function deployment(name: string, replicas: number, args: readonly string[]): object {
  const labels = { app: name };
  const container = {
    name: "app",
    image: "weft-test/load",
    imagePullPolicy: "IfNotPresent",
    command: ["/bin/load", ...args],
    // The client of the tests serves on another port, and on loopback alone.
    ...(name === "web"
      ? { readinessProbe: { httpGet: { path: "/", port: 8080 }, periodSeconds: 1 } }
      : {}),
    lifecycle: { preStop: { sleep: { seconds: 3 } } },
  };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
    },
  };
}

const SERVICE = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web" },
  spec: { selector: { app: "web" }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
};

async function apply(namespace: string, ...items: readonly object[]): Promise<void> {
  const list = { apiVersion: "v1", kind: "List", items };
  await insist(`kubectl apply -n ${namespace} -f -`, JSON.stringify(list));
}

async function run(command: string): Promise<void> {
  await insist(command);
}

async function rolledOut(namespace: string, name: string): Promise<void> {
  await insist(`kubectl rollout status -n ${namespace} deployment/${name} --timeout=120s`);
}

/** Makes the pods anew; whether they have a sidecar is what their namespace says. */
async function madeAnew(): Promise<void> {
  await insist(`kubectl rollout restart -n ${SERVERS} deployment/web`);
  await rolledOut(SERVERS, "web");
  const pods = async () => (await get(`-n ${SERVERS} pods -l app=web`)).items.length;
  await until("the last of the old pods is gone", pods, (count) => count === 2);
}

const NAME = "moving: a namespace comes into the mesh and leaves it, and no request fails";

Deno.test({ name: NAME + OFF_NODE, ignore: NODE === undefined }, async (t) => {
  await insist("weft install --image localhost/weft:test --timeout 120s");
  await insist(`kubectl create namespace ${SERVERS}; kubectl create namespace ${CLIENTS}`);
  await insist(`weft namespace add ${CLIENTS}`);
  await apply(SERVERS, SERVICE, deployment("web", 2, ["server", "web", "8080", "close"]));
  await rolledOut(SERVERS, "web");
  await apply(CLIENTS, deployment("client", 1, ["client", `http://web.${SERVERS}`, `${RATE}`]));
  await rolledOut(CLIENTS, "client");
  const names = "-o jsonpath='{.items[0].metadata.name}'";
  const pod = await insist(`kubectl get pods -n ${CLIENTS} -l app=client ${names}`);
  const client = new LoadClient(CLIENTS, pod);
  const step = async (name: string, act: () => Promise<void>) =>
    void await t.step(name, async () => {
      await act();
      await client.take(name, RATE);
    });
  try {
    await step("outside the mesh", async () => {});
    await step("its pods have no sidecar yet", () => run(`weft namespace add ${SERVERS}`));
    await step("its pods are made anew, with sidecars", madeAnew);
    const mode = (text: string) =>
      run(`kubectl annotate namespace ${SERVERS} --overwrite weft.dev/mtls-mode${text}`);
    await step("callers must come by mutual TLS", () => mode("=strict"));
    await step("its pods are made anew, where callers must", madeAnew);
    await step("callers need not", () => mode("-"));
    await step(
      "it leaves the mesh, and its pods have sidecars still",
      () => run(`weft namespace remove ${SERVERS}`),
    );
    console.log(`${client.sum} requests`);
  } finally {
    await insist(`kubectl delete namespace ${SERVERS} ${CLIENTS} --wait=false`);
  }
});
