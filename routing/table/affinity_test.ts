/** Session affinity: shares stay what the weights ask for, and a change of weights moves the fewest callers. */
import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { Random } from "../../base/random.ts";
import type { SessionAffinity } from "../../base/policy.ts";
import { requestHeadOf } from "../request.ts";
import { Affinity, affinityCookie } from "./affinity.ts";
import { decide, Decision } from "./decide.ts";
import { explain } from "./explain.ts";
import { planForTest, routeForTest, serviceForTest, servicesOfTable } from "./plan_for_test.ts";
import { NO_KEY } from "./request_key.ts";
import { SplitState } from "./split.ts";
import { buildTable } from "./build.ts";
import type { Table, TableBackend } from "./table.ts";

const LINE = 2 ** 32;
const BY_HEADER = { source: "header", name: "x-user" } as const;
const BY_COOKIE = { source: "cookie", name: "session" } as const;

function tableOf(weights: Readonly<Record<string, number>>, key: SessionAffinity["key"]): Table {
  const policy = {
    sources: {},
    sessionAffinity: { key, ttlSeconds: null },
  };
  const fallback = routeForTest("app/web:80", weights);
  const plan = planForTest([serviceForTest({ fallback, policy })]);
  return buildTable(plan, { namespace: "app", identity: "", seed: null });
}

function affinityOf(
  weights: Readonly<Record<string, number>>,
  key: SessionAffinity["key"] = BY_HEADER,
): Affinity<TableBackend> {
  const { affinity } = servicesOfTable(tableOf(weights, key))[0].routes[0];
  ok(affinity);
  return affinity;
}

function pointOf(affinity: Affinity<TableBackend>, header: readonly [string, string]): number {
  return affinity.pointOf(requestHeadOf({ method: "GET", url: "http://web/", headers: [header] }));
}

function nameAt(affinity: Affinity<TableBackend>, point: number): string {
  return affinity.backendAt(point).plan.service;
}

Deno.test("affinity: 25 to 30 percent moves exactly 5 points, one way", () => {
  const before = affinityOf({ stable: 75, canary: 25 });
  const after = affinityOf({ stable: 70, canary: 30 });
  const moved = new Map<string, number>();
  const steps = 10_000;
  for (let i = 0; i < steps; i++) {
    const point = Math.floor((i + 0.5) / steps * LINE);
    const [from, to] = [nameAt(before, point), nameAt(after, point)];
    if (from !== to) moved.set(`${from} ${to}`, (moved.get(`${from} ${to}`) ?? 0) + 1);
  }
  deepEqual([...moved], [["stable canary", steps * 5 / 100]]);
});

Deno.test("affinity: with two backends a larger weight never loses a caller", () => {
  const weight = fc.integer({ min: 1, max: 1_000 });
  const point = fc.integer({ min: 0, max: LINE - 1 });
  fc.assert(fc.property(weight, weight, weight, point, (canary, stable, more, point) => {
    const before = nameAt(affinityOf({ stable, canary }), point);
    const after = nameAt(affinityOf({ stable, canary: canary + more }), point);
    if (before === "canary") equal(after, "canary");
  }));
});

Deno.test("affinity: each backend has the length that its weight asks for", () => {
  const weights = fc.uniqueArray(fc.integer({ min: 1, max: 10_000 }), {
    minLength: 2,
    maxLength: 5,
  });
  fc.assert(fc.property(weights, (list) => {
    const affinity = affinityOf(Object.fromEntries(list.map((weight, i) => [`b${i}`, weight])));
    const total = list.reduce((sum, weight) => sum + weight, 0);
    // The ends of the lengths, in order of the names.
    let sum = 0;
    for (const [i, weight] of list.entries()) {
      equal(nameAt(affinity, Math.ceil(sum / total * LINE)), `b${i}`);
      sum += weight;
      equal(nameAt(affinity, Math.ceil(sum / total * LINE) - 1), `b${i}`);
    }
  }));
});

Deno.test("affinity: the order in which backends are written moves no caller", () => {
  const one = affinityOf({ a: 1, b: 2, c: 3 });
  const other = affinityOf({ c: 3, a: 1, b: 2 });
  for (let point = 0; point < LINE; point += LINE / 1024) {
    equal(nameAt(one, point), nameAt(other, point));
  }
});

Deno.test("affinity: names of users fall on the line evenly", () => {
  const affinity = affinityOf({ a: 9, b: 1 });
  const users = 20_000;
  let canary = 0;
  for (let i = 0; i < users; i++) {
    if (nameAt(affinity, pointOf(affinity, ["X-User", `user-${i}`])) === "b") canary++;
  }
  // Four standard deviations of a share of 0.1.
  ok(Math.abs(canary - users / 10) < 4 * Math.sqrt(users * 0.09), `${canary} of ${users}`);
});

