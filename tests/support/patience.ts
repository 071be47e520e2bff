/**
 * Patience: how long a test waits for something that should have happened, in time of an idle machine. Where more tasks run
 * than there are cores, or this process itself is let run late, a second counts for less.
 */

/** Of an idle machine; what a test waits for takes milliseconds there. */
const PATIENCE_MS = 30_000;
/** How often it is looked at by a timer. */
const TICK_MS = 100;

export class Patience {
  #spentMs = 0;
  #lastMs = performance.now();

  /** To be asked often, at least every `TICK_MS`. */
  get isOver(): boolean {
    const nowMs = performance.now();
    // What comes late was not let run: then neither were others.
    this.#spentMs += Math.min(nowMs - this.#lastMs, TICK_MS) / tasksPerCore();
    this.#lastMs = nowMs;
    return this.#spentMs > PATIENCE_MS;
  }

  /** Calls `giveUp` once it is over; returns what stops that. */
  static watch(giveUp: () => void): () => void {
    const patience = new Patience();
    const timer = setInterval(() => {
      if (!patience.isOver) return;
      clearInterval(timer);
      giveUp();
    }, TICK_MS);
    return () => clearInterval(timer);
  }
}

/** At least one. */
function tasksPerCore(): number {
  return Math.max(1, tasksRunning() / navigator.hardwareConcurrency);
}

/** Those that run and those that would. */
function tasksRunning(): number {
  try {
    // "0.20 0.18 0.12 3/128 11206": three of 128.
    return Number(/(\d+)\//.exec(Deno.readTextFileSync("/proc/loadavg"))?.[1] ?? 1);
  } catch {
    return Deno.loadavg()[0];
  }
}
