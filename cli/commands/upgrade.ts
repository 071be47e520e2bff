/** `weft upgrade`: brings an installation to the version of this executable. */
import { addUpgradeCommand } from "../install/options.ts";
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  addUpgradeCommand(program, context);
}
