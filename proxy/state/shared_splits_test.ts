/** Splits over shared state: however loops take turns, and whenever each takes up a new plan, they keep one sequence. */
import { equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { planForTest, routeForTest, serviceForTest } from "../../routing/table/plan_for_test.ts";
import { SplitState } from "../../routing/table/split.ts";
import { buildTable } from "../../routing/table/build.ts";
import type { Table } from "../../routing/table/table.ts";
import { SharedStore } from "./shared_store.ts";
import { Slots } from "./slots.ts";

/** Weights of the backends a, b, c, …. */
type Weights = readonly number[];

interface Plan {
  readonly weights: Weights;
  /** Whether another split is there too: it must change nothing. */
  readonly hasOther: boolean;
}

function tableOf({ weights, hasOther }: Plan, seed: number | null): Table {
  const named = Object.fromEntries(weights.map((weight, i) => ["abcdefghij"[i], weight]));
  const services = [serviceForTest({ fallback: routeForTest("split", named) })];
  if (hasOther) {
    const fallback = routeForTest("other", { a: 1, b: 2 });
    services.unshift(serviceForTest({ fallback }, { name: "other" }));
  }
  return buildTable(planForTest(services), { namespace: "client", identity: "", seed });
}

function divisorOf(weights: Weights): number {
  const gcd = (a: number, b: number): number => b === 0 ? a : gcd(b, a % b);
  return weights.reduce(gcd, 0);
}

/** Same shares for the same backends: one definition. */
function definitionOf({ weights }: Plan): string {
  const divisor = divisorOf(weights);
  return weights.map((weight) => weight / divisor).join();
}

/** What requests got while one definition was in force, in the order in which they were decided. */
interface Run {
  readonly weights: Weights;
  readonly picked: number[];
}

/** Any window of two backends' requests, and all requests since the start of more, are as the weights say. */
function checkQuota({ weights, picked }: Run, seed: number | null): void {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const isOnline = weights.length > 2 && total / divisorOf(weights) > 1_024;
  const bound = isOnline && seed !== null ? 2 : 1;
  for (const [backend, weight] of weights.entries()) {
    let [count, lowest, highest] = [0, 0, 0];
    for (const [i, pick] of picked.entries()) {
      if (pick === backend) count++;
      const ahead = count - (i + 1) * weight / total;
      if (weights.length === 2) {
        lowest = Math.min(lowest, ahead);
        highest = Math.max(highest, ahead);
        ok(highest - lowest < 1 + 1e-9, `${highest - lowest} in a window, backend ${backend}`);
      } else ok(Math.abs(ahead) < bound + 1e-9, `${ahead} after ${i + 1}, backend ${backend}`);
    }
  }
}

const weights = fc.oneof(
  fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 2, maxLength: 2 }),
  fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 3, maxLength: 5 }),
  fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 3, maxLength: 9 }),
  // Up to the largest sum that a plan may have.
  fc.tuple(fc.integer({ min: 1, max: 2 ** 30 }), fc.integer({ min: 1, max: 2 ** 30 - 1 })),
);
const plans = fc.array(weights, { minLength: 1, maxLength: 3 }).chain((choices) =>
  fc.array(
    fc.record({ weights: fc.constantFrom(...choices), hasOther: fc.boolean() }),
    { minLength: 1, maxLength: 6 },
  )
);
/** A loop takes up the next plan, or decides so many requests. */
const steps = fc.array(
  fc.record({ loop: fc.nat(3), requests: fc.option(fc.integer({ min: 1, max: 12 })) }),
  { maxLength: 120 },
);

Deno.test("any loops, over any changes of plan, keep the quota of one sequence", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      plans,
      steps,
      fc.option(fc.nat()),
      (loopCount, plans, steps, seed) => {
        const memory = Slots.allocate(256);
        const stores = Array.from({ length: loopCount }, () =>
          new SharedStore(memory, 0, () => {
            throw new Error("full");
          }));
        const tables = plans.map((plan) => tableOf(plan, seed));
        const loops = stores.map((store) => ({ plan: 0, state: new SplitState(tables[0], store) }));
        const runOf: Run[] = [];
        for (const [i, plan] of plans.entries()) {
          const isSame = i > 0 && definitionOf(plans[i - 1]) === definitionOf(plan);
          runOf.push(isSame ? runOf[i - 1] : { weights: plan.weights, picked: [] });
        }
        for (const { loop: index, requests } of steps) {
          const loop = loops[index % loopCount];
          if (requests === null) {
            const slowest = Math.min(...loops.map(({ plan }) => plan));
            if (loop.plan > slowest || loop.plan === plans.length - 1) continue;
            loop.state.rebind(tables[++loop.plan]);
            continue;
          }
          const { state } = loop;
          const route = [...state.table.services.values()].flatMap(({ routes }) => routes).find((
            { plan },
          ) => plan.id === "split");
          ok(route !== undefined);
          for (let i = 0; i < requests; i++) {
            const backend = state.pick(route);
            runOf[loop.plan].picked.push(backend === null ? -1 : route.backends.indexOf(backend));
          }
        }
        for (const run of new Set(runOf)) checkQuota(run, seed);
        const empty = buildTable(planForTest([]), { namespace: "client", identity: "", seed });
        for (const { state } of loops) state.rebind(empty);
        equal(new Slots(memory).ownedCount, 0, "what no plan has any more is given back");
      },
    ),
    { numRuns: 400 },
  );
});

Deno.test("several loops go through 75/25 in the order of one", () => {
  const memory = Slots.allocate(16);
  const table = tableOf({ weights: [75, 25], hasOther: false }, null);
  const [{ routes: [route] }] = table.services.values();
  const states = Array.from(
    { length: 3 },
    () => new SplitState(table, new SharedStore(memory, 0, () => {})),
  );
  const order = Array.from(
    { length: 12 },
    (_, i) => states[i % 3].pick(route)?.plan.service,
  );
  equal(order.join(""), "abaaabaaabaa");
  equal(states[1].position(route), 0);
  states[2].pick(route);
  equal(states[0].position(route), 1);
});
