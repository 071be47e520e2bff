/** `weft metrics`: whether Prometheus scrapes the sidecars of a namespace. */
import { addClusterOptions } from "../cluster/options.ts";
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  const metrics = program.command("metrics")
    .summary("have Prometheus scrape the sidecars of namespaces, or not")
    .description(
      "Prometheus' usual configuration scrapes pods with the annotations prometheus.io/scrape, /port and /path. These are set on pods that have " +
        "sidecars, and by the annotation weft.dev/metrics of the namespace on those to come. A pod that has its own keeps them.",
    );
  for (const [word, isEnabled] of [["enable", true], ["disable", false]] as const) {
    addClusterOptions(
      metrics.command(word).summary(`${word} it`),
      { namespace: "namespaces, with commas between" },
    ).action(async (options) => {
      const { switchMetrics } = await import("../install/metrics.ts");
      context.exitCode = await switchMetrics(isEnabled, options, context.environment);
    });
  }
}
