/** What the tests with Flagger and Argo Rollouts share: guides run from their own blocks, and an application under load while it is released. */
import assert from "node:assert/strict";
import { until } from "../../support/until.ts";
import { type Answers, LoadClient } from "../node/load_client.ts";
import { get, insist, OFF_NODE } from "../node/on_node.ts";
import type { ReleaseState, ReleaseWatch } from "./release_watch.ts";

/** The folder with what Flagger and Argo Rollouts are installed by; undefined: they are not there. */
export const CANARY_TOOLS = Deno.env.get("WEFT_TEST_CANARY");

/** By which the guide installs Argo Rollouts. */
export const ARGO_INSTALLED_BY =
  "https://github.com/argoproj/argo-rollouts/releases/latest/download/install.yaml";
/** What cannot be fetched here. */
const INSTEAD = new Map([
  ["flagger/flagger ", `${CANARY_TOOLS}/flagger `],
  [ARGO_INSTALLED_BY, `${CANARY_TOOLS}/argo`],
]);

/** Behind the name of a test. */
export const OFF_CANARY = OFF_NODE === "" && CANARY_TOOLS === undefined
  ? " (tests/cluster/get --canary and --helm build what it needs)"
  : OFF_NODE;

/** Requests a second of each client. */
const RATE = 12;
/** Of some two thousand requests of a client. */
const REFUSED_MAX = 2;
const REFUSED = / 50[34] .*upstream-(refused|tls-failed|connect-timeout)/;
/** An application that ends closes the connections that carry nothing, and one may have been taken for a request just then. */
const CLOSED = / POST .* 502 .*upstream-reset/;
/** A process that ends has one request or a few, and the kubelet starts it anew ever later. */
const CRASH_LOST_MAX = 20;
/** Requests under one plan, of which the shares are taken. */
export const WINDOW = 40;
/** Times the usual: these tools look every ten seconds, and wait for new pods, for five failed checks, for a controller's first half minute. */
export const PATIENCE = 8;

const ROOT = new URL("../../../", import.meta.url);

export function readRepository(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

/** What a guide installs, and what it releases then. */
export function guideParts(guide: string): readonly [string, string] {
  const [tools, releases, ...rest] = guide.split(/^(?=## A (?:Deployment|Rollout), )/m);
  assert.ok(tools.length > 0 && releases !== undefined && rest.length === 0);
  return [tools, releases];
}

/** Every command of a guide, in its order. */
export function guideCommands(guide: string): string[] {
  return [...guide.matchAll(/^```sh\n([^]*?)^```/gm)].flatMap(([, block]) =>
    block.trim().split("\n")
  );
}

/** Runs a guide, or a part of one, as it stands, but for what cannot be fetched here. What its client hears last is what it says. */
export async function walk(guide: string): Promise<void> {
  const asked = /curl -s web:8080$/;
  const promised = [...guide.matchAll(/`(Hi, I am v\d!)`/g)].map(([, text]) => `${text}\n`);
  for (const command of guideCommands(guide)) {
    const local = [...INSTEAD].reduce((text, [from, to]) => text.replace(from, to), command);
    const said = await insist(local);
    if (asked.test(command)) assert.equal(said, promised.shift(), command);
  }
  assert.deepEqual(promised, []);
}

export async function apply(namespace: string, ...items: unknown[]): Promise<void> {
  const list = { apiVersion: "v1", kind: "List", items };
  await insist(`kubectl apply -n ${namespace} -f -`, JSON.stringify(list));
}

/** One after the other: pods that all start at once keep the node from everything else for seconds. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  take<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }
}

/** Puts a client into a namespace that asks a Service until the end. */
export async function startLoad(namespace: string, service = "web"): Promise<LoadClient> {
  const labels = { app: "load" };
  const command = ["/bin/load", "client", `http://${service}.${namespace}:8080`, `${RATE}`];
  const container = {
    name: "app",
    image: "weft-test/load",
    imagePullPolicy: "IfNotPresent",
    command,
  };
  await apply(namespace, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "load" },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
    },
  });
  await insist(`kubectl rollout status -n ${namespace} deployment/load --timeout=120s`);
  const name = "jsonpath='{.items[0].metadata.name}'";
  const pod = await insist(`kubectl get pods -n ${namespace} -l app=load -o ${name}`);
  const client = new LoadClient(namespace, pod);
  // A tool may end all pods of every backend that a sidecar knows of at once: what is on its way to them is refused.
  client.lostMax = REFUSED_MAX;
  client.loss = new RegExp(`${REFUSED.source}|${CLOSED.source}`);
  return client;
}

/** From now on processes end as they are asked: what they had is lost with them where it may not be sent again. */
export function expectCrashes(client: LoadClient): void {
  client.lostMax += CRASH_LOST_MAX;
  client.loss = new RegExp(`${REFUSED.source}| 502 .*upstream-reset`);
}

