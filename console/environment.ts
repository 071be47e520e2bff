/**
 * Environment: everything a command may know of the process around it. Handed in, so that a test can run a command
 * without a process. Every read is allowed to be refused: with read permission alone commands still work.
 */
import { type Output, outputTo, type OutputTraits } from "./output.ts";
import type { StopSignals } from "./stop_signals.ts";

export interface Environment {
  readonly stdout: Output;
  readonly stderr: Output;
  /** An environment variable; undefined if it is not set or may not be read. */
  variable(name: string): string | undefined;
  /** All of standard input, as text. */
  readStdin(): Promise<string>;
  /** Calls `handler` on SIGINT and, where the system has it, SIGTERM; returns how to stop listening. */
  onStopSignal(handler: (signal: string) => void): () => void;
}

/** The environment of this process. */
export function processEnvironment(stopSignals: StopSignals): Environment {
  return {
    stdout: outputTo(sinkTo(Deno.stdout), traitsOf(Deno.stdout), senderTo(Deno.stdout)),
    stderr: outputTo(sinkTo(Deno.stderr), traitsOf(Deno.stderr), senderTo(Deno.stderr)),
    variable,
    readStdin: () => new Response(Deno.stdin.readable).text(),
    onStopSignal: (handler) => stopSignals.listen(handler),
  };
}

/** Asks before it reads: a plain read without permission would stop at a prompt on a terminal. */
function variable(name: string): string | undefined {
  const permission = Deno.permissions.querySync({ name: "env", variable: name });
  return permission.state === "granted" ? Deno.env.get(name) : undefined;
}

function sinkTo(stream: { writeSync(bytes: Uint8Array): number }): (text: string) => void {
  const encoder = new TextEncoder();
  return (text) => {
    let rest = encoder.encode(text);
    try {
      while (rest.length > 0) rest = rest.subarray(stream.writeSync(rest));
    } catch (error) {
      // The reader has gone (`weft dry-run | head`): nothing is left to tell it.
      if (error instanceof Deno.errors.BrokenPipe) Deno.exit(0);
      throw error;
    }
  };
}

function senderTo(
  stream: { write(bytes: Uint8Array): Promise<number> },
): (text: string) => Promise<void> {
  const encoder = new TextEncoder();
  return async (text) => {
    let rest = encoder.encode(text);
    while (rest.length > 0) rest = rest.subarray(await stream.write(rest));
  };
}

function traitsOf(stream: { isTerminal(): boolean }): OutputTraits {
  const isTerminal = stream.isTerminal();
  if (!isTerminal) return { isTerminal, hasColour: false, hasUnicode: false, columns: null };
  const locale = variable("LC_ALL") || variable("LC_CTYPE") || variable("LANG") || "";
  return {
    isTerminal,
    // Deno has read NO_COLOR already, and tells without a permission.
    hasColour: !Deno.noColor && variable("TERM") !== "dumb",
    hasUnicode: /utf-?8/i.test(locale) || variable("WT_SESSION") !== undefined,
    columns: columnsOfTerminal(),
  };
}

function columnsOfTerminal(): number | null {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return null;
  }
}
