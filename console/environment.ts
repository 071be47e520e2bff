/**
 * Environment: everything a command may know of the process around it. Handed in, so that a test can run a command
 * without a process. Every read is allowed to be refused: with read permission alone commands still work.
 */
import { causeText } from "../base/text.ts";
import { EXIT } from "./exit.ts";
import { type Output, outputTo, type OutputTraits } from "./output.ts";
import { WRITE_RETRY_MS } from "./limits.ts";
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
  // A command that ends by itself goes on to its exit code: what it has found counts, also where it is not read to the end.
  const onGone = () => {
    if (stopSignals.isUntilStopped) Deno.exit(EXIT.ok);
  };
  return {
    stdout: outputTo(
      sinkTo(Deno.stdout, { onGone, onFailure: endWithoutOutput }),
      traitsOf(Deno.stdout),
      senderTo(Deno.stdout),
    ),
    stderr: outputTo(sinkTo(Deno.stderr, UNHEARD), traitsOf(Deno.stderr), senderTo(Deno.stderr)),
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

interface SyncStream {
  writeSync(bytes: Uint8Array): number;
}

interface WriteFailures {
  /** The reader has gone, as in `weft dry-run | head`: there is nothing to complain of. */
  readonly onGone: () => void;
  readonly onFailure: (cause: string) => void;
}

/** Writes all of it. */
function sinkTo(
  stream: SyncStream,
  { onGone, onFailure }: WriteFailures,
): (text: string) => void {
  const encoder = new TextEncoder();
  return (text) => {
    let rest = encoder.encode(text);
    while (rest.length > 0) {
      try {
        rest = rest.subarray(stream.writeSync(rest));
      } catch (error) {
        if (error instanceof Deno.errors.BrokenPipe) return onGone();
        if (isPassing(error)) waitForRoom();
        else return onFailure(causeText(error));
      }
    }
  };
}

/** The reader is slow, or a signal came in between. */
function isPassing(error: unknown): boolean {
  return error instanceof Deno.errors.WouldBlock || error instanceof Deno.errors.Interrupted;
}

function waitForRoom(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WRITE_RETRY_MS);
}

/** Without a place to complain, the exit code has to do. */
const UNHEARD: WriteFailures = { onGone() {}, onFailure() {} };

/** A result that is not whole is no result. */
function endWithoutOutput(cause: string): void {
  const complaint = `weft: Cannot write to standard output: ${cause}\n`;
  sinkTo(Deno.stderr, UNHEARD)(complaint);
  Deno.exit(EXIT.failed);
}

function senderTo(
  stream: { write(bytes: Uint8Array): Promise<number> },
): (bytes: Uint8Array) => Promise<void> {
  return async (bytes) => {
    let rest = bytes;
    while (rest.length > 0) rest = rest.subarray(await stream.write(rest));
  };
}

function traitsOf(stream: { isTerminal(): boolean }): OutputTraits {
  const isTerminal = stream.isTerminal();
  if (!isTerminal) {
    // Set on purpose: shells do not export it.
    const columns = Number(variable("COLUMNS")) || null;
    return { isTerminal, hasColour: false, hasUnicode: false, columns };
  }
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
