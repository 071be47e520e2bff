/** What one decision costs: `deno bench routing/table/decide_bench.ts`. */
import type { PlanRule } from "../plan.ts";
import { requestHeadOf } from "../request.ts";
import { decide, Decision } from "./decide.ts";
import { planForTest, routeForTest, ruleForTest, serviceForTest } from "./plan_for_test.ts";
import { SplitState } from "./split.ts";
import { buildTable } from "./build.ts";
import type { Table } from "./table.ts";

const CLIENT = { namespace: "client", identity: "", seed: 1 };
const SPLIT = routeForTest("split", { a: 75, b: 25 });

function tableOf(rules: readonly PlanRule[]): Table {
  return buildTable(planForTest([serviceForTest({ rules, fallback: SPLIT })]), CLIENT);
}

/** `/items/<n>` for each n: rules that share a beginning and differ late. */
function rulesByPath(count: number): PlanRule[] {
  return Array.from({ length: count }, (_, n) => ({
    ...ruleForTest({ path: `/items/${n}/` }, "a"),
    route: { ...SPLIT, id: `rule ${n}` },
  }));
}

function pathRequests(count: number) {
  // A stride that is coprime to the count visits every rule, none twice in a row.
  return Array.from({ length: 1024 }, (_, i) =>
    requestHeadOf({
      method: "GET",
      url: `http://web.app.svc.cluster.local/items/${(i * 7919) % count}/x`,
      headers: [["user-agent", "Mozilla/5.0"], ["accept", "*/*"]],
    }));
}

function benchDecide(
  name: string,
  table: Table,
  heads: readonly ReturnType<typeof requestHeadOf>[],
): void {
  const state = new SplitState(table);
  const decision = new Decision();
  let i = 0;
  for (const head of heads) decide(table, head, 80, state, decision);
  Deno.bench(name, () => {
    i = i + 1 === heads.length ? 0 : i + 1;
    decide(table, heads[i], 80, state, decision);
  });
}

benchDecide("no rules, 75/25", tableOf([]), pathRequests(1));
for (const count of [1, 100, 10_000]) {
  benchDecide(`${count} path rules, all in use`, tableOf(rulesByPath(count)), pathRequests(count));
}
benchDecide("10000 path rules, one in use", tableOf(rulesByPath(10_000)), pathRequests(1));
benchDecide(
  "10000 path rules, none matches",
  tableOf(rulesByPath(10_000)),
  [requestHeadOf({ method: "GET", url: "http://web.app/other" })],
);
benchDecide(
  "100 rules by a header, 3 headers in the request",
  tableOf(
    Array.from(
      { length: 100 },
      (_, n) =>
        ruleForTest({ headers: [{ name: "x-canary", pattern: `^group-${n}$` }] }, "a", `${n}`),
    ),
  ),
  Array.from({ length: 100 }, (_, n) =>
    requestHeadOf({
      method: "GET",
      url: "http://web.app/test",
      headers: [["user-agent", "Mozilla/5.0"], ["accept", "*/*"], ["x-canary", `group-${n}`]],
    })),
);
benchDecide(
  "10000 Services, fully qualified host",
  buildTable(
    planForTest(
      Array.from(
        { length: 10_000 },
        (_, n) =>
          serviceForTest({ fallback: { ...SPLIT, id: `split ${n}` } }, { name: `service-${n}` }),
      ),
    ),
    CLIENT,
  ),
  Array.from(
    { length: 1000 },
    (_, n) => requestHeadOf({ method: "GET", url: `http://service-${n}.app.svc.cluster.local/` }),
  ),
);
