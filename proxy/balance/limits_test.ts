/** Rate limits, retry budgets, retries and connection budgets, on a simulated clock. */
import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import type { Retry } from "../../base/policy.ts";
import { Random } from "../../base/random.ts";
import { METHODS } from "../../routing/request.ts";
import { ConnectionBudget } from "./connection_budget.ts";
import { RETRY_RESERVE, RetryBudget } from "./retry_budget.ts";
import { RetryPolicy } from "./retry_policy.ts";
import { TokenBucket } from "./token_bucket.ts";

Deno.test("rate limit: a burst, then the rate", () => {
  const bucket = new TokenBucket({ count: 10, perMs: 1_000, burst: 3 }, 0);
  const taken = (nowMs: number) => bucket.take(nowMs);
  deepEqual([taken(0), taken(0), taken(0), taken(0)], [true, true, true, false]);
  equal(bucket.waitMs(0), 100);
  equal(bucket.waitMs(60), 40);
  deepEqual([taken(99), taken(100), taken(100)], [false, true, false]);
  deepEqual([1, 2, 3, 4].map(() => taken(10_000)), [true, true, true, false]);
});

Deno.test("rate limit: in any stretch of time at most the burst and the rate get through", () => {
  const gaps = fc.array(fc.double({ min: 0, max: 50, noNaN: true }), { maxLength: 200 });
  fc.assert(
    fc.property(gaps, fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 }), (
      gaps,
      count,
      burst,
    ) => {
      const bucket = new TokenBucket({ count, perMs: 100, burst }, 0);
      const passed: number[] = [];
      let nowMs = 0;
      for (const gap of gaps) {
        nowMs += gap;
        if (bucket.take(nowMs)) passed.push(nowMs);
      }
      for (const [i, from] of passed.entries()) {
        for (let j = i; j < passed.length; j++) {
          const allowed = burst + (passed[j] - from) * count / 100;
          ok(j - i + 1 <= allowed + 1e-6, `${j - i + 1} of ${allowed}`);
        }
      }
    }),
  );
});

Deno.test("rate limit: a steady stream at the rate is never refused, and a higher one gets the rate", () => {
  const steady = new TokenBucket({ count: 100, perMs: 1_000, burst: 1 }, 0);
  for (let i = 1; i <= 1_000; i++) ok(steady.take(i * 10), String(i));
  const busy = new TokenBucket({ count: 100, perMs: 1_000, burst: 10 }, 0);
  let passed = 0;
  for (let i = 0; i < 100_000; i++) if (busy.take(i * 0.1)) passed++;
  ok(Math.abs(passed - 1_010) <= 1, String(passed));
});

Deno.test("rate limit: a change of rate gives nothing back", () => {
  const bucket = new TokenBucket({ count: 1, perMs: 1_000, burst: 5 }, 0);
  for (let i = 0; i < 5; i++) bucket.take(0);
  bucket.change({ count: 10, perMs: 1_000, burst: 50 }, 0);
  equal(bucket.take(0), false);
  equal(bucket.take(100), true);
});

Deno.test("retry budget: the share of the requests, and a reserve", () => {
  for (const percent of [1, 20, 50]) {
    const budget = new RetryBudget(percent, 0);
    let retries = 0;
    const requests = 10_000;
    // All within one millisecond, and all fail.
    for (let i = 0; i < requests; i++) {
      budget.deposit();
      if (budget.withdraw(0)) retries++;
    }
    const share = requests * percent / 100;
    ok(retries <= share + RETRY_RESERVE && retries >= share - 1, `${retries} at ${percent} %`);
  }
});

Deno.test("retry budget: quiet services have one retry a second, a budget of nothing none", () => {
  const budget = new RetryBudget(20, 0);
  while (budget.withdraw(0));
  let retries = 0;
  for (let nowMs = 0; nowMs < 60_000; nowMs += 100) if (budget.withdraw(nowMs)) retries++;
  ok(retries >= 58 && retries <= 60, String(retries));
  const none = new RetryBudget(0, 0);
  none.deposit();
  equal(none.withdraw(1e6), false);
});

