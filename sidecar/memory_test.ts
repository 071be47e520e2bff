// Tests of what gives memory back to the system.
import { strictEqual as equal } from "node:assert/strict";
import { openMemoryTrim } from "../proxy/io/libc.ts";
import { giveBackMemory } from "./memory.ts";

Deno.test({
  name: "memory: no timer is left behind once it has ended",
  // A library stays open.
  sanitizeResources: false,
  fn() {
    for (const usesLibc of [false, Deno.build.os === "linux"]) giveBackMemory(usesLibc)();
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
