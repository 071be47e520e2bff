/** `weft top`: what is answered in the mesh. */
import { addClusterOptions } from "../cluster/options.ts";
import type { CommandContext, Program } from "../program.ts";

const KINDS = ["workloads", "pods", "namespaces"] as const;

export function register(program: Program, context: CommandContext): void {
  addClusterOptions(
    program.command("top")
      .summary("how many requests workloads answer, how well and how fast")
      .description(
        "Asks the sidecars of a namespace twice, by way of the API server, what the applications beside them have answered, and shows what " +
          "came between. No Prometheus is needed. A success is an answer below 500.\n\n" +
          "Examples:\n" +
          "  weft top -n shop\n" +
          "  weft top pods -n shop --window 30s\n" +
          "  weft top namespaces -A -o json",
      )
      .addArgument(
        program.createArgument("[kind]", "what the lines are of")
          .choices(KINDS).default("workloads" as const),
      )
      .option("-A, --all-namespaces", "of all namespaces", false)
      .option("--window <time>", "between the two questions", "10s")
      .addOption(
        program.createOption("-o, --output <format>", "table or json")
          .choices(["table", "json"] as const).default("table" as const),
      ),
    { namespace: "of the pods (default: the context's)" },
  ).action(async (kind, options) => {
    const { top } = await import("../traffic/top.ts");
    context.exitCode = await top(kind, options, context.environment);
  });
}
