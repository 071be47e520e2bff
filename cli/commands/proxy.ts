/** `weft proxy`: one sidecar by itself, from manifests or a compiled plan. The container mode. */
import { addClusterOptions } from "../cluster/options.ts";
import { PROXY_QUERIES } from "../pod/queries.ts";
import type { CommandContext, Program } from "../program.ts";
import { completeOptions, SIDECAR_OPTIONS } from "../../sidecar/options.ts";

export function register(program: Program, context: CommandContext): void {
  const command = program.command("proxy")
    .summary("run one sidecar proxy, from manifests, a compiled plan or a controller")
    .description(
      "Runs one sidecar proxy. Its routes come from manifests (-f), from a compiled plan (--plan), or from a controller (--controller), and " +
        "follow their changes; a broken change is reported and the last good plan stays. With --state-dir it also " +
        "outlives the proxy, which then starts with it while its files are gone or broken. Without any plan the proxy " +
        "waits for one: its ports are closed, and /readyz on the admin port says why it is not ready.\n\n" +
        "Every option may also be given as a variable: --response-timeout as WEFT_PROXY_RESPONSE_TIMEOUT, --filename " +
        "with paths separated as in PATH. The command line counts first.\n\n" +
        "Times are written like 250ms, 30s or 1h. `none` or 0s is no limit, for --accept-timeout and --drain-timeout no time. " +
        "The `timeouts` of a TrafficPolicy replace --response-timeout, --stall-timeout and --tcp-idle-timeout, longer or shorter. " +
        "The grpc-timeout of a gRPC call is its deadline.\n\n" +
        "SIGTERM drains and ends with 0, and takes new connections for a while, as clients of a pod need it (not as a native sidecar, whose application is gone by then); SIGINT and " +
        "POST /quitquitquit drain without that; a second signal ends at once. Before the first plan, each ends it at once with 0.",
    );
  for (const { flags, about, choices, default: byDefault } of SIDECAR_OPTIONS) {
    // Not commander's own defaults: it could not tell them from what was given.
    const shown = byDefault === undefined ? about : `${about} (default: ${byDefault})`;
    const option = program.createOption(flags, shown);
    command.addOption(choices === undefined ? option : option.choices([...choices]));
  }
  addClusterOptions(
    command.command("get")
      .summary("what the sidecar of a pod holds")
      .description(
        "Asks the sidecar of a pod, through the API server. Of all Services a sidecar holds those that its application has used.\n\n" +
          "`config` is its plan, `routes` the rules of each port in match order, `clusters` the backends and their weights, `endpoints` who is " +
          "behind them, `stats` its metrics, `ready` whether it is ready and why not. fsm's and osm's `config_dump` and `listeners` are " +
          "`config` and `routes`.",
      )
      .addArgument(program.createArgument("<query>", "what is asked").choices(PROXY_QUERIES))
      .argument("<pod>", "NAME, NAMESPACE/NAME, or deployment/NAME for one of its pods")
      .addOption(
        program.createOption("-o, --output <format>", "text or json; `config` is json always")
          .choices(["text", "json"] as const).default("text" as const),
      ),
    { namespace: "of the pod" },
  )
    .action(async (query, pod, options) => {
      const { getFromProxy } = await import("../pod/proxy_get.ts");
      context.exitCode = await getFromProxy(query, pod, options, context.environment);
    });
  command.action(async (given) => {
    const { runSidecar } = await import("../../sidecar/sidecar.ts");
    const { environment } = context;
    context.exitCode = await runSidecar(completeOptions(given, environment), environment);
  });
}
