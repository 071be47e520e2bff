// Tests of what gives memory back to the system.
import { strictEqual as equal } from "node:assert/strict";
import { openMemoryTrim } from "../proxy/io/libc.ts";
import { IDLE_HEAP_GROWTH_BYTES, IDLE_MEMORY_MS } from "./limits.ts";
import { IdleCollection } from "./idle_collection.ts";
import { giveBackMemory } from "./memory.ts";

Deno.test({
  name: "memory: no timer is left behind once it has ended",
  // A library stays open.
  sanitizeResources: false,
  fn() {
    for (const usesLibc of [false, Deno.build.os === "linux"]) giveBackMemory(usesLibc).end();
  },
});

Deno.test({
  name: "memory: the C library has what it takes, where it is glibc",
  ignore: Deno.build.os !== "linux",
  sanitizeResources: false,
  // What it gives back is given back on another thread.
  sanitizeOps: false,
  fn() {
    const trim = openMemoryTrim();
    const isGlibc = Deno.build.target.endsWith("-gnu");
    equal(trim !== null, isGlibc);
    trim?.();
  },
});

Deno.test("memory: while idle what has grown is collected, and not again soon", () => {
  let heapBytes = 0;
  let collections = 0;
  const idle = new IdleCollection(() => {
    heapBytes /= 2;
    collections++;
  }, () => heapBytes);
  const offer = (bytes: number, nowMs: number) => {
    heapBytes = bytes;
    idle.offer(nowMs);
    return collections;
  };
  equal(offer(100 * IDLE_HEAP_GROWTH_BYTES, 0), 0, "starting is not over");
  heapBytes = 2;
  idle.collect();
  equal(offer(IDLE_HEAP_GROWTH_BYTES, 1), 1, "it has grown too little");
  equal(offer(IDLE_HEAP_GROWTH_BYTES + 1, 2), 2);
  equal(offer(9 * IDLE_HEAP_GROWTH_BYTES, IDLE_MEMORY_MS), 2, "too soon");
  equal(offer(9 * IDLE_HEAP_GROWTH_BYTES, IDLE_MEMORY_MS + 2), 3);
});