const RETRY: Retry = {
  attempts: 2,
  conditions: [],
  statuses: [],
  methods: ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"],
  perTryTimeoutMs: null,
  budgetPercent: 20,
  backoffMs: 100,
};
const id = (method: typeof METHODS[number]) => METHODS.indexOf(method) + 1;

Deno.test("retry: statuses by condition and by number", () => {
  const allowed = (retry: Partial<Retry>) => {
    const policy = new RetryPolicy({ ...RETRY, ...retry });
    return [200, 404, 429, 500, 501, 502, 503, 504, 508, 599, 600].filter((status) =>
      policy.allowsStatus(status, id("GET"))
    );
  };
  deepEqual(allowed({}), []);
  deepEqual(allowed({ conditions: ["5xx"] }), [500, 501, 502, 503, 504, 599]);
  deepEqual(allowed({ conditions: ["gateway-error"], statuses: [429] }), [429, 502, 503, 504]);
  // A request in a circle would go round again.
  deepEqual(allowed({ statuses: [508] }), [508]);
  deepEqual(allowed({ conditions: ["reset", "connect-failure", "timeout"] }), []);
});

Deno.test("retry: a method that is not idempotent only where the endpoint saw nothing, or by name", () => {
  const conditions = ["5xx", "reset", "connect-failure", "timeout"] as const;
  const policy = new RetryPolicy({ ...RETRY, conditions });
  for (const method of [id("POST"), id("PATCH"), id("CONNECT"), 0]) {
    equal(policy.allowsStatus(503, method), false);
    equal(policy.allowsFailure("reset", method), false);
    equal(policy.allowsFailure("timeout", method), false);
    equal(policy.allowsFailure("connect-failure", method), true);
  }
  const named = new RetryPolicy({ ...RETRY, conditions, methods: ["POST"] });
  equal(named.allowsStatus(503, id("POST")), true);
  equal(named.allowsFailure("reset", id("POST")), true);
  equal(named.allowsFailure("reset", id("GET")), false);
});

Deno.test("retry: only the failures that are asked for", () => {
  const policy = new RetryPolicy({ ...RETRY, conditions: ["reset"] });
  deepEqual(
    (["reset", "connect-failure", "timeout"] as const).map((failure) =>
      policy.allowsFailure(failure, id("GET"))
    ),
    [true, false, false],
  );
});

Deno.test("retry: waits are drawn below a bound that doubles", () => {
  const policy = new RetryPolicy(RETRY);
  const random = new Random(5, "backoff");
  for (const [retry, bound] of [[1, 100], [2, 200], [3, 400], [20, 30_000]]) {
    const waits = Array.from({ length: 2_000 }, () => policy.backoffMs(retry, random));
    ok(waits.every((wait) => wait >= 0 && wait < bound));
    const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length;
    ok(Math.abs(mean / bound - 0.5) < 0.03, `${mean} of ${bound}`);
  }
});

Deno.test("connection budget: no more than the limits, and none where there is none", () => {
  const budget = new ConnectionBudget({ maxConnections: 2, maxPending: 1, maxRequests: 3 });
  const take = (times: number, take: () => boolean) => Array.from({ length: times }, take);
  deepEqual(take(3, () => budget.takeConnection()), [true, true, false]);
  deepEqual(take(2, () => budget.takePending()), [true, false]);
  deepEqual(take(4, () => budget.takeRequest()), [true, true, true, false]);
  budget.requestEnded();
  equal(budget.takeRequest(), true);
  const open = new ConnectionBudget({ maxConnections: null, maxPending: 0, maxRequests: null });
  deepEqual(take(3, () => open.takeConnection() && open.takeRequest()), [true, true, true]);
  equal(open.takePending(), false);
});
