/** `weft request`. */
import { CommandFailure } from "../exit.ts";
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, _context: CommandContext): void {
  program.command("request")
    .action(() => {
      throw new CommandFailure("Not built yet");
    });
}
