/** The work of `weft metrics enable|disable`. */
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode, usageFailure } from "../../console/exit.ts";
import { isNotFound } from "../../controller/install/cluster.ts";
import { memberNamed, setMetrics } from "../../controller/install/members.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { withCluster } from "../cluster/with_cluster.ts";

export async function switchMetrics(
  isEnabled: boolean,
  options: ClusterOptions,
  environment: Environment,
): Promise<ExitCode> {
  const names = (options.namespace ?? "").split(",").map((name) => name.trim()).filter(Boolean);
  if (names.length === 0) throw usageFailure("Give the namespaces: --namespace a,b");
  const done = isEnabled ? "enabled" : "disabled";
  await withCluster({ ...options, namespace: undefined }, environment, async (client) => {
    // All are looked at before one is changed.
    for (const name of names) {
      const { mesh } = await memberNamed(client, name).catch((error) => {
        if (!isNotFound(error)) throw error;
        throw new CommandFailure(`Namespace [${name}] does not exist`);
      });
      if (mesh !== undefined) continue;
      throw new CommandFailure(`Namespace [${name}] does not belong to a mesh`, {
        hint: `Put it into one first: weft namespace add ${name}`,
      });
    }
    for (const name of names) {
      const pods = await setMetrics(client, name, isEnabled);
      environment.stdout.line(
        `Metrics successfully ${done} in namespace [${name}]: ${pods} pods, and those to come`,
      );
    }
  });
  return EXIT.ok;
}
