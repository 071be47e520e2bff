/**
 * The guide with Argo Rollouts, word for word, and then Argo Rollouts itself with each version in which it can write TrafficSplits: versions are
 * promoted, aborted and rolled back under load, and no request has an answer that is not an application's. On a real node.
 */
import assert from "node:assert/strict";
import { parse, parseAllDocuments } from "yaml";
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
  type ReleaseState,
  splitState,
  startLoad,
  walk,
} from "./canary_lab.ts";
import { get, insist, runOnNode } from "../node/on_node.ts";

const GUIDE = readRepository("docs/argo_rollouts.md");
const INSTALLED_BY =
  "https://github.com/argoproj/argo-rollouts/releases/latest/download/install.yaml";
/** By which several of its controllers share a cluster. */
const INSTANCE = "argo-rollouts.argoproj.io/controller-instance-id";

interface Case {
  /** In which version it writes splits. */
  readonly version: string;
  /** Else the stable Service is the root, and one of its own backends. */
  readonly hasRoot: boolean;
}

const CASES: readonly Case[] = [
  { version: "v1alpha1", hasRoot: true },
  { version: "v1alpha2", hasRoot: true },
  { version: "v1alpha3", hasRoot: false },
];

/** A controller of Argo Rollouts that writes this version. */
async function startController(version: string): Promise<void> {
  const { spec } = await get("deployment argo-rollouts -n argo-rollouts");
  const labels = { app: `argo-rollouts-${version}` };
  const [container] = spec.template.spec.containers;
  const args = [
    `--instance-id=${version}`,
    "--leader-elect=false",
    ...(version === "v1alpha1" ? [] : [`--traffic-split-api-version=${version}`]),
  ];
  await apply("argo-rollouts", {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: labels.app },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { ...spec.template.spec, containers: [{ ...container, args }] },
      },
    },
  });
  await insist(`kubectl rollout status -n argo-rollouts deployment/${labels.app} --timeout=120s`);
}

// deno-lint-ignore no-explicit-any -- an object of Kubernetes
function rolloutFor(file: string, namespace: string, { version, hasRoot }: Case): any {
  const text = readRepository(`examples/argo_rollouts/${file}`)
    .replaceAll("shop/", `${namespace}/`).replaceAll("clusterScope: true", "clusterScope: false");
  const rollout = parse(text);
  rollout.metadata.labels = { [INSTANCE]: version };
  if (!hasRoot) delete rollout.spec.strategy.canary.trafficRouting.smi.rootService;
  return rollout;
}

async function stateOf(namespace: string): Promise<ReleaseState> {
  const { metadata, status } = await get(`rollout web -n ${namespace}`);
  const isSeen = status?.observedGeneration === String(metadata.generation);
  const split = await splitState(namespace, "web", "web-canary");
  return { ...split, phase: isSeen ? status.phase : "not seen" };
}

async function phaseOf(namespace: string): Promise<string> {
  return (await stateOf(namespace)).phase;
}

function isUnderWay(phase: string): boolean {
  return phase === "Progressing" || phase === "Paused";
}

