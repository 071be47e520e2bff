/**
 * Flagger itself, with each way in which it can be told to use a mesh: versions are promoted and rolled back under load, and no request has an
 * answer that is not an application's, also where pods of the new version crash or are not ready.
 */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { exampleQueries } from "../../prometheus/example_queries.ts";
import { until } from "../../support/until.ts";
import {
  apply,
  expectCrashes,
  follow,
  killControllers,
  newNamespace,
  PATIENCE,
  readRepository,
  type Release,
  type ReleaseStory,
  startLoad,
  type Turns,
  WINDOW,
} from "./canary_lab.ts";
import type { ReleaseWatch } from "./release_watch.ts";
import type { LoadClient } from "../node/load_client.ts";
import { insist, runOnNode } from "../node/on_node.ts";

export const FLAGGER_GUIDE = readRepository("docs/flagger.md");

const TEMPLATES = {
  "request-success-rate": "weft-success-rate",
  "request-duration": "weft-latency-p99",
};

/** How fast a node is on which ten releases begin at once is not judged. */
const SLOWEST_MS = 10_000;

/** How Flagger is told to use the mesh, and what becomes of the version that fails. */
interface FlaggerCase {
  readonly provider: string;
  /** False: it needs templates of metrics. */
  readonly hasMetrics: boolean;
  readonly fails: keyof typeof FAILING;
  /** Told of each weight of the version that does not fail, once its shares have been seen. */
  readonly onStep?: (weight: number, namespace: string) => Promise<void>;
}

/** Versions that fail: what their container has of its own, and by which Event of it that is seen. */
const FAILING = {
  "answers 500": { own: {}, sign: null },
  "crashes": { own: { command: failing("crash") }, sign: /Back-off restarting failed container/ },
  "gets unready": {
    own: {
      command: failing("unready"),
      readinessProbe: {
        httpGet: { path: "/ready", port: 8080 },
        periodSeconds: 1,
        failureThreshold: 1,
      },
    },
    sign: /Readiness probe failed: HTTP probe failed with statuscode: 503/,
  },
} as const;

function failing(how: string): readonly string[] {
  return ["/bin/load", "server", "Hi, I am v3!\n", "8080", how];
}

const FLAGGER_CASES: readonly FlaggerCase[] = [
  // What takes longest begins first.
  { provider: "smi:v1alpha1", hasMetrics: false, fails: "crashes" },
  { provider: "smi:v1alpha2", hasMetrics: false, fails: "gets unready" },
  { provider: "osm", hasMetrics: true, fails: "answers 500", onStep: wordsThenDeath() },
  { provider: "linkerd", hasMetrics: true, fails: "answers 500" },
  {
    provider: "smi:v1alpha3",
    hasMetrics: false,
    fails: "answers 500",
    onStep: once(10, checkQueries),
  },
];

/** All of them side by side. @param starts of applications, one after the other */
export function flaggerReleases(watch: ReleaseWatch, starts: Turns): Promise<ReleaseStory>[] {
  return FLAGGER_CASES.map((each) => release(each, watch, starts));
}

/** At this weight or the first one above, and not again. */
function once(
  weight: number,
  act: (namespace: string) => Promise<void>,
): Required<FlaggerCase>["onStep"] {
  let isDone = false;
  return async (seen, namespace) => {
    if (seen < weight || isDone) return;
    isDone = true;
    await act(namespace);
  };
}

/** Commands ask the controllers, which are killed only after that. */
function wordsThenDeath(): Required<FlaggerCase>["onStep"] {
  const [words, death] = [once(10, checkWords), once(20, killControllers)];
  return async (weight, namespace) => {
    await words(weight, namespace);
    await death(weight, namespace);
  };
}

interface Metric {
  readonly name: keyof typeof TEMPLATES;
}

function canaryFor({ provider, hasMetrics, fails }: FlaggerCase): unknown {
  const canary = parse(readRepository("examples/flagger/canary.yaml"));
  canary.spec.provider = provider;
  // From when on a version is given up whose pods are not ready.
  if (fails !== "answers 500") canary.spec.progressDeadlineSeconds = 60;
  canary.spec.analysis.metrics = canary.spec.analysis.metrics.map((metric: Metric) => ({
    ...metric,
    ...(metric.name === "request-duration" ? { thresholdRange: { max: SLOWEST_MS } } : {}),
    // By the name of a built-in metric it would be that.
    ...(hasMetrics ? {} : {
      name: TEMPLATES[metric.name],
      templateRef: { name: TEMPLATES[metric.name], namespace: "flagger-system" },
    }),
  }));
  return canary;
}

const WEB = readRepository("examples/flagger/web.yaml");

/** Asked before Flagger has any part in it. */
const SERVICE = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web" },
  spec: { selector: { app: "web" }, ports: [{ name: "http", port: 8080, targetPort: 8080 }] },
};

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

/** Queries of the dashboard that have an answer only in meshes that this one is not. */
const UNANSWERED = ["Requests by rule A", "Errors A"];

/** Every query of examples/ but those of alerts has an answer of the Prometheus of the guides. */
async function checkQueries(namespace: string): Promise<void> {
  const [target, split] = ["web", `${namespace}/web`];
  const queries = exampleQueries({ namespace, target, split, backend: `${split}-canary` });
  const prometheus = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query";
  for (const { name, text, isAlert } of queries) {
    if (isAlert || UNANSWERED.includes(name)) continue;
    const query = new URLSearchParams({ query: text });
    const look = async () =>
      JSON.parse(await insist(`kubectl get --raw '${prometheus}?${query}'`)).data.result.length;
    await until(`an answer to ${name}: ${text}`, look, (count) => count > 0, PATIENCE);
  }
}

