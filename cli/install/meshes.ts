/** The work of `weft mesh list`. */
import type { Environment } from "../../console/environment.ts";
import { EXIT, type ExitCode } from "../../console/exit.ts";
import { renderTable } from "../../console/table.ts";
import { installationsIn } from "../../controller/install/installations.ts";
import { membersOf } from "../../controller/install/members.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { withCluster } from "../cluster/with_cluster.ts";

export async function listMeshes(
  options: ClusterOptions,
  environment: Environment,
): Promise<ExitCode> {
  const { stdout } = environment;
  const rows = await withCluster(options, environment, async (client) => {
    const installations = await installationsIn(client);
    return await Promise.all(installations.map(async ({ meshName, namespace, version }) => {
      const members = await membersOf(client, meshName);
      return [meshName, namespace, version, members.map(({ name }) => name).join(",")];
    }));
  });
  if (rows.length === 0) {
    stdout.line("No control planes of Weft found: weft install makes one");
    return EXIT.ok;
  }
  const heads = ["MESH NAME", "MESH NAMESPACE", "VERSION", "ADDED NAMESPACES"];
  stdout.write(renderTable(stdout, heads, rows));
  return EXIT.ok;
}
