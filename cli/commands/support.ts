/** `weft support`: what others need to help. */
import { addClusterOptions } from "../cluster/options.ts";
import type { CommandContext, Program } from "../program.ts";
import { collect } from "../../console/values.ts";

export function register(program: Program, context: CommandContext): void {
  const support = program.command("support").summary("collect what others need to help");
  addClusterOptions(
    support.command("bug-report")
      .summary("collect objects, logs, metrics and plans into one archive")
      .description(
        "Writes one archive: versions, what weft check says, the objects of the installation and of the mesh, logs and metrics of controllers, " +
          "and for each --pod the log, plan and metrics of its sidecar. Secrets are never read; of other pods there are names and states, " +
          "not their environment. Look through it before you give it away: objects and logs name your hosts, paths and addresses.",
      )
      .option("-o, --out-file <file>", "the archive (default: weft-VERSION-bug-report.tar.gz)")
      .option("--pod <pod>", "NAMESPACE/NAME whose sidecar is asked (repeat)", collect, []),
    { namespace: "of the control plane (default: where it is)" },
  ).action(async (options) => {
    const { bugReport } = await import("../support/bug_report.ts");
    context.exitCode = await bugReport(options, context.environment);
  });
}
