/** `weft proxy`: one sidecar by itself, from manifests or a compiled plan. The container mode. */
import { DEFAULT_TIMEOUTS } from "../../proxy/config.ts";
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  program.command("proxy")
    .summary("run one sidecar proxy, from manifests or a compiled plan")
    .description(
      "Runs one sidecar proxy. Its routes come from manifests (-f) or from a compiled plan (--plan), and follow " +
        "changes of those files; a broken change is reported and the last good plan stays.\n\n" +
        "Every option may also be given as a variable: --response-timeout as WEFT_PROXY_RESPONSE_TIMEOUT, --filename " +
        "with paths separated as in PATH. The command line counts first.\n\n" +
        "SIGTERM or SIGINT drains and ends with 0; a second one ends at once.",
    )
    .option("-f, --filename <path...>", "manifests: files or directories")
    .option("--plan <file>", "a plan that `weft dry-run -o plan` wrote")
    .option("-R, --recursive", "go into the directories of a directory", false)
    .option("--enforce-access", "with -f: enforce traffic targets (permissive mode off)", false)
    .option("--outbound <address>", "takes the application's requests to others", "127.0.0.1:15001")
    .option("--inbound <address>", "takes others' requests (default: 0.0.0.0:15003 with --app)")
    .option("--app <address>", "the application that requests from others go to")
    .option(
      "--admin <address>",
      "health, metrics, plan and explain; `off` for none",
      "127.0.0.1:15000",
    )
    .option("-n, --namespace <name>", "namespace of the application", "default")
    .option("--service-account <name>", "service account of the application", "default")
    .addOption(
      program.createOption("--driver <name>", "auto takes native where it works")
        .choices(["auto", "native", "portable"] as const).default("auto" as const),
    )
    .option("--workers <number>", "event loops of the native driver, a thread each", "1")
    .addOption(
      program.createOption("--access-log <format>", "a line on stdout for every request")
        .choices(["none", "json", "common"] as const).default("none" as const),
    )
    .addOption(
      program.createOption("--log-level <level>", "lightest event that is logged, on stderr")
        .choices(["debug", "info", "warn", "error"] as const).default("info" as const),
    )
    .option("--connect-timeout <time>", "to connect to an endpoint", span("connectMs"))
    .option("--response-timeout <time>", "from a request's end to its answer", span("responseMs"))
    .option("--request-head-timeout <time>", "for a request's head", span("requestHeadMs"))
    .option(
      "--client-idle-timeout <time>",
      "client connection without request",
      span("clientIdleMs"),
    )
    .option(
      "--upstream-idle-timeout <time>",
      "endpoint connection without request",
      span("upstreamIdleMs"),
    )
    .option("--body-limit <size>", "largest request body, like 10MiB; 413 above it", "none")
    .option("--stall-timeout <time>", "body or tunnel without a byte", span("stallMs"))
    .option("--drain-timeout <time>", "for requests under way at the end", span("drainMs"))
    .action(async (_options, command) => {
      const { applyVariables } = await import("../sidecar/variables.ts");
      applyVariables(command, context.environment);
      const { runSidecar } = await import("../sidecar/sidecar.ts");
      context.exitCode = await runSidecar(command.opts(), context.environment);
    });
}

function span(timeout: keyof typeof DEFAULT_TIMEOUTS): string {
  return `${DEFAULT_TIMEOUTS[timeout] / 1_000}s`;
}
