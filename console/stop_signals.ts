/**
 * StopSignals: SIGINT and, where the system has it, SIGTERM, from the first moment of the process. Imports next to nothing:
 * `main.ts` catches them before it loads anything else.
 */
import { EXIT } from "./exit.ts";

type StopHandler = (signal: string) => void;

/** SIGTERM first: it is the one that an orchestrator sends. */
const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGTERM", "SIGINT"];

/** Commands that run until a stop signal, which is then no failure. */
const RUN_UNTIL_STOPPED: readonly (string | undefined)[] = [
  "proxy",
  "controller",
  "up",
  "tap",
];

export class StopSignals {
  readonly #handlers = new Set<StopHandler>();
  #areCaught = false;
  #isUntilStopped = false;
  #hasBegun = false;

  /**
   * Catches them from now on where the command is one that they end: the kernel drops a signal that process 1, as a container's
   * is, has no handler for. Until the command has handlers of its own there is nothing to finish.
   */
  catchFor(command: string | undefined): void {
    this.#isUntilStopped = RUN_UNTIL_STOPPED.includes(command);
    if (this.#isUntilStopped) this.#catch();
  }

  /** The command does not end by itself. */
  get isUntilStopped(): boolean {
    return this.#isUntilStopped;
  }

  /** Calls `handler` for each of them; returns how to stop that. */
  listen(handler: StopHandler): () => void {
    this.#hasBegun = true;
    this.#handlers.add(handler);
    this.#catch();
    return () => void this.#handlers.delete(handler);
  }

  #catch(): void {
    if (this.#areCaught) return;
    this.#areCaught = true;
    for (const signal of SIGNALS) Deno.addSignalListener(signal, () => this.#deliver(signal));
  }

  #deliver(signal: string): void {
    // What is still being done at the end of a command is cut short.
    if (this.#handlers.size === 0) Deno.exit(this.#hasBegun ? EXIT.failed : EXIT.ok);
    for (const handler of [...this.#handlers]) handler(signal);
  }
}
