import { strictEqual as equal } from "node:assert/strict";
import { roundToMatching } from "./dependent_rounding.ts";

function matrix(entries: readonly (readonly number[])[]) {
  return {
    rows: Int32Array.from(entries, ([row]) => row),
    columns: Int32Array.from(entries, ([, column]) => column),
    values: Int32Array.from(entries, ([, , value]) => value),
  };
}

Deno.test("a permutation stays as it is, and no coin is thrown", () => {
  const permutation = matrix([[0, 2, 3], [1, 0, 3], [2, 1, 3]]);
  const rows = roundToMatching(permutation, 3, () => {
    throw new Error("nothing is left to chance");
  });
  equal(rows.join(), "1,2,0");
});

Deno.test("the coin is thrown with the chances that keep each entry's expectation", () => {
  // Two rows share two columns, 3 to 1: the cycle can move by 1 one way and by 3 the other.
  const shared = matrix([
    [0, 0, 3],
    [0, 1, 1],
    [1, 0, 1],
    [1, 1, 3],
    [2, 2, 4],
    [3, 3, 4],
  ]);
  for (const side of [true, false]) {
    const throws: string[] = [];
    const rows = roundToMatching(shared, 4, (favourable, total) => {
      throws.push(`${favourable}/${total}`);
      return side;
    });
    equal(throws.join(), "3/4");
    equal(rows.join(), side ? "0,1,2,3" : "1,0,2,3");
  }
});
