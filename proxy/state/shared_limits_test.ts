/** Rates, retry budgets and limits over shared state: what several loops take together is what one may take. */
import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { ConnectionBudget } from "../balance/connection_budget.ts";
import { RETRY_RESERVE, RetryBudget } from "../balance/retry_budget.ts";
import { TokenBucket } from "../balance/token_bucket.ts";
import { SharedStore } from "./shared_store.ts";
import { Slots } from "./slots.ts";

/** Stores of threads whose clocks began at different times. */
function storesOver(memory: SharedArrayBuffer, startsMs: readonly number[]): SharedStore[] {
  return startsMs.map((startMs) =>
    new SharedStore(memory, startMs, () => {
      throw new Error("full");
    })
  );
}

const STARTS_MS = [0, 17, 1_000.5];

Deno.test("rate limit: loops with clocks of their own let through what one would", () => {
  const step = fc.record({ loop: fc.nat(2), gapMs: fc.double({ min: 0, max: 40, noNaN: true }) });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 200 }),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 20 }),
      (steps, count, burst) => {
        const rate = { count, perMs: 100, burst };
        const memory = Slots.allocate(16);
        const startMs = 2_000;
        const buckets = storesOver(memory, STARTS_MS).map((store) =>
          new TokenBucket(rate, startMs - store.clockOffsetMs, store)
        );
        const alone = new TokenBucket(rate, startMs);
        let nowMs = startMs;
        for (const { loop, gapMs } of steps) {
          nowMs += gapMs;
          const isThere = buckets[loop].take(nowMs - STARTS_MS[loop]);
          // A token that is just there, or just not, may be seen either way because of rounding.
          if (alone.waitMs(nowMs) > 1e-6 || buckets[loop].waitMs(nowMs - STARTS_MS[loop]) > 1e-6) {
            equal(isThere, alone.take(nowMs));
          } else if (isThere) alone.take(nowMs);
        }
        for (const bucket of buckets) bucket.release();
        equal(new Slots(memory).ownedCount, 0);
      },
    ),
  );
});

Deno.test("retry budget: one share of all loops' requests, one reserve", () => {
  const memory = Slots.allocate(16);
  const budgets = storesOver(memory, [0, 0, 0]).map((store) => new RetryBudget(20, 0, store));
  let retries = 0;
  for (let i = 0; i < 3_000; i++) {
    budgets[i % 3].deposit();
    if (budgets[i * 7 % 3].withdraw(0)) retries++;
  }
  ok(retries <= 600 + RETRY_RESERVE && retries >= 599, `${retries}`);
});

Deno.test("connection budget: loops together stay below the limits, and give back what is theirs", () => {
  const limits = { maxConnections: 5, maxPending: 3, maxRequests: null };
  const step = fc.record({ loop: fc.nat(2), what: fc.nat(4) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const memory = Slots.allocate(16);
      const stores = storesOver(memory, STARTS_MS);
      const budgets = stores.map((store) => new ConnectionBudget(limits, store));
      for (const { loop, what } of steps) {
        const budget = budgets[loop];
        const sum = (kind: "connections" | "pending") =>
          budgets.reduce((total, each) => total + each[kind], 0);
        const before = { connections: sum("connections"), pending: sum("pending") };
        equal(budget.room, 5 - before.connections);
        equal(budget.othersPending, before.pending - budget.pending);
        if (what === 0) equal(budget.takeConnection(), before.connections < 5);
        else if (what === 1) equal(budget.takePending(), before.pending < 3);
        else if (what === 2 && budget.connections > 0) budget.connectionEnded();
        else if (what === 3 && budget.pending > 0) budget.pendingEnded();
        else if (what === 4) {
          // Its policy goes, and comes back while what it had is still under way.
          budget.limit(null);
          if (budget.connections > 0) budget.connectionEnded();
          budget.limit(limits);
        }
      }
      const own = budgets.map(({ connections }) => connections);
      budgets[0].limit(null);
      budgets[1].limit(null);
      deepEqual(budgets.map(({ connections }) => connections), own);
      equal(budgets[2].othersPending, 0);
      budgets[2].limit(null);
      equal(new Slots(memory).ownedCount, 0);
    }),
  );
});
