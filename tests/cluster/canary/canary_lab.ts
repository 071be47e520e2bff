/** What the tests with Flagger and Argo Rollouts share: guides run from their own blocks, and an application under load while it is released. */
import assert from "node:assert/strict";
import { until } from "../../support/until.ts";
import { type Answers, LoadClient } from "../node/load_client.ts";
import { get, insist, OFF_NODE } from "../node/on_node.ts";

/** The folder with what Flagger and Argo Rollouts are installed by; undefined: they are not there. */
export const CANARY_TOOLS = Deno.env.get("WEFT_TEST_CANARY");

/** Behind the name of a test. */
export const OFF_CANARY = OFF_NODE === "" && CANARY_TOOLS === undefined
  ? " (tests/cluster/get --canary and --helm build what it needs)"
  : OFF_NODE;

/** Requests a second of each client. */
const RATE = 30;
/** Of some two thousand requests of a client. */
export const REFUSED_MAX = 5;
/** Requests under one plan, of which the shares are taken. */
const WINDOW = 60;

const ROOT = new URL("../../../", import.meta.url);

export function readRepository(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

/** Every command of a guide, in its order. */
export function guideCommands(guide: string): string[] {
  return [...guide.matchAll(/^```sh\n([^]*?)^```/gm)].flatMap(([, block]) =>
    block.trim().split("\n")
  );
}

/** Runs a guide as it stands, but for what cannot be fetched here. What its client hears last is what it says. */
export async function walk(guide: string, instead: ReadonlyMap<string, string>): Promise<void> {
  const asked = /curl -s web:8080$/;
  const promised = [...guide.matchAll(/`(Hi, I am v\d!)`/g)].map(([, text]) => `${text}\n`);
  for (const command of guideCommands(guide)) {
    const local = [...instead].reduce((text, [from, to]) => text.replace(from, to), command);
    const said = await insist(local);
    if (asked.test(command)) assert.equal(said, promised.shift(), command);
  }
  assert.deepEqual(promised, []);
}

export async function apply(namespace: string, ...items: unknown[]): Promise<void> {
  const list = { apiVersion: "v1", kind: "List", items };
  await insist(`kubectl apply -n ${namespace} -f -`, JSON.stringify(list));
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
  client.loss = / 50[34] .*upstream-(refused|tls-failed|connect-timeout)/;
  return client;
}

export async function newNamespace(name: string): Promise<void> {
  await insist(`kubectl create namespace ${name}`);
  await insist(`weft namespace add ${name}`);
  await insist(`weft metrics enable --namespace ${name}`);
}

/** How far a release is. */
export interface ReleaseState {
  /** Of the backend with the new version, of 100; undefined: there is no split. */
  readonly canaryWeight: number | undefined;
  readonly generation: number;
  /** The controller's word for it. */
  readonly phase: string;
}

export interface Release {
  readonly name: string;
  readonly namespace: string;
  readonly client: LoadClient;
  /** Looks at it now. */
  readonly look: () => Promise<ReleaseState>;
  /** The phases in which the shares are the weights'. */
  readonly stepping: readonly string[];
  /** Whether an answer is of the new version. */
  readonly isNew: (answer: string) => boolean;
  /** Told of each weight once its shares have been seen. */
  readonly onStep?: (weight: number) => Promise<void>;
}

/** The split of a release, as a controller has written it. */
export async function splitState(
  namespace: string,
  name: string,
  canary: string,
): Promise<Omit<ReleaseState, "phase">> {
  const { items } = await get(`trafficsplits -n ${namespace}`);
  const split = items.find(({ metadata }: { metadata: { name: string } }) =>
    metadata.name === name
  );
  const backends: { service: string; weight: unknown }[] = split?.spec.backends ?? [];
  const weight = backends.find(({ service }) => service === canary)?.weight;
  return {
    canaryWeight: weight === undefined ? undefined : Number(weight),
    generation: split?.metadata.generation ?? 0,
  };
}

/**
 * Follows a release until one of these phases. Every request was answered by an application, and wherever the weights stayed for a window
 * of requests after all sidecars had them, the shares were those, to the request.
 * @returns the weights that were seen so
 */
export async function follow(release: Release, ...ends: readonly string[]): Promise<number[]> {
  const { name, namespace, client, look, stepping, onStep } = release;
  const exact: number[] = [];
  let generation = -1;
  for (;;) {
    const what = `${name}: ${ends.join(" or ")} after ${exact.join(", ")}`;
    const state = await until(
      what,
      look,
      (now) => ends.includes(now.phase) || now.generation !== generation,
    );
    await client.take(what);
    if (ends.includes(state.phase)) return exact;
    generation = state.generation;
    if (state.canaryWeight === undefined || !stepping.includes(state.phase)) continue;
    await insist(`weft status trafficsplit/web -n ${namespace} --wait --timeout 30s`);
    const answers = await client.take(what, WINDOW);
    const after = await look();
    if (after.generation !== generation || !stepping.includes(after.phase)) continue;
    checkShares(answers, state.canaryWeight, release);
    exact.push(state.canaryWeight);
    await onStep?.(state.canaryWeight);
  }
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
