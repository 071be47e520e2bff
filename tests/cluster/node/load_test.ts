/**
 * A client in the mesh asks a Service at a steady rate, GET and POST, while everything behind it is moved: not one request may fail, and
 * under each plan the shares are exact. On a real node; see `tests/cluster/run_on_node`.
 */
import assert from "node:assert/strict";
import { until } from "../../support/until.ts";
import { kubectl, NODE, nodeTest, run } from "./node.ts";

const NAMESPACE = "load";
const RATE = 100;
/** Requests under one plan, of which the shares are taken. */
const WINDOW = 200;

interface Tally {
  readonly asked: number;
  readonly answers: Readonly<Record<string, number>>;
  readonly failures: readonly string[];
  readonly failed: number;
}

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

async function apply(...items: unknown[]): Promise<void> {
  const list = { apiVersion: "v1", kind: "List", items };
  await kubectl(["apply", "-n", NAMESPACE, "-f", "-"], JSON.stringify(list));
}

async function rolledOut(name: string): Promise<void> {
  await kubectl(["rollout", "status", "-n", NAMESPACE, `deployment/${name}`, "--timeout=180s"]);
}

async function podsOf(selector: string, namespace = NAMESPACE): Promise<string[]> {
  const names = "jsonpath={.items[*].metadata.name}";
  return (await kubectl(["get", "pods", "-n", namespace, "-l", selector, "-o", names])).split(" ");
}

class Client {
  readonly #pod: string;
  /** Requests so far. */
  sum = 0;

  constructor(pod: string) {
    this.#pod = pod;
  }

