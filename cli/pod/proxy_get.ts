/** The work of `weft proxy get`: a sidecar's own answer, or tables made of its plan. */
import { directClient } from "../../base/direct_client.ts";
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode } from "../../console/exit.ts";
import { renderTable } from "../../console/table.ts";
import type { Plan } from "../../routing/plan.ts";
import { decodePlan } from "../../routing/plan_codec.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { ADMIN_ANSWER_MS } from "../limits.ts";
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
    (admin) => ask(`http://${admin}${PATHS[query] ?? "/plan"}`),
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
  const decoded = decodePlan(text);
  if (!decoded.ok) throw new CommandFailure(`The sidecar's plan: ${decoded.message}`);
  const { heads, rows } = tableOf(decoded.plan);
  if (options.output === "json") {
    const objects = rows.map((row) => Object.fromEntries(heads.map((head, i) => [head, row[i]])));
    stdout.line(JSON.stringify(objects, null, 2));
  } else stdout.write(renderTable(stdout, heads.map((head) => head.toUpperCase()), rows));
  return EXIT.ok;
}

async function ask(address: string): Promise<{ status: number; text: string }> {
  const url = new URL(address);
  const client = directClient(url);
  try {
    const answer = await fetch(url, { client, signal: AbortSignal.timeout(ADMIN_ANSWER_MS) });
    return { status: answer.status, text: await answer.text() };
  } catch (error) {
    if (!(error instanceof DOMException || error instanceof TypeError)) throw error;
    throw new CommandFailure("The sidecar did not answer", {
      hint: "See kubectl logs POD -c weft-proxy.",
    });
  } finally {
    client.close();
  }
}
