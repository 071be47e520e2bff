/** The work of `weft proxy get`: a sidecar's own answer, or tables made of its plan. */
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode } from "../../console/exit.ts";
import { renderTable } from "../../console/table.ts";
import type { Plan } from "../../routing/plan.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { askSidecar, planIn } from "./ask_sidecar.ts";
import { clusterRows, endpointRows, type PlanTable, routeRows } from "./plan_tables.ts";
import type { ProxyQuery } from "./queries.ts";
import { withPodAdmin } from "./with_pod.ts";

const TABLES: Partial<Record<ProxyQuery, (plan: Plan) => PlanTable>> = {
  routes: routeRows,
  listeners: routeRows,
  clusters: clusterRows,
  endpoints: endpointRows,
};

const PATHS: Partial<Record<ProxyQuery, string>> = { stats: "/metrics", ready: "/readyz" };

export async function getFromProxy(
  query: ProxyQuery,
  pod: string,
  options: ClusterOptions & { readonly output: "text" | "json" },
  environment: Environment,
): Promise<ExitCode> {
  const { stdout } = environment;
  const { status, text } = await withPodAdmin(
    pod,
    options,
    environment,
    (admin) => askSidecar(`http://${admin}${PATHS[query] ?? "/plan"}`),
  );
  if (query === "ready" && status === 503) {
    stdout.write(text);
    return EXIT.failed;
  }
  if (status !== 200) throw new CommandFailure(`The sidecar answered ${status}: ${text.trim()}`);
  const tableOf = TABLES[query];
  if (tableOf === undefined) {
    stdout.write(text.endsWith("\n") ? text : `${text}\n`);
    return EXIT.ok;
  }
  const { heads, rows } = tableOf(planIn(text));
  if (options.output === "json") {
    const objects = rows.map((row) => Object.fromEntries(heads.map((head, i) => [head, row[i]])));
    stdout.line(JSON.stringify(objects, null, 2));
  } else stdout.write(renderTable(stdout, heads.map((head) => head.toUpperCase()), rows));
  return EXIT.ok;
}