  /** The answers to the next `requests` or a few more, or to those since the last call. Every one was right. */
  async take(during: string, requests = 0): Promise<Readonly<Record<string, number>>> {
    const url = `http://127.0.0.1:9000/take?requests=${requests}`;
    const ask = ["wget", "-q", "-O", "-", url];
    const text = await kubectl(["exec", "-n", NAMESPACE, this.#pod, "-c", "app", "--", ...ask]);
    const { asked, answers, failures, failed }: Tally = JSON.parse(text);
    this.sum += asked;
    assert.equal(failed, 0, `${during}: ${failed} failed\n${(failures ?? []).join("\n")}`);
    return answers;
  }

  /** Waits until a window of requests is split as said, to the request. */
  async splits(v1: number, v2: number): Promise<void> {
    const what = `${v1} to ${v2}`;
    await until(what, () => this.take(what, WINDOW), ({ v1: one = 0, v2: two = 0 }) => {
      const exact = (one + two) * v1 / (v1 + v2);
      return Math.abs(one - exact) < 1 + 1e-9;
    });
  }
}

/** Acts on the process of a container, as on the node itself. */
async function task(
  namespace: string,
  pod: string,
  container: string,
  ...action: readonly string[]
): Promise<void> {
  const status = await kubectl(["get", "pod", "-n", namespace, pod, "-o", "jsonpath={.status}"]);
  const { containerStatuses, initContainerStatuses = [] } = JSON.parse(status);
  const { containerID } = [...containerStatuses, ...initContainerStatuses]
    .find(({ name }: { name: string }) => name === container);
  const id = containerID.replace(/^.*\//, "");
  await run("ctr", [
    "--address",
    `${NODE}/run/containerd.sock`,
    "-n",
    "k8s.io",
    "task",
    ...action,
    id,
  ]);
}

/** Ends a part of the cluster at once, and starts it again. */
async function restart(part: string): Promise<void> {
  await run("kill", ["-9", Deno.readTextFileSync(`${NODE}/pid/${part}`).trim()]);
  await run(new URL("../start", import.meta.url).pathname, [NODE]);
}

/** Drops what proxies and controllers say to each other, for the time of `work`. */
async function withoutStream(work: () => Promise<void>): Promise<void> {
  const netns = `weft-${Deno.readTextFileSync(`${NODE}/network`).trim()}`;
  const rule = (action: string) =>
    run("ip", [
      "netns",
      "exec",
      netns,
      "iptables",
      action,
      "FORWARD",
      "-p",
      "tcp",
      "--dport",
      "15080",
      "-j",
      "DROP",
    ]);
  await rule("-I");
  try {
    await work();
  } finally {
    await rule("-D");
  }
}

nodeTest("load: not one request fails while everything behind it moves", async (t) => {
  await kubectl(["create", "namespace", NAMESPACE]);
  await run("weft", ["namespace", "add", NAMESPACE]);
  await apply(
    service("web", { app: "web" }),
    service("web-v1", { app: "web", version: "v1" }),
    service("web-v2", { app: "web", version: "v2" }),
    split(50, 50),
    deployment("web-v1", "v1", 2, ["server", "v1", "8080", "close"]),
    deployment("web-v2", "v2", 2, ["server", "v2", "8080", "exit"]),
  );
  await rolledOut("web-v1");
  await rolledOut("web-v2");
  await apply(deployment("client", "", 1, ["client", `http://web.${NAMESPACE}`, `${RATE}`]));
  await rolledOut("client");
  const client = new Client((await podsOf("app=client"))[0]);
  const startedMs = performance.now();
  const step = async (name: string, run: () => Promise<void>) =>
    void await t.step(name, async () => {
      await run();
      await client.take(name);
    });

  await step("weights change", async () => {
    for (const [v1, v2] of [[50, 50], [90, 10], [1, 3], [0, 100], [100, 0], [37, 63]]) {
      await apply(split(v1, v2));
      await client.splits(v1, v2);
    }
  });
  for (const [name, end] of [["web-v1", "closes at SIGTERM"], ["web-v2", "exits at SIGTERM"]]) {
    await step(`a deployment rolls whose application ${end}`, async () => {
      await kubectl(["rollout", "restart", "-n", NAMESPACE, `deployment/${name}`]);
      await rolledOut(name);
      await client.splits(37, 63);
    });
  }
  await step("a deployment goes from 3 to 1 and back", async () => {
    for (const replicas of [3, 1, 3]) {
      await kubectl(["scale", "-n", NAMESPACE, "deployment/web-v1", `--replicas=${replicas}`]);
      await rolledOut("web-v1");
    }
    await client.splits(37, 63);
  });
  await step("sidecars of servers are killed", async () => {
    const [pod] = await podsOf("version=v1");
    await task(NAMESPACE, pod, "weft-proxy", "kill", "-s", "SIGKILL");
    await client.splits(37, 63);
  });
  await step("the controller is away", async () => {
    await kubectl(["scale", "-n", "weft-system", "deployment/weft-controller", "--replicas=0"]);
    await client.splits(37, 63);
    await kubectl(["scale", "-n", "weft-system", "deployment/weft-controller", "--replicas=2"]);
    await kubectl(["rollout", "status", "-n", "weft-system", "deployment/weft-controller"]);
    await apply(split(25, 75));
    await client.splits(25, 75);
  });
  const controllers = await podsOf("app.kubernetes.io/component=controller", "weft-system");
  await step("controllers are killed", async () => {
    for (const pod of controllers) {
      await task("weft-system", pod, "controller", "kill", "-s", "SIGKILL");
    }
    await apply(split(75, 25));
    await client.splits(75, 25);
  });
  await step("a controller is frozen", async () => {
    await task("weft-system", controllers[0], "controller", "pause");
    try {
      await apply(split(10, 90));
      await client.splits(10, 90);
    } finally {
      await task("weft-system", controllers[0], "controller", "resume");
    }
  });
  for (const part of ["apiserver", "etcd", "kubelet", "containerd"]) {
    await step(`${part} is killed and starts again`, async () => {
      await restart(part);
      const weight = part.length;
      await apply(split(weight, 100 - weight));
      await client.splits(weight, 100 - weight);
    });
  }
  await step("a deployment rolls and the controllers are heard late", async () => {
    await withoutStream(async () => {
      await kubectl(["rollout", "restart", "-n", NAMESPACE, "deployment/web-v1"]);
      await client.take("late", 10 * RATE);
    });
    await rolledOut("web-v1");
    await apply(split(50, 50));
    await client.splits(50, 50);
  });
  const seconds = (performance.now() - startedMs) / 1_000;
  console.log(`${client.sum} requests in ${seconds.toFixed(0)} s, 0 failed`);
});
