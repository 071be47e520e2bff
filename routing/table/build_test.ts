import { notStrictEqual as notEqual, strictEqual as equal, throws } from "node:assert/strict";
import type { Plan, PlanMatch } from "../plan.ts";
import {
  planForTest,
  routeForTest,
  ruleForTest,
  serviceForTest,
  servicesOfTable,
} from "./plan_for_test.ts";
import { buildTable } from "./build.ts";

const CLIENT = { namespace: "client", identity: "", seed: null };

Deno.test("buildTable says whose rules are too large together", () => {
  const path = "a{1000}b{1000}c{1000}d{1000}";
  const rules = Array.from({ length: 600 }, (_, i) => ruleForTest({ path: `/${i}${path}` }, "b"));
  const plan = planForTest([serviceForTest({ rules })]);
  throws(() => buildTable(plan, CLIENT), /the rules of "app\/web:80": The paths of 600 matches/);
});

Deno.test("a table shares with the one before what rules that did not change compiled to", () => {
  const rules = [ruleForTest({ path: "/a", headers: [{ name: "x", pattern: "1" }] }, "b")];
  const planOf = (change: Partial<PlanMatch>, weights: Record<string, number>) =>
    planForTest([serviceForTest({
      rules: rules.map(({ match, route }) => ({ match: { ...match, ...change }, route })),
      fallback: routeForTest("split", weights),
    })]);
  const before = buildTable(planOf({}, { a: 1 }), CLIENT);
  const matchesOf = (plan: Plan) =>
    servicesOfTable(buildTable(plan, CLIENT, { before }))[0].ports[0].matches;
  const known = servicesOfTable(before)[0].ports[0].matches;
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

Deno.test("ports without rules share one index of matches", () => {
  const services = ["a", "b"].map((name) => serviceForTest({}, { name }));
  const [one, other] = servicesOfTable(buildTable(planForTest(services), CLIENT));
  equal(one.ports[0].matches, other.ports[0].matches);
  const [later] = servicesOfTable(buildTable(planForTest(services.slice(1)), CLIENT));
  equal(later.ports[0].matches, one.ports[0].matches);
});
