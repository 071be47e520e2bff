// Tests of the gate between an event loop and the thread that takes its reports: what is let through, and when again.
import assert from "node:assert/strict";
import { REPORTS_WAITING_MAX } from "../limits.ts";
import { ReportGate } from "./worker_messages.ts";

Deno.test("report gate: closes when too many are on their way, and opens as they are taken", () => {
  const memory = ReportGate.allocate();
  const loop = new ReportGate(memory);
  const reader = new ReportGate(memory);
  assert.ok(loop.enter(REPORTS_WAITING_MAX - 1));
  // A batch is let through whole.
  assert.ok(loop.enter(500));
  assert.ok(!loop.enter(1));
  reader.leave(REPORTS_WAITING_MAX - 1);
  assert.ok(loop.enter(REPORTS_WAITING_MAX));
  assert.ok(!loop.enter(1));
  reader.leave(500);
  assert.ok(!loop.enter(1));
  reader.leave(1);
  assert.ok(loop.enter(1));
});
