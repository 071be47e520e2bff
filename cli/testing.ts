/** For tests of commands: an Environment that keeps what was written, and transcripts kept in files. */
import assert from "node:assert/strict";
import type { Environment } from "./environment.ts";
import { type MemoryOutput, memoryOutput, type OutputTraits } from "./render/output.ts";

export interface TestEnvironment extends Environment {
  readonly stdout: MemoryOutput;
  readonly stderr: MemoryOutput;
  /** Calls every handler that listens for a stop signal, as the system would. */
  sendStopSignal(signal: string): void;
}

export function testEnvironment(
  given: { variables?: Record<string, string>; stdin?: string; traits?: OutputTraits } = {},
): TestEnvironment {
  const handlers = new Set<(signal: string) => void>();
  return {
    stdout: memoryOutput(given.traits),
    stderr: memoryOutput(given.traits),
    variable: (name) => given.variables?.[name],
    readStdin: () => Promise.resolve(given.stdin ?? ""),
    onStopSignal(handler) {
      handlers.add(handler);
      return () => void handlers.delete(handler);
    },
    sendStopSignal(signal) {
      for (const handler of [...handlers]) handler(signal);
    },
  };
}

const GOLDEN = new URL("./testdata/golden/", import.meta.url);

/**
 * Compares a transcript with the one kept in `testdata/golden/`. `deno test -A cli -- --update` writes them anew: look at
 * the difference before you commit it.
 */
export function assertGolden(name: string, transcript: string): void {
  const file = new URL(name, GOLDEN);
  if (Deno.args.includes("--update")) {
    Deno.mkdirSync(GOLDEN, { recursive: true });
    Deno.writeTextFileSync(file, transcript);
  }
  assert.equal(transcript, Deno.readTextFileSync(file));
}

/** A transcript without the wording of Findings, which is tested where they arise: place, severity and code stay. */
export function withoutWording(transcript: string): string {
  return transcript.replace(
    /^(\S+ (?:error|warning|info) [a-z-]+) .*\n(?: {4}\S.*\n)?/gm,
    "$1 <message>\n    <hint>\n",
  );
}
