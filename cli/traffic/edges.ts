/** The work of `weft edges`: who calls whom in the mesh, as the sidecars of the callers count it. */
import type { Environment } from "../../console/environment.ts";
import { EXIT, type ExitCode } from "../../console/exit.ts";
import { renderTable } from "../../console/table.ts";
import { addedUp, callOf } from "../../controller/traffic/sidecar_counts.ts";
import { numbersOf, TRAFFIC_HEADS, trafficCells } from "./columns.ts";
import { sampleOnce, type TrafficOptions } from "./sample.ts";

export async function edges(
  options: TrafficOptions,
  environment: Environment,
): Promise<ExitCode> {
  // Callers may be anywhere.
  const { seconds, sampled, namespace } = await sampleOnce(options, environment, () => undefined);
  const isAsked = (workload: string) =>
    namespace === undefined || workload.startsWith(`${namespace}/`);
  const calls = addedUp(sampled.map(({ counts }) => counts.calls));
  const rows = [...calls].map(([key, traffic]) => ({ ...callOf(key), traffic }))
    .filter(({ source, destination, traffic }) =>
      traffic.count > 0 && (isAsked(source) || isAsked(destination))
    )
    .toSorted((a, b) => b.traffic.count - a.traffic.count)
    .map(({ source, destination, traffic }) => ({
      source,
      destination,
      ...numbersOf(traffic, seconds),
    }));
  const { stdout, stderr } = environment;
  if (options.output === "json") stdout.line(JSON.stringify(rows, null, 2));
  else if (rows.length === 0) stderr.line("No calls within this time");
  else {
    const cells = rows.map((row) => [row.source, row.destination, ...trafficCells(row)]);
    stdout.write(renderTable(stdout, ["SOURCE", "DESTINATION", ...TRAFFIC_HEADS], cells));
  }
  return EXIT.ok;
}