async function release(
  each: FlaggerCase,
  watch: ReleaseWatch,
  starts: Turns,
): Promise<ReleaseStory> {
  const { provider, fails, onStep } = each;
  const canary = await starts.take(() => FlaggerCanary.start(provider, watch));
  await canary.initialise(canaryFor(each));
  const promoted = await canary.promote((weight) => onStep?.(weight, canary.namespace));
  const failed = await canary.rollBack(fails);
  const text = `${provider}: promoted by ${promoted.join(", ")}, rolled back where it ${fails}${
    failed.length > 0 ? ` after ${failed.join(", ")}` : ""
  }; ${canary.client.story}`;
  return { text, exact: promoted.length + failed.length };
}

/** A Deployment that Flagger releases by a Canary, in a namespace of its own, and a client that asks it. */
export class FlaggerCanary {
  readonly namespace: string;
  readonly client: LoadClient;
  readonly #provider: string;
  readonly #watch: ReleaseWatch;

  private constructor(
    provider: string,
    namespace: string,
    client: LoadClient,
    watch: ReleaseWatch,
  ) {
    this.#provider = provider;
    this.namespace = namespace;
    this.client = client;
    this.#watch = watch;
  }

  /** The client has asked since before Flagger had any part in it. */
  static async start(provider: string, watch: ReleaseWatch): Promise<FlaggerCanary> {
    const namespace = `shop-${provider.replace(":", "-")}`;
    await newNamespace(namespace);
    await apply(namespace, SERVICE, parse(WEB));
    await insist(`kubectl rollout status -n ${namespace} deployment/web --timeout=300s`);
    const client = await startLoad(namespace);
    return new FlaggerCanary(provider, namespace, client, watch);
  }

  async initialise(canary: unknown): Promise<void> {
    await this.client.take(`${this.#provider}: before Flagger`);
    await apply(this.namespace, canary);
    await this.#phased("Initialized");
    await this.client.take(`${this.#provider}: Initialized`);
  }

  /** Releases v2. @returns the weights whose shares have been seen */
  async promote(onStep: NonNullable<Release["onStep"]> = () => undefined): Promise<number[]> {
    await apply(this.namespace, parse(WEB.replace("I am v1", "I am v2")));
    const isNew = (answer: string) => answer.includes("v2");
    const weights = await this.#follow("v2", "Succeeded", { isNew, onStep });
    await this.#onlyV2("promoted");
    return weights;
  }

  /** Releases a version that fails. @returns the weights whose shares have been seen */
  async rollBack(fails: FlaggerCase["fails"]): Promise<number[]> {
    await apply(this.namespace, failingDeployment(fails));
    if (fails === "crashes") expectCrashes(this.client);
    const weights = await this.#follow(fails, "Failed", {
      isNew: (answer) => answer.includes("v3") || answer.includes("Sorry"),
      ...(fails === "answers 500" ? {} : { stepping: [] }),
    });
    await this.#onlyV2("rolled back");
    const { sign } = FAILING[fails];
    const messages = "jsonpath='{.items[*].message}'";
    const events = await insist(`kubectl get events -n ${this.namespace} -o ${messages}`);
    if (sign !== null) assert.match(events, sign);
    return weights;
  }

  get #phase(): string {
    return this.#watch.object("Canary", this.namespace)?.status?.phase ?? "";
  }

  #phased(phase: string): Promise<string> {
    const what = `${this.#provider}: ${phase}`;
    return until(what, () => this.#phase, (now) => now === phase, PATIENCE);
  }

  async #follow(
    what: string,
    end: "Succeeded" | "Failed",
    own: Pick<Release, "isNew"> & Partial<Release>,
  ): Promise<number[]> {
    const { namespace, client } = this;
    await this.#phased("Progressing");
    const weights = await follow(
      {
        name: `${this.#provider}, ${what}`,
        ...{ namespace, client, watch: this.#watch, stepping: ["Progressing"] },
        look: () => ({ ...this.#watch.splitState(namespace), phase: this.#phase }),
        ...own,
      },
      "Succeeded",
      "Failed",
    );
    assert.equal(this.#phase, end, await story(namespace));
    return weights;
  }

  async #onlyV2(what: string): Promise<void> {
    const answers = await this.client.take(`${this.#provider}: ${what}`, WINDOW);
    assert.deepEqual(Object.keys(answers), ["Hi, I am v2!\n"]);
  }
}

function failingDeployment(fails: FlaggerCase["fails"]): unknown {
  const deployment = parse(readRepository("examples/flagger/web-failing.yaml"));
  if (fails === "answers 500") return deployment;
  const { spec } = deployment.spec.template;
  const [container] = spec.containers;
  const image = { image: "weft-test/load", imagePullPolicy: "IfNotPresent" };
  spec.containers = [{ ...container, ...image, ...FAILING[fails].own }];
  return deployment;
}

async function story(namespace: string): Promise<string> {
  return (await runOnNode(`kubectl describe -n ${namespace} canary/web | tail -n 30`)).text;
}
