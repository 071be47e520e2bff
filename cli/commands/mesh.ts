/** `weft mesh`: the control planes of a cluster. */
import { addClusterOptions } from "../cluster/options.ts";
import { addUpgradeCommand } from "../install/options.ts";
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  const mesh = program.command("mesh").summary("list or upgrade the control plane of a cluster");
  addClusterOptions(mesh.command("list").summary("control planes, and the namespaces of each"))
    .action(async (options) => {
      const { listMeshes } = await import("../install/meshes.ts");
      context.exitCode = await listMeshes(options, context.environment);
    });
  addUpgradeCommand(mesh, context);
}
