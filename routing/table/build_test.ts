import { notStrictEqual as notEqual, strictEqual as equal, throws } from "node:assert/strict";
import type { Plan, PlanMatch } from "../plan.ts";
import {
  backendForTest,
  planForTest,
  routeForTest,
  ruleForTest,
  serviceForTest,
} from "./plan_for_test.ts";
import { buildTable, PlanError } from "./build.ts";

const CLIENT = { namespace: "client", identity: "", seed: null };

function assertRefused(plan: Plan, message: RegExp): void {
  throws(() => buildTable(plan, CLIENT), (error) => {
    return error instanceof PlanError && message.test(error.message);
  });
}

Deno.test("buildTable refuses plans that cannot be executed, and says why", () => {
  const weighted = (weight: number) =>
    planForTest([serviceForTest({
      fallback: { ...routeForTest("split", {}), backends: [backendForTest("a", weight)] },
    })]);
  for (const weight of [-1, 1.5, NaN, Infinity]) {
    assertRefused(weighted(weight), /weight is/);
  }
  const large = { a: Number.MAX_SAFE_INTEGER, b: Number.MAX_SAFE_INTEGER - 1 };
  assertRefused(
    planForTest([serviceForTest({ fallback: routeForTest("split", large) })]),
    /too large/,
  );
  assertRefused({ ...planForTest([serviceForTest()]), groups: {} }, /no group "app\/a:80"/);
  assertRefused(
    planForTest([serviceForTest({ rules: [ruleForTest({ path: "(" }, "b")] })]),
    /rules of "app\/web:80".*Missing/,
  );
  assertRefused(
    planForTest([
      serviceForTest({ rules: [ruleForTest({ headers: [{ name: "x", pattern: "\\1" }] }, "b")] }),
    ]),
    /back-reference/,
  );
  const twice = [ruleForTest({}, "b", "same"), ruleForTest({ path: "/c" }, "c", "same")];
  assertRefused(planForTest([serviceForTest({ rules: twice })]), /"rule same" differ/);
  const future = { ...planForTest([serviceForTest()]), version: 2 } as unknown as Plan;
  assertRefused(future, /version is "2"/);
});

Deno.test("a table shares with the one before what rules that did not change compiled to", () => {
  const rules = [ruleForTest({ path: "/a", headers: [{ name: "x", pattern: "1" }] }, "b")];
  const planOf = (change: Partial<PlanMatch>, weights: Record<string, number>) =>
    planForTest([serviceForTest({
      rules: rules.map(({ match, route }) => ({ match: { ...match, ...change }, route })),
      fallback: routeForTest("split", weights),
    })]);
  const before = buildTable(planOf({}, { a: 1 }), CLIENT);
  const matchesOf = (plan: Plan) => buildTable(plan, CLIENT, before).services[0].ports[0].matches;
  const known = before.services[0].ports[0].matches;
  equal(matchesOf(planOf({ position: null, name: "renamed" }, { a: 1, c: 9 })), known);
  const changes: Partial<PlanMatch>[] = [
    { path: "/b" },
    { path: null },
    { methods: ["GET"] },
    { headers: [] },
    { headers: [{ name: "y", pattern: "1" }] },
    { headers: [{ name: "x", pattern: "2" }] },
  ];
  for (const change of changes) notEqual(matchesOf(planOf(change, { a: 1 })), known);
});
