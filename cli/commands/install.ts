/** `weft install`: puts the control plane into a cluster, and waits until it serves. */
import { addClusterOptions } from "../cluster/options.ts";
import { addValueOptions } from "../install/options.ts";
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  addClusterOptions(
    addValueOptions(
      program.command("install")
        .summary("install the control plane into a Kubernetes cluster")
        .description(
          "Installs the control plane into the cluster that kubectl would speak to, and waits until it serves. Running it again " +
            "changes what differs and keeps the mesh's certificate authority; values that were given before and are not given now are " +
            "asked about. Definitions of SMI kinds that another mesh has installed are left alone.\n\n" +
            "After that: weft namespace add NAMESPACE…",
        ),
    ),
    { namespace: "of the control plane (default: weft-system)" },
  )
    .action(async (options) => {
      const { install } = await import("../install/install.ts");
      context.exitCode = await install(options, context.environment);
    });
}
