/**
 * Waiting for what another process or thread will do: looked at often, given up late, never slept for. The bound is in time
 * that the machine had for the wait, so that a test that passes alone also passes while every core is busy.
 */
import { Patience } from "./patience.ts";

const LOOK_AGAIN_MS = 3;

/**
 * Resolves with the first value of `look` that `holds` takes.
 * @param patience how many times the usual
 * @throws {Error} after too long, with the last value.
 */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  holds: (value: T) => boolean,
  patience = 1,
): Promise<T> {
  let last: T | undefined;
  let isLate = false;
  const looking = async () => {
    for (;;) {
      last = await look();
      if (holds(last) || isLate) return last;
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    }
  };
  return await bounded(looking(), () => {
    isLate = true;
    return `${what}; last seen: ${JSON.stringify(last)}`;
  }, patience);
}

/** Runs `work`, and `giveUp` where it takes too long, which must make it end. */
export async function within<T>(work: Promise<T>, giveUp: () => void): Promise<T> {
  const stop = Patience.watch(giveUp);
  try {
    return await work;
  } finally {
    stop();
  }
}

/** `promise`, or a rejection that says what did not come, if it takes too long; `patience`: how many times the usual. */
export async function soon<T>(what: string, promise: Promise<T>, patience = 1): Promise<T> {
  return await bounded(promise, () => what, patience);
}

async function bounded<T>(promise: Promise<T>, what: () => string, patience = 1): Promise<T> {
  const late = Promise.withResolvers<never>();
  const giveUp = () => late.reject(new Error(`Gave up waiting for ${what()}`));
  const stop = Patience.watch(giveUp, patience);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    stop();
  }
}
