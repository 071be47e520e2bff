/**
 * A client in the mesh asks a Service at a steady rate, GET and POST, while everything behind it is moved: not one request may fail, and
 * under each plan the shares are exact. On a real node; see `tests/cluster/run_on_node`.
 */
import assert from "node:assert/strict";
import { until } from "../../support/until.ts";
import { LoadClient } from "./load_client.ts";
import { get, insist, NODE, OFF_NODE, runOnNode } from "./on_node.ts";

const NAMESPACE = "load";
const RATE = 100;
/** An application that exits at SIGTERM takes with it the POST that it has in hand. */
const LOST_BY_EXIT_MAX = 2;

function service(name: string, selector: Readonly<Record<string, string>>): unknown {
  const ports = [{ name: "http", port: 80, targetPort: 8080 }];
  return { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { selector, ports } };
}

function deployment(name: string, version: string, replicas: number, args: string[]): unknown {
  const labels = version === "" ? { app: name } : { app: "web", version };
  const container = {
    name: "app",
    image: "weft-test/load",
    imagePullPolicy: "IfNotPresent",
    command: ["/bin/load", ...args],
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

function split(v1: number, v2: number): unknown {
  return {
    apiVersion: "split.smi-spec.io/v1alpha4",
    kind: "TrafficSplit",
    metadata: { name: "web" },
    spec: {
      service: "web",
      backends: [{ service: "web-v1", weight: v1 }, { service: "web-v2", weight: v2 }],
    },
  };
}

async function apply(items: readonly unknown[], namespace = NAMESPACE): Promise<void> {
  const list = { apiVersion: "v1", kind: "List", items };
  await insist(`kubectl apply -n ${namespace} -f -`, JSON.stringify(list));
}

async function rolledOut(name: string, namespace = NAMESPACE): Promise<void> {
  await insist(`kubectl rollout status -n ${namespace} deployment/${name} --timeout=120s`);
}

async function podsOf(selector: string, namespace = NAMESPACE): Promise<string[]> {
  const names = "jsonpath='{.items[*].metadata.name}'";
  return (await insist(`kubectl get pods -n ${namespace} -l ${selector} -o ${names}`)).split(" ");
}

/** Acts on the process of a container, as on the node itself. */
async function task(
  namespace: string,
  pod: string,
  container: string,
  action: string,
): Promise<void> {
  const { containerStatuses, initContainerStatuses = [] } =
    (await get(`pod -n ${namespace} ${pod}`)).status;
  const { containerID } = [...containerStatuses, ...initContainerStatuses]
    .find(({ name }: { name: string }) => name === container);
  const id = containerID.replace(/^.*\//, "");
  const socket = `${NODE}/run/containerd.sock`;
  await insist(`ctr --address ${socket} -n k8s.io task ${action} ${id}`);
}

/** Goes from one root to another, and is killed once it has said so many lines, unless it is done before: each is of another step. */
function rotateUntil(lines: number): string {
  return `said=$(mktemp)
    weft certificate rotate --timeout 120s >$said & pid=$!
    until [ $(wc -l <$said) -ge ${lines} ]; do kill -0 $pid || break; sleep 0.01; done
    kill -9 $pid; wait $pid; cat $said; rm $said`;
}

/** Ends a part of the cluster at once, and starts it again. */
async function restart(part: string): Promise<void> {
  const pid = (await insist(`cat ${NODE}/pid/${part}`)).trim();
  await insist(`kill -9 ${pid}`);
  const isThere = async () => (await runOnNode(`grep -v ') Z ' /proc/${pid}/stat`)).code === 0;
  await until(`the end of ${part}`, isThere, (is) => !is);
  await insist(`${new URL("../start", import.meta.url).pathname} ${NODE}`);
}

/**
 * Drops what proxies say to controllers, for the time of `work`.
 * @param pod whose proxy alone it is; left out: all
 */
async function withoutStream(work: () => Promise<void>, pod?: string): Promise<void> {
  const address = pod === undefined ? "" : (await get(`pod -n ${NAMESPACE} ${pod}`)).status.podIP;
  const source = address === "" ? "" : `-s ${address}`;
  const rule = (action: string) =>
    insist(
      `ip netns exec weft-$(cat ${NODE}/network) iptables ${action} FORWARD ${source} -p tcp --dport 15080 -j DROP`,
    );
  await rule("-I");
  try {
    await work();
  } finally {
    await rule("-D");
  }
}

const NAME = "load: not one request fails while everything behind it moves";

Deno.test({ name: NAME + OFF_NODE, ignore: NODE === undefined }, async (t) => {
  await insist("weft install --image localhost/weft:test --timeout 120s");
  await insist(`kubectl create namespace ${NAMESPACE}`);
  await insist(`weft namespace add ${NAMESPACE}`);
  await apply([
    service("web", { app: "web" }),
    service("web-v1", { app: "web", version: "v1" }),
    service("web-v2", { app: "web", version: "v2" }),
    split(50, 50),
    deployment("web-v1", "v1", 2, ["server", "v1", "8080", "close"]),
    deployment("web-v2", "v2", 2, ["server", "v2", "8080", "exit"]),
  ]);
  await rolledOut("web-v1");
  await rolledOut("web-v2");
  await apply([deployment("client", "", 1, ["client", `http://web.${NAMESPACE}`, `${RATE}`])]);
  await rolledOut("client");
  const [caller] = await podsOf("app=client");
  const client = new LoadClient(NAMESPACE, caller);
  const startedMs = performance.now();
  const step = async (name: string, run: () => Promise<void>) =>
    void await t.step(name, async () => {
      await run();
      await client.take(name);
    });

  await step("weights change", async () => {
    for (const [v1, v2] of [[50, 50], [90, 10], [1, 3], [0, 100], [100, 0], [37, 63]]) {
      await apply([split(v1, v2)]);
      await client.splits(v1, v2);
    }
  });
  await step("the mesh goes from one root to another, by a command that is killed", async () => {
    for (let lines = 1; lines <= 5; lines++) await insist(rotateUntil(lines));
    const said = await insist("weft certificate rotate --timeout 120s");
    assert.match(said, /\bDone\n$/);
    await client.splits(37, 63);
  });
  for (const [name, end] of [["web-v1", "closes at SIGTERM"], ["web-v2", "exits at SIGTERM"]]) {
    await step(`a deployment rolls whose application ${end}`, async () => {
      if (name === "web-v2") client.lostMax = LOST_BY_EXIT_MAX;
      await insist(`kubectl rollout restart -n ${NAMESPACE} deployment/${name}`);
      await rolledOut(name);
      await client.splits(37, 63);
    });
    client.lostMax = 0;
  }
  await step("a deployment goes from 3 to 1 and back", async () => {
    for (const replicas of [3, 1, 3]) {
      await insist(`kubectl scale -n ${NAMESPACE} deployment/web-v1 --replicas=${replicas}`);
      await rolledOut("web-v1");
    }
    await client.splits(37, 63);
  });
  await step("sidecars of servers are killed", async () => {
    const [pod] = await podsOf("version=v1");
    client.lostMax = 2;
    await task(NAMESPACE, pod, "weft-proxy", "kill -s SIGKILL");
    await client.splits(37, 63);
    client.lostMax = 0;
  });
  const scale = "kubectl scale -n weft-system deployment/weft-controller --replicas=";
  await step("the controller is away", async () => {
    await insist(`${scale}0`);
    await client.splits(37, 63);
    await insist(`${scale}2`);
    await insist("kubectl rollout status -n weft-system deployment/weft-controller");
    await apply([split(25, 75)]);
    await client.splits(25, 75);
  });
  const controllers = await podsOf("app.kubernetes.io/component=controller", "weft-system");
  await step("controllers are killed", async () => {
    for (const pod of controllers) {
      await task("weft-system", pod, "controller", "kill -s SIGKILL");
    }
    await apply([split(75, 25)]);
    await client.splits(75, 25);
  });
  await step("a controller is frozen", async () => {
    await task("weft-system", controllers[0], "controller", "pause");
    try {
      await apply([split(10, 90)]);
      await client.splits(10, 90);
    } finally {
      await task("weft-system", controllers[0], "controller", "resume");
    }
  });
  for (const part of ["apiserver", "etcd", "kubelet", "containerd"]) {
    await step(`${part} is killed and starts again`, async () => {
      await restart(part);
      const weight = part.length;
      await apply([split(weight, 100 - weight)]);
      await until("commands run in pods", () => client.isReachable(), Boolean);
      await client.splits(weight, 100 - weight);
    });
  }
  await step("the controllers are not heard for ten seconds", async () => {
    await withoutStream(async () => {
      await apply([split(50, 50)]);
      await client.take("unheard", 10 * RATE);
    });
    await client.splits(50, 50);
  });
  await step("deployments roll while their client's proxy hears nothing of it", async () => {
    client.lostMax = LOST_BY_EXIT_MAX;
    await withoutStream(async () => {
      await insist(`kubectl rollout restart -n ${NAMESPACE} deployment/web-v1 deployment/web-v2`);
      await rolledOut("web-v1");
      await rolledOut("web-v2");
      // All pods that it knows are gone.
      await client.take("unheard", 2 * RATE);
      await client.splits(50, 50);
    }, caller);
    await client.splits(50, 50);
  });
  client.lostMax = 0;
  await step("a namespace is deleted whose pods are answering", async () => {
    const doomed = "load-doomed";
    await insist(`kubectl create namespace ${doomed}`);
    await insist(`weft namespace add ${doomed}`);
    const args = ["server", "doomed", "8080", "close"];
    await apply(
      [service("web", { app: "web", version: "v1" }), deployment("web", "v1", 1, args)],
      doomed,
    );
    await rolledOut("web", doomed);
    const url = `http://web.${doomed}`;
    await until("the Service answers", () => client.ask(url), (text) => text === "doomed");
    const underWay = Promise.all([client.ask(`${url}/slow`), client.ask(`${url}/slow`, "x")]);
    await until("both are there", () => client.ask(`${url}/under-way`), (text) => text === "2");
    await insist(`kubectl delete namespace ${doomed} --timeout=120s`);
    assert.deepEqual(await underWay, ["doomed", "doomed"]);
    assert.equal(await client.ask(url), null);
    await client.splits(50, 50);
  });
  const seconds = (performance.now() - startedMs) / 1_000;
  console.log(`${client.sum} requests in ${seconds.toFixed(0)} s, 0 failed`);
});