export async function newNamespace(name: string): Promise<void> {
  await insist(`kubectl create namespace ${name}`);
  await insist(`weft namespace add ${name}`);
  await insist(`weft metrics enable --namespace ${name}`);
}

export interface Release {
  readonly name: string;
  readonly namespace: string;
  readonly client: LoadClient;
  readonly watch: ReleaseWatch;
  /** As the watch has told. */
  readonly look: () => ReleaseState;
  /** The phases in which the shares are the weights'; none: of backends that fail they are not. */
  readonly stepping: readonly string[];
  /** Whether an answer is of the new version. */
  readonly isNew: (answer: string) => boolean;
  /** Told of each weight once its shares have been seen. */
  readonly onStep?: (weight: number) => Promise<void> | undefined;
}

/** What became of the releases of one application. */
export interface ReleaseStory {
  readonly text: string;
  /** Weights whose shares have been seen, to the request. */
  readonly exact: number;
}

/**
 * Follows a release until one of these phases. Every request was answered by an application, and wherever the weights stayed for a window
 * of requests after all sidecars had them, the shares were those, to the request.
 * @returns the weights that were seen so
 */
export async function follow(release: Release, ...ends: readonly string[]): Promise<number[]> {
  const { name, namespace, client, watch, look, stepping, onStep } = release;
  const exact: number[] = [];
  let generation = -1;
  for (;;) {
    const what = `${name}: ${ends.join(" or ")} after ${exact.join(", ")}`;
    const isOver = (now: ReleaseState) => ends.includes(now.phase) || now.generation !== generation;
    const state = await until(what, look, isOver, PATIENCE);
    if (ends.includes(state.phase)) {
      await client.take(what);
      return exact;
    }
    generation = state.generation;
    if (state.canaryWeight === undefined || !stepping.includes(state.phase)) continue;
    await programmed(release);
    const answers = await client.take(what, WINDOW);
    const isSame = await watch.splitGeneration(namespace) === generation;
    if (!isSame || !stepping.includes(look().phase)) continue;
    checkShares(answers, state.canaryWeight, release);
    exact.push(state.canaryWeight);
    await onStep?.(state.canaryWeight);
  }
}

/** Waits until every sidecar has the split as it is written, and first for the controllers, which may be away. */
async function programmed({ name, namespace, watch }: Release): Promise<void> {
  const controllers =
    "kubectl rollout status -n weft-system deployment/weft-controller --timeout=120s";
  const look = async () => {
    const isProgrammed = await watch.isProgrammed(namespace);
    if (isProgrammed === null) await insist(controllers);
    return isProgrammed === true;
  };
  await until(`${name}: every sidecar has the split`, look, Boolean, PATIENCE);
}

function checkShares(answers: Answers, weight: number, { name, isNew }: Release): void {
  const sum = Object.values(answers).reduce((total, count) => total + count, 0);
  const seen = Object.entries(answers)
    .reduce((total, [answer, count]) => total + (isNew(answer) ? count : 0), 0);
  const wanted = sum * weight / 100;
  assert.ok(
    Math.abs(seen - wanted) < 1 + 1e-9,
    `${name} at ${weight}: ${JSON.stringify(answers)}`,
  );
}

/** Ends all controllers at once, as a node that breaks down does. */
export async function killControllers(): Promise<void> {
  const pods = "pods -n weft-system -l app.kubernetes.io/component=controller";
  await insist(`kubectl delete ${pods} --grace-period=0 --force`);
}

/** From the watch's word of a split's change to its last proxy: how many there were, and milliseconds, of all controllers that run. */
export async function programmedTimes(): Promise<string> {
  const selector = "app.kubernetes.io/component=controller";
  const { items } = await get(`pods -n weft-system -l ${selector}`);
  let [count, sum] = [0, 0];
  const buckets = new Map<number, number>();
  for (const { metadata: { name } } of items) {
    const path = `/api/v1/namespaces/weft-system/pods/${name}:15000/proxy/metrics`;
    const text = await insist(`kubectl get --raw ${path}`);
    const of = (
      series: string,
    ) => [
      ...text.matchAll(new RegExp(`^weft_controller_programmed_seconds_${series} (\\S+)$`, "gm")),
    ];
    count += Number(of("count")[0]?.[1] ?? 0);
    sum += Number(of("sum")[0]?.[1] ?? 0);
    for (const [, bound, value] of of(`bucket\\{le="([^"]+)"\\}`)) {
      const at = bound === "+Inf" ? Infinity : Number(bound);
      buckets.set(at, (buckets.get(at) ?? 0) + Number(value));
    }
  }
  const most = [...buckets].toSorted(([a], [b]) => a - b).find(([, seen]) => seen === count)?.[0];
  const mean = (1_000 * sum / count).toFixed(0);
  return `${count} changes of splits were in force everywhere after ${mean} ms on average, and ${
    1_000 * (most ?? Infinity)
  } ms at most`;
}
