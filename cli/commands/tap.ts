/** `weft tap`: requests through a running proxy, as they end. */
import type { CommandContext, Program } from "../program.ts";
import { addClusterOptions } from "../cluster/options.ts";
import { collect } from "../../console/values.ts";

export function register(program: Program, context: CommandContext): void {
  addClusterOptions(
    program.command("tap")
      .summary("watch the requests of a running proxy")
      .description(
        "Prints each request that goes through a local mesh, a sidecar, or the sidecar of a pod in a cluster (--pod) once it has ended, until Ctrl-C. What is given narrows it " +
          "down; all of it has to hold. The proxy makes records only while a tap is open.",
      )
      .option(
        "--pod <pod>",
        "[NAMESPACE/]NAME in the cluster that kubectl would speak to; deployment/NAME or service/NAME: all its pods",
      )
      .option("--admin <address>", "admin address of the proxy (default: 127.0.0.1:15000)")
      .option("--method <name>", "GET")
      .option("--path <prefix>", "beginning of the path")
      .option("--authority <host>", "host, with or without its port")
      .option("--status <status>", "503, or 5xx")
      .option("--service <name>", "NAMESPACE/NAME, with or without :PORT")
      .option("--route <rule>", "NAMESPACE/HTTPROUTEGROUP, or with /MATCH")
      .option("--split <name>", "NAMESPACE/TRAFFICSPLIT")
      .option("--backend <name>", "NAMESPACE/NAME of the Service that took it")
      .option("--source <caller>", "NAMESPACE, NAMESPACE/SERVICEACCOUNT or IP address")
      .option(
        "-H, --header <header>",
        "'Name: value', or a name for any value (repeat)",
        collect,
        [],
      )
      .option("--limit <number>", "ends after so many")
      .addOption(
        program.createOption("-o, --output <format>", "text or json, one object a line")
          .choices(["text", "json"] as const).default("text" as const),
      ),
    { namespace: "of --pod" },
  )
    .action(async (options) => {
      const { runTap } = await import("../tap/tap.ts");
      context.exitCode = await runTap(options, context.environment);
    });
}
