/**
 * A lock in shared memory, one word of it: no other thread runs between `lock` and `unlock`. What is done in between takes
 * nanoseconds; who has to wait spins first and then sleeps. Not re-entrant.
 */

const FREE = 0;
const HELD = 1;
/** Held, and a thread may sleep until it is free. */
const WAITED_FOR = 2;

/** Looks before sleeping: some microseconds, many times what a holder needs that is not interrupted. */
const SPINS = 200;

/** @param at the lock's word, 0 before its first use */
export function lock(words: Int32Array<SharedArrayBuffer>, at: number): void {
  if (Atomics.compareExchange(words, at, FREE, HELD) !== FREE) lockSlowly(words, at);
}

export function unlock(words: Int32Array<SharedArrayBuffer>, at: number): void {
  if (Atomics.exchange(words, at, FREE) === WAITED_FOR) Atomics.notify(words, at, 1);
}

function lockSlowly(words: Int32Array<SharedArrayBuffer>, at: number): void {
  for (let i = 0; i < SPINS; i++) {
    if (
      Atomics.load(words, at) === FREE && Atomics.compareExchange(words, at, FREE, HELD) === FREE
    ) {
      return;
    }
  }
  while (Atomics.exchange(words, at, WAITED_FOR) !== FREE) Atomics.wait(words, at, WAITED_FOR);
}
