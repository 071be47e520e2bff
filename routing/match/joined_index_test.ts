import { deepStrictEqual as same, strictEqual as equal } from "node:assert/strict";
import { requestHeadOf } from "../request.ts";
import { matchForTest } from "../table/plan_for_test.ts";
import type { SlotIndex } from "./condition.ts";
import { HEADER } from "./header.ts";
import { joinIndexes } from "./joined_index.ts";

const MATCHES = [
  matchForTest({ headers: [{ name: "x", pattern: "^1$" }, { name: "y", pattern: "b" }] }),
  matchForTest({ headers: [{ name: "y", pattern: "a" }] }),
  matchForTest(),
];

/** What each condition of each match comes to for a request, by an index. */
function answersOf(index: SlotIndex, headers: [string, string][]): boolean[][] {
  const head = requestHeadOf({ method: "GET", url: "http://host/", headers });
  index.locate(head);
  return MATCHES.map((match) =>
    index.conditionsOf(match).map((condition) =>
      index.holds(condition, index.scan(condition.slot, head))
    )
  );
}

Deno.test("joined indexes answer as each does, in slots of their own", () => {
  const joined = joinIndexes([HEADER.index(MATCHES), HEADER.index(MATCHES)]);
  equal(joined.slotCount, 4);
  same(joined.conditionsOf(MATCHES[0]).map(({ slot }) => slot), [0, 1, 2, 3]);
  for (const headers of [[], [["x", "1"]], [["y", "ab"], ["x", "12"]]] as [string, string][][]) {
    const alone = answersOf(HEADER.index(MATCHES), headers);
    same(answersOf(joined, headers), alone.map((answers) => [...answers, ...answers]));
  }
});

Deno.test("a part that forgets what its answers meant shows in the generation of the whole", () => {
  let generation = 1;
  const part = HEADER.index(MATCHES);
  Object.defineProperty(part, "generation", { get: () => generation });
  const joined = joinIndexes([HEADER.index(MATCHES), part]);
  const before = joined.generation;
  generation++;
  equal(joined.generation, before + 1);
});
