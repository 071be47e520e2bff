/** `weft uninstall`: takes the control plane out of a cluster. */
import { addClusterOptions } from "../cluster/options.ts";
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  addClusterOptions(
    program.command("uninstall")
      .summary("remove the control plane from a Kubernetes cluster")
      .description(
        "Removes the webhooks first, so that nothing is refused for the lack of a controller, then all else that weft install made, and " +
          "takes namespaces out of the mesh. Sidecars that run go on with what they know, until their pods are made anew.",
      )
      .addArgument(program.createArgument("[mesh]", "may be said, as with fsm").choices(["mesh"]))
      .option(
        "--crds",
        "also the definitions of Weft's and SMI's kinds, with all objects of them",
        false,
      )
      .option("--timeout <time>", "how long to wait until all is gone; 0s is no limit", "5m"),
    { namespace: "of the control plane (default: where it is)" },
  )
    .action(async (_word, options) => {
      const { uninstall } = await import("../install/uninstall.ts");
      context.exitCode = await uninstall(options, context.environment);
    });
}
