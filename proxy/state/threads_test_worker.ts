/** A thread of `threads_test.ts`: takes places of a ring, and adds to a sum, as fast as it can. */
import { SharedStore } from "./shared_store.ts";

interface Start {
  readonly memory: SharedArrayBuffer;
  readonly steps: number;
  readonly threads: number;
  readonly modulus: number;
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<Start>) => void;
  postMessage(counts: number[]): void;
};

scope.onmessage = ({ data: { memory, steps, threads, modulus } }) => {
  const store = new SharedStore(memory, 0, () => {});
  const place = store.place("ring", modulus, () => 0);
  const sum = store.tally("sum", 2, () => {});
  const arrived = store.tally("arrived", 1, () => {});
  const counts = new Array<number>(modulus).fill(0);
  arrived.enter()[0]++;
  arrived.leave();
  // All of them hold the ring before any of them lets go of it.
  for (let all = 0; all < threads;) {
    [all] = arrived.enter();
    arrived.leave();
  }
  for (let i = 0; i < steps; i++) counts[place.advance(1)]++;
  for (let i = 0; i < steps; i++) {
    const numbers = sum.enter();
    numbers[0]++;
    numbers[1]--;
    sum.leave();
  }
  for (const held of [place, sum, arrived]) held.release();
  scope.postMessage(counts);
};
