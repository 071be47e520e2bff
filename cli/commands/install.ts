/** `weft install`: puts the control plane into a cluster, and waits until it serves. */
import { collect } from "../../console/values.ts";
import { addClusterOptions } from "../cluster/options.ts";
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  addClusterOptions(
    program.command("install")
      .summary("install the control plane into a Kubernetes cluster")
      .description(
        "Installs the control plane into namespace weft-system of the cluster that kubectl would speak to, and waits until it " +
          "serves. Running it again changes what differs and keeps the mesh's certificate authority. Definitions of SMI kinds that " +
          "another mesh has installed are left alone.\n\n" +
          "After that: weft namespace add NAMESPACE…",
      )
      .option("--timeout <time>", "how long to wait until it serves; 0s is no limit", "5m")
      .option("--image <image>", "of the controller and the sidecars")
      .option("--mesh-name <name>", "value of the label weft.dev/monitored-by")
      .option("--set <key=value>", "a value of the installation (repeat, or commas)", collect, [])
      .option("--dry-run", "print the manifests, and change nothing", false),
  )
    .action(async (options) => {
      const { install } = await import("../install/install.ts");
      context.exitCode = await install(options, context.environment);
    });
}