async function release(each: Case): Promise<string> {
  const { version, hasRoot } = each;
  const namespace = `argo-${version}`;
  await newNamespace(namespace);
  const services = parseAllDocuments(readRepository("examples/argo_rollouts/services.yaml"))
    .map((document) => document.toJS())
    .filter(({ metadata: { name } }) => hasRoot || name !== "web");
  // A controller with an instance id sees no templates but those that have it.
  const templates = parseAllDocuments(
    readRepository("examples/argo_rollouts/analysis_templates.yaml"),
  )
    .map((document) => document.toJS())
    .map(({ metadata, ...rest }) => ({
      ...rest,
      kind: "AnalysisTemplate",
      metadata: { ...metadata, labels: { [INSTANCE]: version } },
    }));
  const first = rolloutFor("rollout.yaml", namespace, each);
  await apply(namespace, ...templates, ...services, first);
  const isHealthy = (phase: string) => phase === "Healthy";
  await until(`${namespace}: Healthy`, () => phaseOf(namespace), isHealthy)
    .catch(async (error) => assert.fail(`${error.message}\n${await story(namespace)}`));
  const client = await startLoad(namespace, hasRoot ? "web" : "web-stable");
  const common: Omit<Release, "name" | "isNew"> = {
    namespace,
    client,
    look: () => stateOf(namespace),
    stepping: ["Progressing", "Paused"],
  };
  const change = async (rollout: unknown) => {
    await apply(namespace, rollout);
    await until(`${namespace}: a release`, () => phaseOf(namespace), isUnderWay);
  };
  const only = async (text: string) => {
    const answers = await client.take(`${namespace}: only ${text}`, 60);
    assert.deepEqual(Object.keys(answers), [text]);
  };

  await change(JSON.parse(JSON.stringify(first).replace("I am v1", "I am v2")));
  const promotion = { ...common, name: `${version}, v2`, isNew: (text: string) => /v2/.test(text) };
  const promoted = await follow(promotion, "Healthy", "Degraded");
  assert.equal(await phaseOf(namespace), "Healthy", await story(namespace));
  await only("Hi, I am v2!\n");

  await change(JSON.parse(JSON.stringify(first).replace("I am v1", "I am v4")));
  const abort = JSON.stringify({ status: { abort: true } });
  const abortion: Release = {
    ...common,
    name: `${version}, aborted`,
    isNew: (text) => /v4/.test(text),
    onStep: async (weight) => {
      if (weight < 25) return;
      await insist(
        `kubectl patch rollout web -n ${namespace} --subresource=status --type=merge -p '${abort}'`,
      );
    },
  };
  const aborted = await follow(abortion, "Healthy", "Degraded");
  await only("Hi, I am v2!\n");

  await change(rolloutFor("rollout-failing.yaml", namespace, each));
  const failure = {
    ...common,
    name: `${version}, failing`,
    isNew: (text: string) => /v3|Sorry/.test(text),
  };
  const failed = await follow(failure, "Healthy", "Degraded");
  assert.equal(await phaseOf(namespace), "Degraded", await story(namespace));
  await only("Hi, I am v2!\n");
  return `${version}${hasRoot ? "" : " without a root Service"}: promoted by ${
    promoted.join(", ")
  }, aborted after ${aborted.join(", ")}, rolled back after ${
    failed.join(", ")
  }; ${client.sum} requests, ${REFUSED_MAX - client.lostMax} refused`;
}

async function story(namespace: string): Promise<string> {
  return (await runOnNode(`kubectl describe -n ${namespace} rollout/web | tail -n 30`)).text;
}

Deno.test("Argo Rollouts: the guide has its commands", () => {
  const commands = guideCommands(GUIDE);
  assert.match(commands[0], /^kubectl apply -k examples\/prometheus$/);
  assert.ok(commands.some((command) => command.endsWith(INSTALLED_BY)));
  assert.ok(commands.length >= 15, String(commands.length));
});

Deno.test("Argo Rollouts: the failing version differs in nothing but what it answers", () => {
  const [good, bad] = ["rollout.yaml", "rollout-failing.yaml"].map((file) =>
    parse(readRepository(`examples/argo_rollouts/${file}`))
  );
  bad.spec.template.spec.containers[0].command = good.spec.template.spec.containers[0].command;
  assert.deepEqual(bad, good);
});

Deno.test({
  name:
    `Argo Rollouts: its guide, and releases under load with each version of splits${OFF_CANARY}`,
  ignore: CANARY_TOOLS === undefined,
  async fn(t) {
    const startedMs = performance.now();
    await insist("weft install --image localhost/weft:test --timeout 120s");
    // Another guide may have had it.
    await insist("kubectl delete namespace shop --ignore-not-found --timeout 120s");
    await t.step("the guide", () => walk(GUIDE, new Map([[INSTALLED_BY, `${CANARY_TOOLS}/argo`]])));
    await insist("kubectl delete namespace shop --wait=false");
    for (const { version } of CASES) await startController(version);
    await t.step("releases under load", async () => {
      const stories = await Promise.all(CASES.map(release));
      for (const each of stories) console.log(each);
      console.log(await programmedTimes());
    });
    console.log(`${((performance.now() - startedMs) / 1_000).toFixed(0)} s`);
  },
});
