/** `weft proxy-wait`: until the sidecar of this pod serves. What is started beside an application holds it back with that. */
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  program.command("proxy-wait")
    .summary("wait until the sidecar of this pod serves")
    .description(
      "Asks the admin address of the sidecar whether it serves (/readyz), until it does. `weft inject` makes it the postStart hook of a " +
        "sidecar that is an ordinary container: the kubelet then starts the application only once there is a plan. It needs no shell and no " +
        "curl in the image.\n\n" +
        "Exit code: 0 it serves, 1 it does not within --timeout, 2 usage.",
    )
    .option("--admin <address>", "admin address of the sidecar", "127.0.0.1:15000")
    .option("--timeout <time>", "how long to wait, like 30s or 4m", "60s")
    .action(async (options) => {
      const { waitForProxy } = await import("../proxy_wait/wait.ts");
      context.exitCode = await waitForProxy(options, context.environment);
    });
}
