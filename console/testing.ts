/** For tests: an Environment and an Output that keep what was written. */
import type { Environment } from "./environment.ts";
import { type Output, outputTo, type OutputTraits } from "./output.ts";

/** An output that keeps what was written, for tests. */
interface MemoryOutput extends Output {
  text(): string;
  /** Resolves once the text matches `pattern`. */
  until(pattern: RegExp): Promise<void>;
}

/** Makes a {@link MemoryOutput}. */
export function memoryOutput(traits?: OutputTraits): MemoryOutput {
  let written = "";
  let waiting: (() => void)[] = [];
  const output = outputTo((text) => {
    written += text;
    const waking = waiting;
    waiting = [];
    for (const wake of waking) wake();
  }, traits);
  return {
    ...output,
    text: () => written,
    async until(pattern) {
      while (!pattern.test(written)) await new Promise<void>((wake) => waiting.push(wake));
    },
  };
}

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
