/** `weft convert`: splits as routes of the Gateway API, and back, with a proof. Needs read permission only. */
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  program.command("convert")
    .summary("write splits as routes of the Gateway API, or the other way")
    .description(
      "Writes, to standard output, what TrafficSplits and HTTPRouteGroups of manifests are as HTTPRoutes and TCPRoutes, or what those are " +
        "as splits. The rest of the manifests stays as it is, and goes with them. To standard error goes what cannot be said in the " +
        "target, and the proof: all requests get the same backends in the same shares, or the shortest requests that do not.\n\n" +
        "Examples:\n" +
        "  weft convert --to gateway-api -f manifests/ > routes.yaml\n" +
        "  kubectl get ts,httproutegroups,services -A -o yaml | weft convert --to gateway-api -f -\n" +
        "  weft convert --to smi -f routes.yaml -f services.yaml > splits.yaml\n\n" +
        "Exit code: 0 proved alike, 1 some requests are answered otherwise or that is not decided, or the manifests have errors, 2 usage.",
    )
    .usage("--to (gateway-api | smi) -f PATH… [options]")
    .argument("[path...]", "as -f")
    .addOption(
      program.createOption("--to <form>", "what to write").choices(["gateway-api", "smi"] as const),
    )
    .option("-f, --filename <path...>", "manifests: files, directories, or - for stdin", [])
    .option("-R, --recursive", "go into the directories of a directory", false)
    .option("-n, --namespace <name>", "namespace of resources that name none", "default")
    .action(async (paths, options) => {
      const { convert } = await import("../convert/convert.ts");
      context.exitCode = await convert(paths, options, context.environment);
    });
}
