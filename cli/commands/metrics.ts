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
  const api = metrics.command("api")
    .summary("whether the API server serves the SMI metrics API")
    .description(
      "Registers metrics.smi-spec.io/v1alpha1 with the API server: what resources answer and whom they call, counted by sidecars, without a " +
        "Prometheus, for kubectl get --raw and programs. While it is registered and no controller answers, the API server deletes no namespace: " +
        "disable it before Weft is taken out by other means than weft uninstall.",
    );
  for (const [word, isEnabled] of [["enable", true], ["disable", false]] as const) {
    addClusterOptions(api.command(word).summary(`${word} it`), {}).action(async (options) => {
      const { switchMetricsApi } = await import("../install/metrics_api.ts");
      context.exitCode = await switchMetricsApi(isEnabled, options, context.environment);
    });
  }
}
