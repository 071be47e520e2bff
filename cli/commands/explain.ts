/** `weft explain`: where one request goes, and why. */
import type { CommandContext, Program } from "../program.ts";
import { addClusterOptions } from "../cluster/options.ts";
import { MESHES_KNOWN } from "../compat/known.ts";
import { collect } from "../../console/values.ts";

export function register(program: Program, context: CommandContext): void {
  addClusterOptions(
    program.command("explain")
      .summary("explain where a request goes, rule by rule")
      .description(
        "Explains one request: host, service, port, every rule in match order with the first condition that failed, the " +
          "rule that won and where it is written, the backends and whose turn it is.\n\n" +
          "Reads manifests (-f), or what a cluster has (--live), or asks the sidecar of a pod in it (--pod), or a running sidecar or local " +
          "mesh (--admin). Of a running proxy --from asks what becomes of that sender's request to the application beside the sidecar.\n\n" +
          "tcp://HOST:PORT is a connection that is relayed whole, CONNECT HOST:PORT one through the proxy; of https:// a proxy sees " +
          "no more than a connection. A header Host counts in place of the URL's host.\n\n" +
          "Exit code: 0 forwarded, 1 refused or with error Findings, 2 usage.",
      )
      .usage(
        "(-f PATH… | --live | --pod POD | --admin HOST:PORT) [options] (METHOD URL | tcp://HOST:PORT)",
      )
      .argument("[request...]", "for example: GET http://httpbin.httpbin:8080/test")
      .option("-f, --filename <path...>", "manifests: files, directories, or - for stdin", [])
      .option("-R, --recursive", "go into the directories of a directory", false)
      .option(
        "-n, --namespace <name>",
        "of --pod; of who sends; of resources that name none (default: default)",
      )
      .option("--live", "the cluster that kubectl would speak to, as its controllers see it", false)
      .option(
        "--pod <pod>",
        "[NAMESPACE/]NAME in the cluster that kubectl would speak to; deployment/NAME: one of its pods",
      )
      .option("--admin <address>", "admin address of a running proxy")
      .option("-H, --header <header>", "header of the request, 'Name: value' (repeat)", collect, [])
      .option("--from <sender>", "who sends it, NAMESPACE[/SERVICEACCOUNT]")
      .option(
        "--from-ip <address>",
        "it comes from outside the mesh, from this address, in plain: do the Service's pods take it",
      )
      .option(
        "--server-name <name>",
        "with --from-ip: by TLS, giving this name; --from is then who its certificate says it is",
      )
      .option(
        "--enforce-access",
        "with -f or --live: enforce traffic targets (permissive mode off)",
        false,
      )
      .addOption(
        program.createOption(
          "--egress <mode>",
          "with -f: off, only what an Egress allows leaves the mesh",
        )
          .choices(["on", "off"] as const).default("on" as const),
      )
      .addOption(
        program.createOption(
          "--as-mesh <mesh>",
          "with -f: as another mesh would, by its documents (see weft compat)",
        )
          .choices(MESHES_KNOWN),
      )
      .addOption(
        program.createOption("-o, --output <format>", "text or json")
          .choices(["text", "json"] as const).default("text" as const),
      ),
  )
    .action(async (words, options) => {
      const { explainRequest } = await import("../explain/explain_request.ts");
      context.exitCode = await explainRequest(words, options, context.environment);
    });
}
