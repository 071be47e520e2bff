/** The work of `weft policy who-can`: which callers traffic targets and IngressBackends let in where a Service leads, and what they may do there. */
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode, usageFailure } from "../../console/exit.ts";
import { renderTable } from "../../console/table.ts";
import { allowancesOf, entriesOf } from "../../offline/allowances.ts";
import type { Plan, PlanService } from "../../routing/plan.ts";
import type { InputOptions } from "../../sidecar/compile_input.ts";
import type { ClusterOptions } from "../cluster/options.ts";

interface WhoCanOptions extends ClusterOptions {
  readonly filename: readonly string[];
  readonly recursive: boolean;
  readonly output: "text" | "json";
}

/** Ends with 0 if there is a caller that may do something, and with 1 if there is none. */
export async function whoCan(
  name: string,
  options: WhoCanOptions,
  environment: Environment,
): Promise<ExitCode> {
  const { stdout, stderr } = environment;
  const { input, permissive } = await inputOf(options, environment);
  const { compileInput } = await import("../../sidecar/compile_input.ts");
  const { plan } = await compileInput({ ...input, permissive: false }, environment);
  const service = serviceIn(plan, name, input.namespace);
  const allowances = [...allowancesOf(plan, service), ...entriesOf(plan, service)];
  if (options.output === "json") {
    const { namespace, name } = service;
    stdout.line(
      JSON.stringify({ service: `${namespace}/${name}`, permissive, allowances }, null, 2),
    );
    return allowances.length > 0 ? EXIT.ok : EXIT.failed;
  }
  if (permissive) {
    stderr.line("Permissive mode is on: every caller may do everything. Enforced, it would be:");
  }
  if (allowances.length === 0) {
    stdout.line(
      `No caller may call ${service.namespace}/${service.name}: no traffic target names what it leads to, and no IngressBackend`,
    );
    return EXIT.failed;
  }
  stdout.write(renderTable(
    stdout,
    ["PORT", "CALLED", "CALLER", "MAY", "BY"],
    allowances.map((each) => [
      ...[String(each.port), each.destination, each.source, each.may, each.target],
    ]),
  ));
  return EXIT.ok;
}

/** Manifests, or the cluster; and whether targets are enforced there. */
async function inputOf(
  options: WhoCanOptions,
  environment: Environment,
): Promise<{ readonly input: InputOptions; readonly permissive: boolean }> {
  const { filename: paths, recursive, namespace = "default" } = options;
  if (paths.length > 0) {
    return { input: { paths, recursive, namespace, permissive: false }, permissive: false };
  }
  const { withCluster } = await import("../cluster/with_cluster.ts");
  const { readClusterMesh } = await import("../cluster/cluster_mesh.ts");
  const read = await withCluster(options, environment, async (client) => ({
    mesh: await readClusterMesh(client),
    namespace: options.namespace ?? await client.namespace(),
  }));
  const { mesh } = read;
  const input = {
    ...{ ...mesh, paths: mesh.tree.paths, recursive: false, namespace: read.namespace },
    permissive: false,
  };
  return { input, permissive: mesh.permissive };
}

function serviceIn({ services }: Plan, name: string, namespace: string): PlanService {
  const [own, ...rest] = name.split("/").reverse();
  if (rest.length > 1 || own === "") throw usageFailure(`"${name}" is not [NAMESPACE/]SERVICE`);
  const [wanted = namespace] = rest;
  const found = services.find((each) => each.namespace === wanted && each.name === own);
  if (found !== undefined) return found;
  throw new CommandFailure(`There is no Service ${wanted}/${own} in the mesh`);
}
