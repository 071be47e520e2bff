/** The same from real threads: nothing is lost and nothing is counted twice. */
import { deepEqual, equal } from "node:assert/strict";
import { SharedStore } from "./shared_store.ts";
import { Slots } from "./slots.ts";

/** Steps that each thread takes: enough that all of them run at the same time for most of it. */
const STEPS = 300_000;
const THREADS = 4;
const MODULUS = 97;

/** Runs `threads_test_worker.ts` as often as there are threads; resolves to what each has counted. */
function runThreads(memory: SharedArrayBuffer): Promise<number[][]> {
  return Promise.all(
    Array.from({ length: THREADS }, () =>
      new Promise<number[]>((resolve, reject) => {
        const worker = new Worker(new URL("./threads_test_worker.ts", import.meta.url), {
          type: "module",
        });
        worker.onerror = (event) => {
          event.preventDefault();
          reject(new Error(event.message));
        };
        worker.onmessage = ({ data }) => {
          worker.terminate();
          resolve(data);
        };
        worker.postMessage({ memory, steps: STEPS, threads: THREADS, modulus: MODULUS });
      })),
  );
}

Deno.test("threads: every place is taken once, and sums are right", async () => {
  const memory = Slots.allocate(16);
  const store = new SharedStore(memory, 0, () => {});
  const sum = store.tally("sum", 2, () => {});
  const counts = await runThreads(memory);
  const taken = Array.from(
    { length: MODULUS },
    (_, place) => counts.reduce((total, count) => total + count[place], 0),
  );
  // All places of a ring are taken in turn, so no two differ by more than one.
  const total = STEPS * THREADS;
  const rest = total % MODULUS;
  deepEqual(
    taken,
    Array.from({ length: MODULUS }, (_, i) => Math.floor(total / MODULUS) + (i < rest ? 1 : 0)),
  );
  deepEqual([...sum.enter()], [total, -total]);
  sum.leave();
  sum.release();
  equal(new Slots(memory).ownedCount, 0);
});
