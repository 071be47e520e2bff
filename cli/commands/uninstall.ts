/** `weft uninstall`: takes the control plane out of a cluster. */
import { addClusterOptions } from "../cluster/options.ts";
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  addClusterOptions(
    program.command("uninstall")
      .summary("remove the control plane from a Kubernetes cluster")
      .description(
        "Removes the webhook first, so that no pod is refused for the lack of a controller, then all else that weft install made. " +
          "Sidecars that run go on with what they know, until their pods are made anew.",
      )
      .option(
        "--crds",
        "also the definitions of Weft's and SMI's kinds, with all objects of them",
        false,
      )
      .option("--timeout <time>", "how long to wait until all is gone; 0s is no limit", "5m"),
  )
    .action(async (options) => {
      const { uninstall } = await import("../install/uninstall.ts");
      context.exitCode = await uninstall(options, context.environment);
    });
}
