/** `weft up`: the mesh on this machine, from the manifests alone. */
import type { CommandContext, Program } from "../program.ts";
import { collect } from "../../console/values.ts";

export function register(program: Program, context: CommandContext): void {
  program.command("up")
    .summary("run the mesh on this machine, from the same manifests")
    .description(
      "Runs every Deployment, Pod and other workload of the manifests on this machine, on loopback addresses, with a " +
        "sidecar listener for the clients of each namespace: the first namespace by name on --port, the others on " +
        "the ports after it. Manifests are followed: an edit takes effect without dropping a connection, a broken " +
        "one is reported and changes nothing. With --enforce-access there is a listener for each service account, and a " +
        "request that is refused is told which TrafficTarget came nearest.\n\n" +
        "A workload is played by --run, --endpoint or weft.local.yaml, else by a built-in stand-in that answers with " +
        "its name and an echo of the request. A command finds HOST, PORT, POD_NAME, POD_NAMESPACE and http_proxy in " +
        "its environment; {host} and {port} in it are replaced.",
    )
    .usage("[options] PATH…")
    .argument("[path...]", "as -f")
    .option("-f, --filename <path...>", "manifests: files, directories, or - for stdin", [])
    .option("-R, --recursive", "go into the directories of a directory", false)
    .option("-n, --namespace <name>", "namespace of resources that name none", "default")
    .option("--run <name=command>", "play a workload by a command (repeat)", collect, [])
    .option("--endpoint <name=host:port>", "play it by what runs there (repeat)", collect, [])
    .option("--port <number>", "listener of the first namespace; 0: any free ports", "15001")
    .option(
      "--admin <address>",
      "health, metrics, plan and explain; `off` for none",
      "127.0.0.1:15000",
    )
    .addOption(
      program.createOption("--driver <name>", "auto takes native where it works")
        .choices(["auto", "native", "portable"] as const).default("auto" as const),
    )
    .option("--enforce-access", "enforce traffic targets (permissive mode off)", false)
    .option("--egress", "pass on what the mesh does not know, instead of 404", false)
    .option("-q, --quiet", "no line for each request", false)
    .action(async (paths, options) => {
      const { runUp } = await import("../../local/up.ts");
      context.exitCode = await runUp(paths, options, context.environment);
    });
}
