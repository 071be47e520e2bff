/** Sets of endpoints that traffic targets leave, over plans that change what those are. */
import { equal } from "node:assert/strict";
import { Random } from "../../base/random.ts";
import type { PlanEndpoint } from "../../routing/plan.ts";
import type { EndpointSet } from "../../routing/table/endpoint_set.ts";
import { endpointForTest } from "../../routing/table/plan_for_test.ts";
import { Balancing } from "./balancing.ts";

const plans: readonly PlanEndpoint[] = [1, 2, 3].map((index) => endpointForTest(index));

function setOf(names: string, whole: EndpointSet | null): EndpointSet {
  const endpoints = Array.from(names, (key, i) => ({ plan: plans[i], key }));
  return { key: whole === null ? "all" : "all readers", whole, endpoints };
}

Deno.test("balancing: what an earlier plan left for a request is not what today's leaves for another", () => {
  const balancing = new Balancing<string>("backend", null, new Random(1, "test"));
  const bind = (whole: EndpointSet) =>
    balancing.bind(
      whole,
      whole.endpoints.map(({ key }) => ({ key, target: key })),
      undefined,
      0,
      0,
    );
  const pick = (set: EndpointSet) => balancing.pick(set, 0, 0, () => true)?.key;
  const before = setOf("abc", null);
  bind(before);
  const early = setOf("ab", before);
  const other = setOf("b", before);
  equal(pick(early), "a");
  const after = setOf("abc", null);
  bind(after);
  const late = setOf("c", after);
  for (let turn = 0; turn < 4; turn++) {
    // A request that has waited since the earlier plan is tried again between two of today's.
    equal(pick(late), "c");
    equal("ab".includes(pick(early) ?? "none"), true);
    equal(pick(other), "b");
  }
});
