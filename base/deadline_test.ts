import assert from "node:assert/strict";
import { withDeadline } from "./deadline.ts";

const never = new Promise<string>(() => {});
const broken = () => Promise.reject(new Error("broken"));

Deno.test("deadline: what comes in time counts, also where it is a failure", async () => {
  assert.equal(await withDeadline(Promise.resolve("in time"), 60_000, () => "late"), "in time");
  await assert.rejects(withDeadline(broken(), 60_000, () => ""), /broken/);
  // A timer that is set for longer than it can wait would ring at once.
  const later = new Promise<string>((resolve) => setTimeout(() => resolve("in time"), 20));
  assert.equal(await withDeadline(later, Infinity, () => "late"), "in time");
});

Deno.test("deadline: what does not come in time is what the caller says", async () => {
  assert.equal(await withDeadline(never, 1, () => "late"), "late");
  const fail = () => {
    throw new Error("too late");
  };
  await assert.rejects(withDeadline(never, 1, fail), /too late/);
});
