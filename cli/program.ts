/**
 * What a file in `commands/` is given and gives: the pattern every command follows (see README.md).
 * Types only, so a command's grammar costs nothing to load.
 */
import type { Command } from "@commander-js/extra-typings";
import type { Environment } from "../console/environment.ts";
import type { ExitCode } from "../console/exit.ts";

/** The root command that commands add themselves to. */
export type Program = Command;

/** What a command may touch. */
export interface CommandContext {
  readonly environment: Environment;
  /** What the process will end with; `EXIT.ok` unless the command sets it. */
  exitCode: ExitCode;
  /** Adds every command to a program, for what has to know them all. */
  registerAll(program: Program): Promise<void>;
}

/** A file in `commands/`. */
export interface CommandModule {
  /** Adds the command: its arguments, options and help, and an action that imports the work lazily. */
  register(program: Program, context: CommandContext): void;
}
