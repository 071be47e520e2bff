/** `weft demo`: the canary guide, walked and checked on this machine. */
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  program.command("demo")
    .summary("walk the canary guide on this machine and check every answer")
    .description(
      "Walks the canary guide with real proxies on loopback: applies each step's manifests, sends the guide's requests " +
        "and compares every answer. Needs nothing else and disturbs nothing that runs.\n\n" +
        "Exit code: 0 where every answer is the guide's, else 1.",
    )
    .addOption(
      program.createOption("--driver <name>", "auto takes native where it works")
        .choices(["auto", "native", "portable"] as const).default("auto" as const),
    )
    .action(async (options) => {
      const { runDemo } = await import("../../local/demo.ts");
      context.exitCode = await runDemo(options, context.environment);
    });
}
