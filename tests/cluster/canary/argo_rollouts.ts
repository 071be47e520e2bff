/**
 * Argo Rollouts itself with each version in which it can write TrafficSplits: versions are promoted, aborted and rolled back under load, and no
 * request has an answer that is not an application's.
 */
import assert from "node:assert/strict";
import { parse, parseAllDocuments } from "yaml";
import { until } from "../../support/until.ts";
import {
  apply,
  follow,
  newNamespace,
  PATIENCE,
  readRepository,
  type Release,
  type ReleaseStory,
  startLoad,
  type Turns,
  WINDOW,
} from "./canary_lab.ts";
import type { ReleaseState, ReleaseWatch } from "./release_watch.ts";
import type { LoadClient } from "../node/load_client.ts";
import { get, insist, runOnNode } from "../node/on_node.ts";

/** By which several of its controllers share a cluster. */
const INSTANCE = "argo-rollouts.argoproj.io/controller-instance-id";

interface RolloutCase {
  /** In which version it writes splits. */
  readonly version: string;
  /** Else the stable Service is the root, and one of its own backends. */
  readonly hasRoot: boolean;
}

const ROLLOUT_CASES: readonly RolloutCase[] = [
  { version: "v1alpha1", hasRoot: true },
  { version: "v1alpha2", hasRoot: true },
  { version: "v1alpha3", hasRoot: false },
];

/** All of them side by side, each with a controller of its own. @param starts of applications, one after the other */
export function rolloutReleases(watch: ReleaseWatch, starts: Turns): Promise<ReleaseStory>[] {
  return ROLLOUT_CASES.map((each) => release(each, watch, starts));
}

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
function rolloutFor(file: string, namespace: string, { version, hasRoot }: RolloutCase): any {
  const text = readRepository(`examples/argo_rollouts/${file}`)
    .replaceAll("store/", `${namespace}/`).replaceAll("clusterScope: true", "clusterScope: false");
  const rollout = parse(text);
  rollout.metadata.labels = { [INSTANCE]: version };
  if (!hasRoot) delete rollout.spec.strategy.canary.trafficRouting.smi.rootService;
  return rollout;
}

function stateIn(watch: ReleaseWatch, namespace: string): ReleaseState {
  const { metadata, status } = watch.object("Rollout", namespace) ?? {};
  const isSeen = status?.observedGeneration === String(metadata?.generation);
  return { ...watch.splitState(namespace), phase: isSeen ? status.phase : "not seen" };
}

function isUnderWay(phase: string): boolean {
  return phase === "Progressing" || phase === "Paused";
}

/** The application is there, and asked. @returns its client */
async function start(
  each: RolloutCase,
  namespace: string,
  first: unknown,
  watch: ReleaseWatch,
): Promise<LoadClient> {
  const { version, hasRoot } = each;
  await startController(version);
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
  await apply(namespace, ...templates, ...services, first);
  const phaseNow = () => stateIn(watch, namespace).phase;
  await until(`${namespace}: Healthy`, phaseNow, (phase) => phase === "Healthy", PATIENCE)
    .catch(async (error) => assert.fail(`${error.message}\n${await story(namespace)}`));
  return await startLoad(namespace, hasRoot ? "web" : "web-stable");
}

async function release(
  each: RolloutCase,
  watch: ReleaseWatch,
  starts: Turns,
): Promise<ReleaseStory> {
  const { version, hasRoot } = each;
  const namespace = `argo-${version}`;
  const first = rolloutFor("rollout.yaml", namespace, each);
  const client = await starts.take(() => start(each, namespace, first, watch));
  const look = () => stateIn(watch, namespace);
  const phaseNow = () => look().phase;
  const common: Omit<Release, "name" | "isNew"> = {
    ...{ namespace, client, watch, look },
    stepping: ["Progressing", "Paused"],
  };
  const change = async (rollout: unknown) => {
    await apply(namespace, rollout);
    await until(`${namespace}: a release`, phaseNow, isUnderWay, PATIENCE);
  };
  const only = async (text: string) => {
    const answers = await client.take(`${namespace}: only ${text}`, WINDOW);
    assert.deepEqual(Object.keys(answers), [text]);
  };

  await change(JSON.parse(JSON.stringify(first).replace("I am v1", "I am v2")));
  const promotion = { ...common, name: `${version}, v2`, isNew: (text: string) => /v2/.test(text) };
  const promoted = await follow(promotion, "Healthy", "Degraded");
  assert.equal(phaseNow(), "Healthy", await story(namespace));
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
  assert.equal(phaseNow(), "Degraded", await story(namespace));
  await only("Hi, I am v2!\n");
  const text = `${version}${hasRoot ? "" : " without a root Service"}: promoted by ${
    promoted.join(", ")
  }, aborted after ${aborted.join(", ")}, rolled back after ${failed.join(", ")}; ${client.story}`;
  return { text, exact: promoted.length + aborted.length + failed.length };
}

async function story(namespace: string): Promise<string> {
  return (await runOnNode(`kubectl describe -n ${namespace} rollout/web | tail -n 30`)).text;
}
