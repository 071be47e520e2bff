/** An Environment for tests: keeps what was written, has the variables given, never touches the process. */
import type { Environment } from "./environment.ts";
import { memoryOutput, type OutputTraits } from "./render/output.ts";

export interface TestEnvironment extends Environment {
  readonly stdout: ReturnType<typeof memoryOutput>;
  readonly stderr: ReturnType<typeof memoryOutput>;
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
