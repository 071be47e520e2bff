// Tests of the memory that is given back after the start.
import { deepStrictEqual as same } from "node:assert/strict";
import { collectStartGarbage } from "./start_garbage.ts";

const HEAP_BYTES_MAX = 1_000;

function collections(heapBytes: number): unknown[] {
  const calls: unknown[] = [];
  collectStartGarbage(HEAP_BYTES_MAX, (options) => calls.push(options), heapBytes);
  return calls;
}

Deno.test("memory of the start: all of it is collected once, unless that would hold up requests", () => {
  same(collections(HEAP_BYTES_MAX), [
    { type: "major", execution: "sync", flavor: "last-resort" },
  ]);
  same(collections(HEAP_BYTES_MAX + 1), []);
});
