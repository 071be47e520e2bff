/** `weft edges`: who calls whom in the mesh. */
import { addClusterOptions } from "../cluster/options.ts";
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  addClusterOptions(
    program.command("edges")
      .summary("which workloads call which, how well and how fast")
      .description(
        "Asks all sidecars twice, by way of the API server, whom the applications beside them have called, and shows what came between, as far " +
          "as caller or called is of the namespace. No Prometheus is needed. A success is an answer below 500.\n\n" +
          "Examples:\n" +
          "  weft edges -n shop\n" +
          "  weft edges -A --window 1m -o json",
      )
      .option("-A, --all-namespaces", "of all namespaces", false)
      .option("--window <time>", "between the two questions", "10s")
      .addOption(
        program.createOption("-o, --output <format>", "table or json")
          .choices(["table", "json"] as const).default("table" as const),
      ),
    { namespace: "of caller or called (default: the context's)" },
  ).action(async (options) => {
    const { edges } = await import("../traffic/edges.ts");
    context.exitCode = await edges(options, context.environment);
  });
}
