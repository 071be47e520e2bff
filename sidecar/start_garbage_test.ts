// Tests of the memory that is given back after the start.
import { deepStrictEqual as same } from "node:assert/strict";
import { START_HEAP_BYTES_MAX } from "./limits.ts";
import { collectStartGarbage } from "./start_garbage.ts";

function collections(heapBytes: number): unknown[] {
  const calls: unknown[] = [];
  collectStartGarbage((options) => calls.push(options), heapBytes);
  return calls;
}

Deno.test("memory of the start: all of it is collected once, unless that would hold up requests", () => {
  same(collections(START_HEAP_BYTES_MAX), [
    { type: "major", execution: "sync", flavor: "last-resort" },
  ]);
  same(collections(START_HEAP_BYTES_MAX + 1), []);
});
