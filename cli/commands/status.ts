/** `weft status`: how far splits have come, and what is wrong with them. */
import { addClusterOptions } from "../cluster/options.ts";
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  addClusterOptions(
    program.command("status")
      .summary("which proxies have a split in force, and what is wrong with it")
      .description(
        "Asks the controller, by way of the API server, how far the splits of a namespace have come: how many of the proxies that use a " +
          "split have acknowledged it as it is written now. A proxy whose application never calls the Service is none of them, and gets the " +
          "split with its first call.\n\n" +
          "With --wait it ends once that is all of them, or with exit code 1 after --timeout. A proxy that was lost is waited for 30 " +
          "seconds long, one whose pod is not ready not at all.\n\n" +
          "With --watch it shows every two seconds, until it is stopped, what weight each backend of a split has, what share of the requests it " +
          "got since, how many of them succeeded and how long they took, as the sidecars of its clients count.\n\n" +
          "With --plain it shows who has called the workloads of the namespace without mutual TLS since their sidecars started: what has to " +
          "be in the mesh, or to have its port exempted, before the mode is strict.\n\n" +
          "Examples:\n" +
          "  weft status -n shop --plain\n" +
          "  weft status -n shop\n" +
          "  weft status trafficsplit/web -n shop --wait --timeout 60s\n" +
          "  weft status trafficsplit/web -n shop --watch\n" +
          "  weft status trafficsplit/web -n shop -o json",
      )
      .argument("[trafficsplit/name]", "one split; all of the namespace if left out")
      .option("--wait", "until all proxies have it", false)
      .option("--watch", "its weights, and what comes of them, again and again", false)
      .option("--plain", "who calls without mutual TLS", false)
      .option(
        "--timeout <time>",
        "not longer than this (default: 60s with --wait, no limit with --watch)",
      )
      .addOption(
        program.createOption("-o, --output <format>", "wide names the proxies")
          .choices(["table", "wide", "json"] as const).default("table" as const),
      )
      .option("--weft-namespace <name>", "where the controller is", "weft-system"),
    { namespace: "of the splits (default: the context's)" },
  ).action(async (split, options) => {
    const { status } = await import("../status/status.ts");
    context.exitCode = await status(split, options, context.environment);
  });
}
