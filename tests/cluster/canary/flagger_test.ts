/**
 * The guide with Flagger, word for word, and then Flagger itself with each way in which it can be told to use a mesh: versions are promoted and
 * rolled back under load, and no request has an answer that is not an application's. On a real node.
 */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { until } from "../../support/until.ts";
import {
  apply,
  CANARY_TOOLS,
  follow,
  guideCommands,
  newNamespace,
  OFF_CANARY,
  programmedTimes,
  readRepository,
  REFUSED_MAX,
  type Release,
  splitState,
  startLoad,
  walk,
} from "./canary_lab.ts";
import { get, insist, runOnNode } from "../node/on_node.ts";

const GUIDE = readRepository("docs/flagger.md");
const TEMPLATES = {
  "request-success-rate": "weft-success-rate",
  "request-duration": "weft-latency-p99",
};

/** How Flagger is told to use the mesh, and whether it needs templates of metrics. */
const PROVIDERS = [
  { provider: "osm", hasMetrics: true },
  { provider: "linkerd", hasMetrics: true },
  { provider: "smi:v1alpha3", hasMetrics: false },
];

interface Metric {
  readonly name: keyof typeof TEMPLATES;
}

// deno-lint-ignore no-explicit-any -- an object of Kubernetes
function canaryFor(provider: string, hasMetrics: boolean): any {
  const canary = parse(readRepository("examples/flagger/canary.yaml"));
  canary.spec.provider = provider;
  if (hasMetrics) return canary;
  canary.spec.analysis.metrics = canary.spec.analysis.metrics.map((metric: Metric) => ({
    ...metric,
    // By the name of a built-in metric it would be that.
    name: TEMPLATES[metric.name],
    templateRef: { name: TEMPLATES[metric.name], namespace: "flagger-system" },
  }));
  return canary;
}

/** Asked before Flagger has any part in it. */
const SERVICE = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web" },
  spec: { selector: { app: "web" }, ports: [{ name: "http", port: 8080, targetPort: 8080 }] },
};

async function phaseOf(namespace: string): Promise<string> {
  return (await get(`canary web -n ${namespace}`)).status?.phase ?? "";
}

async function killController(): Promise<void> {
  const name = "jsonpath='{.items[0].metadata.name}'";
  const selector = "app.kubernetes.io/component=controller";
  const pod = await insist(`kubectl get pods -n weft-system -l ${selector} -o ${name}`);
  await insist(`kubectl delete pod -n weft-system ${pod} --grace-period=0 --force`);
}

/** What a person sees of a release on its way. */
async function checkWords(namespace: string): Promise<void> {
  const json = async (command: string) =>
    JSON.parse(await insist(`${command} -n ${namespace} -o json`));
  const watch = "weft status trafficsplit/web --watch --timeout 4s";
  const lines = (await insist(`${watch} -n ${namespace} -o json`)).trim().split("\n");
  const { backends } = JSON.parse(lines[lines.length - 1]);
  const shares = backends.map(({ share }: { share: number }) => share);
  assert.ok(Math.abs(shares[0] + shares[1] - 1) < 1e-9 && shares[0] > 0, lines.join("\n"));
  assert.ok(backends.every(({ successRate }: { successRate: number }) => successRate === 1));
  assert.match(await insist(`${watch} -n ${namespace}`), /^web-primary +\d+ +\d/m);
  const calls = await json("weft edges --window 3s");
  const workload = (name: string) => `${namespace}/Deployment/${name}`;
  for (const name of ["web", "web-primary"]) {
    const call = calls.find(({ destination }: { destination: string }) =>
      destination === workload(name)
    );
    assert.equal(call?.source, workload("load"), JSON.stringify(calls));
    assert.equal(call.successRate, 1);
  }
  const rows = await json("weft top --window 3s");
  const primary = rows.find(({ name }: { name: string }) => name === workload("web-primary"));
  assert.ok(primary?.requestsPerSecond > 1 && primary.p99Ms > 0, JSON.stringify(rows));
}

