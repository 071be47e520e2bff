// Tests of the memory that is given back after the start, and of heaps that grow.
import { deepStrictEqual as same } from "node:assert/strict";
import { collectStartGarbage, GrowthCollector } from "./start_garbage.ts";

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

Deno.test("a heap is collected where it has grown by so much since it was least, and is not too large", () => {
  let bytes = 0;
  let collected = 0;
  const collector = new GrowthCollector({ growth: 1.5, heapBytesMax: 1_000 }, () => {
    collected++;
    bytes = 400;
  }, () => bytes);
  const after = (now: number) => {
    bytes = now;
    collector.look();
    return collected;
  };
  same([500, 749, 750].map(after), [0, 0, 1]);
  same([599, 600].map(after), [1, 2]);
  // It has become smaller by itself.
  same([100, 149, 150].map(after), [2, 2, 3]);
  same([1_001, 1_000].map(after), [3, 4]);
});
