/**
 * How long things take here: times of tests are those of an idle machine, and grow where more tasks run than there are
 * cores. Patience bounds a wait for what should have happened; `unhurried` is for times that a test gives the proxy.
 */

/** Of an idle machine; what a test waits for takes milliseconds there. */
const PATIENCE_MS = 30_000;
/** How often it is looked at by a timer. */
const TICK_MS = 100;
/** A machine that is busier is of no use for tests. */
const SLOWNESS_MAX = 20;

export class Patience {
  readonly #boundMs: number;
  #spentMs = 0;
  #lastMs = performance.now();

  /** `times`: for a wait for so many things, one after another. */
  constructor(times = 1) {
    this.#boundMs = times * PATIENCE_MS;
  }

  /** To be asked often, at least every `TICK_MS`. */
  get isOver(): boolean {
    const nowMs = performance.now();
    // What comes late was not let run: then neither were others.
    this.#spentMs += Math.min(nowMs - this.#lastMs, TICK_MS) / slowness();
    this.#lastMs = nowMs;
    return this.#spentMs > this.#boundMs;
  }

  /** Calls `giveUp` once it is over; returns what stops that. */
  static watch(giveUp: () => void, times = 1): () => void {
    const patience = new Patience(times);
    const timer = setInterval(() => {
      if (!patience.isOver) return;
      clearInterval(timer);
      giveUp();
    }, TICK_MS);
    return () => clearInterval(timer);
  }
}

/** The same time on a machine that is as busy as this one. */
export function unhurried(ms: number): number {
  return Math.ceil(ms * slowness());
}

/** Tasks for each core, now or in the last minute; at least one. */
function slowness(): number {
  const tasks = Math.max(Deno.loadavg()[0], tasksRunning());
  return Math.min(Math.max(1, tasks / navigator.hardwareConcurrency), SLOWNESS_MAX);
}

/** Those that run now and those that would; 0 where that is not told. */
function tasksRunning(): number {
  try {
    // "0.20 0.18 0.12 3/128 11206": three of 128.
    return Number(/(\d+)\//.exec(Deno.readTextFileSync("/proc/loadavg"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
