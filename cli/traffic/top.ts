/** The work of `weft top`: what workloads, pods or namespaces of the mesh answer, as the sidecars beside them count it. */
import type { Environment } from "../../console/environment.ts";
import { EXIT, type ExitCode } from "../../console/exit.ts";
import { renderTable } from "../../console/table.ts";
import { trafficIn } from "../../controller/traffic/traffic.ts";
import type { TrafficCounts } from "../../controller/traffic/traffic.ts";
import { numbersOf, TRAFFIC_HEADS, trafficCells } from "./columns.ts";
import { type Sampled, sampleOnce, type TrafficOptions } from "./sample.ts";

/** What the lines are of. */
type TopKind = "workloads" | "pods" | "namespaces";

const NAMES: Readonly<Record<TopKind, (pod: Sampled["pod"]) => string>> = {
  workloads: ({ namespace, workload }) => `${namespace}/${workload}`,
  pods: ({ namespace, name }) => `${namespace}/${name}`,
  namespaces: ({ namespace }) => namespace,
};

export async function top(
  kind: TopKind,
  options: TrafficOptions,
  environment: Environment,
): Promise<ExitCode> {
  const { seconds, sampled } = await sampleOnce(options, environment, (namespace) => namespace);
  const traffic = new Map<string, TrafficCounts>();
  const pods = new Map<string, number>();
  for (const { pod, counts } of sampled) {
    const name = NAMES[kind](pod);
    trafficIn(traffic, name).add(counts.application);
    pods.set(name, (pods.get(name) ?? 0) + 1);
  }
  const rows = [...traffic].toSorted(([a, { count: one }], [b, { count: other }]) =>
    other - one || (a < b ? -1 : 1)
  ).map(([name, each]) => ({ name, pods: pods.get(name) ?? 0, ...numbersOf(each, seconds) }));
  const { stdout, stderr } = environment;
  if (options.output === "json") stdout.line(JSON.stringify(rows, null, 2));
  else if (rows.length === 0) stderr.line("No pods with sidecars here");
  else {
    const heads = [kind.slice(0, -1).toUpperCase(), "PODS", ...TRAFFIC_HEADS];
    const cells = rows.map((row) => [row.name, String(row.pods), ...trafficCells(row)]);
    stdout.write(renderTable(stdout, heads, cells));
  }
  return EXIT.ok;
}
