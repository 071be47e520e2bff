/** Exit codes: the one table. Scripts rely on them, so a code never changes its meaning. */

export const EXIT = {
  /** The work was done. Warnings and infos do not count against it. */
  ok: 0,
  /** The work was done and found errors, or could not be done. */
  failed: 1,
  /** The command line was not understood; nothing was done. */
  usage: 2,
  /** The question has no answer: what was asked about cannot be read, has errors, or is more than can be decided. */
  undecided: 3,
} as const;

export type ExitCode = typeof EXIT[keyof typeof EXIT];

/**
 * Ends a command with one line on standard error and an exit code. For what a user can cause (a missing file, a
 * port in use): never for a defect of Weft.
 */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
  readonly exitCode: ExitCode;
  /** What to do about it, or empty. Printed on a line of its own. */
  readonly hint: string;

  constructor(message: string, options: { exitCode?: ExitCode; hint?: string } = {}) {
    super(message);
    this.exitCode = options.exitCode ?? EXIT.failed;
    this.hint = options.hint ?? "";
  }
}

/** A {@link CommandFailure} for a command line that was not understood. */
export function usageFailure(message: string, hint = ""): CommandFailure {
  return new CommandFailure(message, { exitCode: EXIT.usage, hint });
}
