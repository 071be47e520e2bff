/** `weft dry-run`: what manifests would do, without a cluster. Needs read permission only. */
import type { CommandContext, Program } from "../program.ts";
import { collect } from "../../console/values.ts";

export function register(program: Program, context: CommandContext): void {
  program.command("dry-run")
    .summary("show what manifests would do, and what is wrong with them")
    .description(
      "Compiles manifests as the mesh would and prints Findings, services, splits, routes in match order, and backends with " +
        "their share and endpoints. Needs no cluster and no network.\n\n" +
        "With --request: where would this request go? 'tcp://HOST:PORT' is a connection that is relayed whole.\n\n" +
        "Exit code: 0 clean (warnings and infos allowed), 1 with error Findings or a request that the proxy refuses, 2 usage.",
    )
    .usage("[options] PATH…")
    .argument("[path...]", "as -f")
    .option("-f, --filename <path...>", "manifests: files, directories, or - for stdin", [])
    .option("-R, --recursive", "go into the directories of a directory", false)
    .option("-n, --namespace <name>", "namespace of resources that name none", "default")
    .addOption(
      program.createOption("-o, --output <format>", "plan: what `weft proxy --plan` takes")
        .choices(["table", "json", "yaml", "plan"] as const).default("table" as const),
    )
    .option("--request <request>", "where would this go: 'METHOD URL' or 'tcp://HOST:PORT'")
    .option("-H, --header <header>", "header of the request, 'Name: value' (repeat)", collect, [])
    .option("--count <number>", "send the request so many times", "1")
    .option("--from <sender>", "who sends it: NAMESPACE[/SERVICEACCOUNT]")
    .option("--enforce-access", "enforce traffic targets (permissive mode off)", false)
    .addOption(
      program.createOption("--egress <mode>", "off: only what an Egress allows leaves the mesh")
        .choices(["on", "off"] as const).default("on" as const),
    )
    .action(async (paths, options) => {
      const { dryRun } = await import("../dry_run/dry_run.ts");
      context.exitCode = await dryRun(paths, options, context.environment);
    });
}
