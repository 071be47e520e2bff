/** Waiting for what another process or thread will do: looked at often, given up late, never slept for. */

const GIVE_UP_MS = 30_000;
const LOOK_AGAIN_MS = 3;

/**
 * Resolves with the first value of `look` that `holds` takes.
 * @throws {Error} after half a minute, with the last value.
 */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  holds: (value: T) => boolean,
): Promise<T> {
  const deadline = performance.now() + GIVE_UP_MS;
  for (;;) {
    const value = await look();
    if (holds(value)) return value;
    if (performance.now() > deadline) {
      throw new Error(`Gave up waiting for ${what}; last seen: ${JSON.stringify(value)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

/** Runs `work`, and `giveUp` where it takes too long, which must make it end. */
export async function within<T>(work: Promise<T>, giveUp: () => void): Promise<T> {
  const timer = setTimeout(giveUp, GIVE_UP_MS);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}

/** `promise`, or a rejection that says what did not come, where it takes too long. */
export async function soon<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Gave up waiting for ${what}`)), GIVE_UP_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
