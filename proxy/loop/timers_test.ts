import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { Timer, Timers } from "./timers.ts";

const NOTHING = { abort() {} };

function rethrow(error: unknown): void {
  throw error;
}

/** A clock that knows when it was asked to wake. */
function clock() {
  const io = {
    nowMs: 0,
    wakeAtMs: Infinity,
    wakeBy(atMs: number) {
      io.wakeAtMs = Math.min(io.wakeAtMs, atMs);
    },
  };
  return io;
}

Deno.test("timers: ring in order of time, each once, whatever is stopped and started meanwhile", () => {
  const action = fc.record({
    timer: fc.nat(9),
    kind: fc.constantFrom("start", "start", "stop", "pass"),
    ms: fc.nat(50),
  });
  fc.assert(fc.property(fc.array(action, { maxLength: 100 }), (actions) => {
    const io = clock();
    const timers = new Timers(io, rethrow);
    const due = new Map<number, number>();
    const list = Array.from({ length: 10 }, (_, i) =>
      new Timer(() => {
        const atMs = due.get(i) ?? NaN;
        equal(atMs <= io.nowMs, true);
        for (const other of due.values()) equal(other >= atMs, true);
        due.delete(i);
      }, NOTHING));
    for (const { timer, kind, ms } of actions) {
      if (kind === "start") {
        timers.start(list[timer], ms);
        due.set(timer, io.nowMs + ms);
      } else if (kind === "stop") {
        timers.stop(list[timer]);
        due.delete(timer);
      } else {
        io.nowMs += ms;
        timers.ring();
        for (const atMs of due.values()) equal(atMs > io.nowMs, true);
      }
      equal(timers.count, due.size);
      for (const [i, { isRunning }] of list.entries()) equal(isRunning, due.has(i));
    }
  }));
});

Deno.test("timers: wake the loop for the next one, also after one has rung", () => {
  const io = clock();
  const timers = new Timers(io, rethrow);
  const rung: string[] = [];
  const late = new Timer(() => rung.push("late"), NOTHING);
  const soon = new Timer(() => rung.push("soon"), NOTHING);
  timers.start(late, 30);
  timers.start(soon, 10);
  equal(io.wakeAtMs, 10);
  io.nowMs = 10;
  io.wakeAtMs = Infinity;
  timers.ring();
  equal(io.wakeAtMs, 30);
  io.nowMs = 30;
  timers.ring();
  deepEqual(rung, ["soon", "late"]);
});

Deno.test("timers: one that starts itself again waits for the next call", () => {
  const io = clock();
  const timers = new Timers(io, rethrow);
  let rings = 0;
  const timer = new Timer(() => {
    rings++;
    timers.start(timer, 0);
  }, NOTHING);
  timers.start(timer, 0);
  timers.ring();
  equal(rings, 1);
  timers.ring();
  equal(rings, 2);
});

Deno.test("timers: a defect in one costs what it keeps the time of, and no other", () => {
  const io = clock();
  const said: string[] = [];
  const timers = new Timers(io, (error, victim) => {
    said.push(String(error));
    victim.abort();
  });
  const bad = new Timer(() => {
    throw new Error("defect");
  }, { abort: () => said.push("aborted") });
  const good = new Timer(() => said.push("good"), NOTHING);
  timers.start(bad, 0);
  timers.start(good, 0);
  timers.ring();
  deepEqual(said, ["Error: defect", "aborted", "good"]);
  equal(timers.count, 0);
});
