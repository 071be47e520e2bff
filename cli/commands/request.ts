/** `weft request`: curl through the local mesh. */
import type { CommandContext, Program } from "../program.ts";
import { collect } from "../../console/values.ts";

export function register(program: Program, context: CommandContext): void {
  program.command("request")
    .summary("send requests through a running `weft up`")
    .description(
      "Sends requests through the mesh that `weft up` runs and prints the bodies that come back, as curl would.\n\n" +
        "Exit code: 0 answered, 1 not answered (or, with --fail, a status of 400 and above), 2 usage.",
    )
    .argument("<url...>", "where to, for example httpbin.httpbin:8080/test")
    .option("--from <sender>", "as a client NAMESPACE[/SERVICEACCOUNT] (default: the mesh's first)")
    .option("--mesh <address>", "first listener of the mesh", "127.0.0.1:15001")
    .option("-n, --count <number>", "send each so many times", "1")
    .option("-X, --method <method>", "method (default: GET, or POST with -d)")
    .option("-H, --header <header>", "'Name: value' (repeat)", collect, [])
    .option("-d, --data <text>", "body of the request")
    .option("-i, --include", "print the heads of the answers too", false)
    .option("--fail", "exit with 1 where a status is 400 or above", false)
    .action(async (urls, options) => {
      const { runRequest } = await import("../../local/request.ts");
      context.exitCode = await runRequest(urls, options, context.environment);
    });
}
