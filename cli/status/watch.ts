/** The work of `weft status --watch`: the weights of a split, and what comes of them, as the sidecars of its clients count. */
import type { Environment } from "../../console/environment.ts";
import { EXIT, type ExitCode } from "../../console/exit.ts";
import { type Cell, renderTable } from "../../console/table.ts";
import { labelKey } from "../../base/metrics.ts";
import type { KubeClient } from "../../controller/kube/client.ts";
import { fieldsOf } from "../../controller/kube/fields.ts";
import type { RolloutAnswer } from "../../controller/rollout/answers.ts";
import { addedUp } from "../../controller/traffic/sidecar_counts.ts";
import { TrafficCounts } from "../../controller/traffic/traffic.ts";
import { withCluster } from "../cluster/with_cluster.ts";
import { WATCH_LOOK_MS } from "../limits.ts";
import { numbersOf, TRAFFIC_HEADS, trafficCells, type TrafficNumbers } from "../traffic/columns.ts";
import { Sampler } from "../traffic/sample.ts";
import { askOne, splitObject, type StatusOptions } from "./ask.ts";

/** A backend of the split within the last span. */
interface WatchedBackend extends TrafficNumbers {
  readonly service: string;
  /** As it is written. */
  readonly weight: number;
  /** Of the requests that the split took, of 1; null: there were none. */
  readonly share: number | null;
}

/** What one line of JSON has. */
interface Watched
  extends
    Pick<RolloutAnswer, "split" | "generation" | "ready" | "programmed" | "proxies" | "reason"> {
  readonly backends: readonly WatchedBackend[];
}

export async function watchSplit(
  name: string,
  limitMs: number,
  options: StatusOptions,
  environment: Environment,
): Promise<ExitCode> {
  const { promise: stopped, resolve: stop } = Promise.withResolvers<true>();
  const unlisten = environment.onStopSignal(() => stop(true));
  const overMs = performance.now() + limitMs;
  try {
    await withCluster(options, environment, async (client) => {
      const split = `${options.namespace ?? await client.namespace()}/${name}`;
      const sampler = new Sampler(client);
      const show = shower(options.output === "json", environment);
      for (;;) {
        const watched = await look(client, split, sampler, options);
        if (watched !== null) show(watched);
        const leftMs = overMs - performance.now();
        if (leftMs <= 0 || await isStoppedWithin(Math.min(WATCH_LOOK_MS, leftMs), stopped)) return;
      }
    });
    return EXIT.ok;
  } finally {
    unlisten();
  }
}

async function isStoppedWithin(ms: number, stopped: Promise<true>): Promise<boolean> {
  let timer;
  const over = new Promise<false>((resolve) => timer = setTimeout(() => resolve(false), ms));
  const isStopped = await Promise.race([stopped, over]);
  clearTimeout(timer);
  return isStopped;
}

/** Null the first time: there is nothing to compare with. */
async function look(
  client: KubeClient,
  split: string,
  sampler: Sampler,
  options: StatusOptions,
): Promise<Watched | null> {
  const [answer, object] = await Promise.all([
    askOne(client, split, options.weftNamespace),
    splitObject(client, split),
  ]);
  const pods = answer.users.map((user) => {
    const [namespace = "", pod = ""] = user.split("/");
    return { namespace, name: pod, workload: "" };
  });
  const { seconds, sampled } = await sampler.take(pods);
  if (seconds === null) return null;
  const [namespace] = split.split("/");
  const seen = addedUp(sampled.map(({ counts }) => counts.backends));
  const written = fieldsOf(object["spec"])["backends"];
  const backends = (Array.isArray(written) ? written.map(fieldsOf) : []).map((backend) => {
    const service = String(backend["service"]);
    const traffic = seen.get(labelKey(split, `${namespace}/${service}`)) ?? new TrafficCounts();
    return { service, weight: Number(backend["weight"] ?? 0), traffic };
  });
  const count = backends.reduce((sum, { traffic }) => sum + traffic.count, 0);
  const { generation, ready, programmed, proxies, reason } = answer;
  return {
    split,
    generation,
    ready,
    programmed,
    proxies,
    reason,
    backends: backends.map(({ service, weight, traffic }) => ({
      service,
      weight,
      share: count === 0 ? null : traffic.count / count,
      ...numbersOf(traffic, seconds),
    })),
  };
}

/** On a terminal each replaces the one before. */
function shower(isJson: boolean, { stdout }: Environment): (watched: Watched) => void {
  let lines = 0;
  return (watched) => {
    if (isJson) return stdout.line(JSON.stringify(watched));
    const text = rendered(watched, stdout);
    if (stdout.isTerminal && lines > 0) stdout.write(`\x1b[${lines}A\x1b[J`);
    stdout.write(stdout.isTerminal ? text : `${text}\n`);
    lines = text.split("\n").length - 1;
  };
}

function rendered(
  { split, generation, programmed, proxies, ready, reason, backends }: Watched,
  output: Environment["stdout"],
): string {
  const state = ready ? `in force at all ${proxies} proxies` : `${reason}`;
  const head = `${split}, generation ${generation}: ${
    ready ? state : `${programmed} of ${proxies}; ${state}`
  }\n`;
  const rows = backends.map((backend): Cell[] => [
    backend.service,
    String(backend.weight),
    backend.share === null ? "" : `${(100 * backend.share).toFixed(1)}%`,
    ...trafficCells(backend),
  ]);
  return head + renderTable(output, ["BACKEND", "WEIGHT", "SHARE", ...TRAFFIC_HEADS], rows);
}
