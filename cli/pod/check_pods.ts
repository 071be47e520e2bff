/** The work of `weft policy check-pods`: what the sidecar of the called pod lets in, as it is in force there. */
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode } from "../../console/exit.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { withCluster } from "../cluster/with_cluster.ts";
import { askSidecar, planIn } from "./ask_sidecar.ts";
import { identityOf, withPodAdmin } from "./with_pod.ts";

export async function checkPods(
  source: string,
  destination: string,
  options: ClusterOptions,
  environment: Environment,
): Promise<ExitCode> {
  const { stdout } = environment;
  const [from, to] = await withCluster(options, environment, async (client) => [
    await identityOf(client, source, options),
    await identityOf(client, destination, options),
  ]);
  const { status, text } = await withPodAdmin(
    to.place,
    options,
    environment,
    (admin) => askSidecar(`http://${admin}/plan`),
  );
  if (status !== 200) throw new CommandFailure(`The sidecar of ${to.place} has no plan: ${text}`);
  const plan = planIn(text);
  const pair = `Pod '${from.place}' is`;
  if (plan.permissive) {
    stdout.line("[+] Permissive mode is on: traffic targets are not enforced");
    stdout.line(`[+] ${pair} allowed to communicate to pod '${to.place}'`);
    return EXIT.ok;
  }
  const targets = plan.targets.filter(({ destination, sources }) =>
    destination === to.identity && sources.includes(from.identity)
  );
  for (const { ref } of targets) {
    stdout.line(
      `[+] ${pair} allowed to communicate to pod '${to.place}' via the SMI TrafficTarget policy "${ref.name}" in namespace ${ref.namespace}`,
    );
  }
  if (targets.length > 0) return EXIT.ok;
  stdout.line(
    `[+] ${pair} not allowed to communicate to pod '${to.place}', missing SMI TrafficTarget policy from ${from.identity} to ${to.identity}`,
  );
  return EXIT.failed;
}
