/** `weft replay`: where the requests of an access log would go. Reads the log once, in constant memory. */
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  program.command("replay")
    .summary("say where the requests of an access log would go")
    .description(
      "Routes every request of an access log by manifests and counts, with samples: requests that must go to another backend " +
        "than they did, that traffic targets or the proxy would refuse, that no rule takes any more, or that one takes now. The log of " +
        "one proxy under the manifests that it had goes where it went.\n\n" +
        "Formats, found out by themselves: `weft proxy --access-log json` and `common`, Envoy's default (and Istio's), nginx's combined, " +
        "FSM's. A log may be packed by gzip. Rules about headers that a format does not have are decided by the rule that the log names, or " +
        "counted as undecided.\n\n" +
        "Examples:\n" +
        "  weft replay --log access.log -f manifests/\n" +
        "  kubectl logs web-0 -c weft | weft replay --log - -f new/ --enforce-access\n" +
        "  weft replay --log nginx.log.gz --host web.shop:80 -f new/\n\n" +
        "Exit code: 0 all requests go where they went, 1 some do not, 2 usage, 3 no answer: the manifests have errors, or the log " +
        "cannot be read.",
    )
    .usage("--log FILE -f PATH… [options]")
    .argument("[path...]", "as -f")
    .option("--log <file>", "the access log, or - for stdin")
    .option("--host <host>", "HOST[:PORT] of requests whose line does not name it (nginx)")
    .option("-f, --filename <path...>", "manifests: files, directories, or - for stdin", [])
    .option("-R, --recursive", "go into the directories of a directory", false)
    .option("-n, --namespace <name>", "namespace of resources that name none", "default")
    .option("--from <sender>", "who sends what names no caller: NAMESPACE[/SERVICEACCOUNT]")
    .option("--enforce-access", "enforce traffic targets (permissive mode off)", false)
    .addOption(
      program.createOption("-o, --output <format>", "text or json")
        .choices(["text", "json"] as const).default("text" as const),
    )
    .action(async (paths, options) => {
      const { replayLog } = await import("../replay/replay.ts");
      context.exitCode = await replayLog(paths, options, context.environment);
    });
}
