/** `weft check`: whether a cluster and its mesh are well, and the way out where they are not. */
import { addClusterOptions } from "../cluster/options.ts";
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  addClusterOptions(
    program.command("check")
      .summary("look whether the mesh of a cluster is well")
      .description(
        "Looks at the API server, definitions, controllers, their rights, certificates and webhooks, namespaces, and sidecars, and says the way " +
          "out of what is wrong. It changes nothing: injection is tried with a pod that is never made.\n\n" +
          "Exit code: 0 nothing is wrong or there are warnings only, 1 something is, 2 usage.",
      )
      .option("--pre", "before an installation: whether this cluster can have one", false)
      .addOption(
        program.createOption("-o, --output <format>", "text or json")
          .choices(["text", "json"] as const).default("text" as const),
      ),
    { namespace: "of the control plane (default: where it is)" },
  ).action(async (options) => {
    const { check } = await import("../check/check.ts");
    context.exitCode = await check(options, context.environment);
  });
}