Deno.test("affinity: a cookie that is given out leads back to the backend it was given for", () => {
  const affinity = affinityOf({ a: 999, b: 1, c: 70 }, BY_COOKIE);
  const random = new Random(7, "affinity test");
  const backends =
    servicesOfTable(tableOf({ a: 999, b: 1, c: 70 }, BY_COOKIE))[0].routes[0].backends;
  for (let i = 0; i < 2_000; i++) {
    const name = backends[i % backends.length].plan.service;
    const backend = findBackend(affinity, name);
    const point = affinity.pointIn(backend, random.next32());
    equal(nameAt(affinity, point), name);
    equal(pointOf(affinity, ["Cookie", `session=${affinityCookie(point)}`]), point);
  }
});

function findBackend(affinity: Affinity<TableBackend>, name: string): TableBackend {
  for (let point = 0; point < LINE; point += LINE / 8192) {
    const backend = affinity.backendAt(point);
    if (backend.plan.service === name) return backend;
  }
  throw new Error(`No backend "${name}"`);
}

Deno.test("affinity: another's cookie counts as any value, one without a value as none", () => {
  const affinity = affinityOf({ a: 1, b: 1 }, BY_COOKIE);
  const point = (cookie: string) => pointOf(affinity, ["Cookie", cookie]);
  equal(point("other=1; session=weft-0000ffff"), 0xffff);
  equal(point('session="weft-0000ffff"'), 0xffff);
  ok(point("session=weft-0000fffg") !== NO_KEY);
  ok(point("session=abc") !== point("session=abd"));
  for (const cookie of ["session=", "Session=1", "xsession=1", "session", ""]) {
    equal(point(cookie), NO_KEY, cookie);
  }
});

Deno.test("affinity: pinned requests take no place in the sequence, and explain says so", () => {
  const table = tableOf({ a: 3, b: 1 }, BY_HEADER);
  const state = new SplitState(table);
  const decision = new Decision();
  const ask = (headers: [string, string][]) => {
    const head = requestHeadOf({ method: "GET", url: "http://web/", headers });
    const explained = explain(table, head, 80, state);
    decide(table, head, 80, state, decision);
    equal(explained.backend, decision.backend?.key);
    equal(explained.route?.isPinned ?? false, decision.isPinned);
    return decision.backend?.plan.service;
  };
  const pinned = ask([["X-User", "ann"]]);
  deepEqual([ask([]), ask([]), ask([["x-user", "ann"]]), ask([]), ask([])], [
    "a",
    "b",
    pinned,
    "a",
    "a",
  ]);
});

Deno.test("affinity by cookie: any mix of new callers and returning ones keeps the split exact", () => {
  const weights = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 2, maxLength: 4 });
  // What comes next: a new caller, or one of those that were there before.
  const callers = fc.array(fc.option(fc.nat()), { minLength: 1, maxLength: 120 });
  fc.assert(fc.property(weights, callers, fc.nat(), (weights, callers, seed) => {
    const named = Object.fromEntries(weights.map((weight, i) => [`b${i}`, weight]));
    const table = tableOf(named, BY_COOKIE);
    const { affinity } = servicesOfTable(table)[0].routes[0];
    ok(affinity);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const state = new SplitState(table);
    const random = new Random(seed, "callers");
    const known: { readonly cookie: string; readonly backend: string }[] = [];
    const counts = new Map<string, number>();
    for (const caller of callers) {
      const before = caller === null || known.length === 0 ? null : known[caller % known.length];
      const headers: [string, string][] = before === null ? [] : [["Cookie", before.cookie]];
      const decision = new Decision();
      decide(
        table,
        requestHeadOf({ method: "GET", url: "http://web/", headers }),
        80,
        state,
        decision,
      );
      ok(decision.backend);
      const backend = decision.backend.plan.service;
      if (before !== null) {
        equal(backend, before.backend, "a caller stays");
        continue;
      }
      const point = affinity.pointIn(decision.backend, random.next32());
      known.push({ cookie: `session=${affinityCookie(point)}`, backend });
      counts.set(backend, (counts.get(backend) ?? 0) + 1);
      // At any moment each backend has its share of the callers, rounded down or up.
      for (const [name, weight] of Object.entries(named)) {
        const share = known.length * weight / total;
        const count = counts.get(name) ?? 0;
        ok(
          count >= Math.floor(share) && count <= Math.ceil(share),
          `${name}: ${count} of ${share}`,
        );
      }
    }
  }));
});