async function release(provider: string, hasMetrics: boolean): Promise<string> {
  const namespace = `shop-${provider.replace(":", "-")}`;
  await newNamespace(namespace);
  const web = readRepository("examples/flagger/web.yaml");
  await insist(`kubectl apply -n ${namespace} -f -`, web);
  await apply(namespace, SERVICE);
  await insist(`kubectl rollout status -n ${namespace} deployment/web --timeout=120s`);
  const client = await startLoad(namespace);
  await client.take(`${provider}: before Flagger`);
  await apply(namespace, canaryFor(provider, hasMetrics));
  await until("Initialized", () => phaseOf(namespace), (phase) => phase === "Initialized");
  await client.take(`${provider}: Initialized`);

  const look = async () => ({
    ...await splitState(namespace, "web", "web-canary"),
    phase: await phaseOf(namespace),
  });
  let isDone = false;
  const promotion: Release = {
    name: `${provider}, v2`,
    namespace,
    client,
    look,
    stepping: ["Progressing"],
    isNew: (answer) => answer.includes("v2"),
    onStep: async (weight) => {
      if (weight < 20 || isDone) return;
      isDone = true;
      if (provider === "osm") await killController();
      if (provider === "linkerd") await checkWords(namespace);
    },
  };
  await insist(`kubectl apply -n ${namespace} -f -`, web.replace("I am v1", "I am v2"));
  const isUnderWay = (phase: string) => phase === "Progressing";
  await until("Progressing", () => phaseOf(namespace), isUnderWay);
  const promoted = await follow(promotion, "Succeeded", "Failed");
  assert.equal(await phaseOf(namespace), "Succeeded", await story(namespace));
  const after = await client.take(`${provider}: promoted`, 60);
  assert.deepEqual(Object.keys(after), ["Hi, I am v2!\n"]);

  const rollback = { ...promotion, name: `${provider}, failing`, isNew: isFailing };
  await insist(
    `kubectl apply -n ${namespace} -f -`,
    readRepository("examples/flagger/web-failing.yaml"),
  );
  await until("Progressing", () => phaseOf(namespace), isUnderWay);
  const failed = await follow(rollback, "Succeeded", "Failed");
  assert.equal(await phaseOf(namespace), "Failed", await story(namespace));
  const back = await client.take(`${provider}: rolled back`, 60);
  assert.deepEqual(Object.keys(back), ["Hi, I am v2!\n"]);
  return `${provider}: promoted by ${promoted.join(", ")}, rolled back after ${
    failed.join(", ")
  }; ${client.sum} requests, ${REFUSED_MAX - client.lostMax} refused`;
}

function isFailing(answer: string): boolean {
  return answer.includes("v3") || answer.includes("Sorry");
}

async function story(namespace: string): Promise<string> {
  return (await runOnNode(`kubectl describe -n ${namespace} canary/web | tail -n 30`)).text;
}

Deno.test("Flagger: the guide has its commands", () => {
  const commands = guideCommands(GUIDE);
  assert.match(commands[0], /^kubectl apply -k examples\/prometheus$/);
  assert.ok(commands.length >= 15, String(commands.length));
});

Deno.test({
  name: `Flagger: its guide, and releases under load with each of its providers${OFF_CANARY}`,
  ignore: CANARY_TOOLS === undefined,
  async fn(t) {
    const startedMs = performance.now();
    await insist("weft install --image localhost/weft:test --timeout 120s");
    await t.step(
      "the guide",
      () => walk(GUIDE, new Map([["flagger/flagger ", `${CANARY_TOOLS}/flagger `]])),
    );
    await insist("kubectl delete namespace shop --wait=false");
    await insist("kubectl apply -f examples/flagger/metric_templates.yaml");
    await t.step("releases under load", async () => {
      const stories = await Promise.all(
        PROVIDERS.map(({ provider, hasMetrics }) => release(provider, hasMetrics)),
      );
      for (const each of stories) console.log(each);
      console.log(await programmedTimes());
    });
    console.log(`${((performance.now() - startedMs) / 1_000).toFixed(0)} s`);
  },
});
