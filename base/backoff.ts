/** Backoff: how long to wait until something is tried again. Anywhere in the second half of a time that doubles, so that many do not come back at once. */
export class Backoff {
  readonly #leastMs: number;
  readonly #mostMs: number;
  readonly #random: () => number;
  #nextMs: number;

  /** @param random gives a number from 0 to 1 */
  constructor(leastMs: number, mostMs: number, random: () => number = Math.random) {
    this.#leastMs = leastMs;
    this.#mostMs = mostMs;
    this.#random = random;
    this.#nextMs = leastMs;
  }

  /** It worked: the next failure is the first again. */
  reset(): void {
    this.#nextMs = this.#leastMs;
  }

  nextMs(): number {
    const waitMs = this.#nextMs * (0.5 + 0.5 * this.#random());
    this.#nextMs = Math.min(2 * this.#nextMs, this.#mostMs);
    return waitMs;
  }
}

/** Resolves after a time, or at once when the signal is given. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const end = () => {
    clearTimeout(timer);
    resolve();
  };
  signal.addEventListener("abort", end, { once: true });
  return promise.finally(() => signal.removeEventListener("abort", end));
}
