/** Passive ejection: when, how long, how many at most. */
import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import type { OutlierDetection } from "../../base/policy.ts";
import { EndpointGroup } from "./endpoint_group.ts";
import { OutlierDetector } from "./outlier_detector.ts";

const POLICY: OutlierDetection = {
  consecutiveFailures: 3,
  ejectionTimeMs: 1_000,
  maxEjectedPercent: 50,
  panicThresholdPercent: 50,
};

function targets(count: number) {
  return Array.from({ length: count }, (_, i) => ({ key: `e${i}`, target: i }));
}

function detectorOf(count: number, policy: Partial<OutlierDetection> = {}) {
  const group = new EndpointGroup<number>();
  group.replace(targets(count), 0, 0);
  const detector = new OutlierDetector(group, { ...POLICY, ...policy });
  const fail = (place: number, times: number, nowMs: number) => {
    for (let i = 0; i < times; i++) detector.failed(group.all[place], nowMs);
  };
  return {
    group,
    detector,
    fail,
    left: () => group.available.map(({ key }) => key).toSorted().join(" "),
  };
}

Deno.test("ejection: after so many failures in a row, and no fewer", () => {
  const { group, detector, fail, left } = detectorOf(4);
  fail(1, 2, 0);
  detector.succeeded(group.all[1], 0);
  fail(1, 2, 0);
  equal(left(), "e0 e1 e2 e3");
  fail(1, 1, 0);
  equal(left(), "e0 e2 e3");
});

Deno.test("ejection: ends after its time, the next in a row lasts longer, and a good time makes up for it", () => {
  const { group, detector, fail } = detectorOf(4);
  const [endpoint] = group.all;
  const lengths: number[] = [];
  let nowMs = 0;
  const ejectOnce = () => {
    fail(0, 3, nowMs);
    ok(endpoint.isEjected);
    const startMs = nowMs;
    detector.restore(endpoint.ejectedUntilMs - 1);
    ok(endpoint.isEjected);
    nowMs = endpoint.ejectedUntilMs;
    detector.restore(nowMs);
    equal(endpoint.isEjected, false);
    lengths.push(nowMs - startMs);
  };
  for (let i = 0; i < 12; i++) ejectOnce();
  deepEqual(lengths.slice(0, 4), [1_000, 2_000, 3_000, 4_000]);
  equal(Math.max(...lengths), 10_000, "ten times the first at most");
  for (let i = 0; i < 20; i++) {
    nowMs += 10_000;
    detector.succeeded(endpoint, nowMs);
  }
  ejectOnce();
  equal(lengths.at(-1), 1_000);
});

Deno.test("ejection: never more than the bound, whatever happens", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("fail" as const), place: fc.nat(9) }),
    fc.record({ kind: fc.constant("succeed" as const), place: fc.nat(9) }),
    fc.record({ kind: fc.constant("wait" as const), place: fc.nat(3_000) }),
    fc.record({ kind: fc.constant("resize" as const), place: fc.nat(10) }),
    fc.record({ kind: fc.constant("percent" as const), place: fc.nat(100) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.nat(100), (steps, panic) => {
      const { group, detector } = detectorOf(10, {
        consecutiveFailures: 2,
        panicThresholdPercent: panic,
      });
      let policy = { ...POLICY, consecutiveFailures: 2, panicThresholdPercent: panic };
      let nowMs = 0;
      for (const { kind, place } of steps) {
        const endpoint = group.all[place];
        if (kind === "wait") nowMs += place;
        else if (kind === "resize") {
          group.replace(targets(place), nowMs, 0);
          detector.rebind(policy, nowMs);
        } else if (kind === "percent") {
          policy = { ...policy, maxEjectedPercent: place };
          detector.rebind(policy, nowMs);
        } else if (endpoint !== undefined) {
          if (kind === "fail") detector.failed(endpoint, nowMs);
          else detector.succeeded(endpoint, nowMs);
        }
        detector.restore(nowMs);
        const ejected = group.all.filter(({ isEjected }) => isEjected).length;
        const total = group.all.length;
        equal(ejected, detector.ejectedCount);
        ok(ejected <= total * policy.maxEjectedPercent / 100);
        const isPanic = total - ejected < total * panic / 100;
        equal(group.available.length, isPanic ? total : total - ejected);
      }
    }),
  );
});

Deno.test("panic: with too few endpoints left all are used, until enough are back", () => {
  const { group, detector, fail, left } = detectorOf(4, { maxEjectedPercent: 100 });
  fail(0, 3, 0);
  fail(1, 3, 500);
  equal(left(), "e2 e3");
  fail(2, 3, 600);
  equal(left(), "e0 e1 e2 e3");
  ok(detector.isPanic);
  detector.restore(1_000);
  equal(left(), "e0 e3");
  equal(group.all.filter(({ isEjected }) => isEjected).length, 2);
});

Deno.test("ejection: an endpoint that has left the plan is passed over", () => {
  const { group, detector } = detectorOf(4);
  const gone = group.all[3];
  group.replace(targets(3), 0, 0);
  detector.rebind(POLICY, 0);
  for (let i = 0; i < 5; i++) detector.failed(gone, 0);
  equal(detector.ejectedCount, 0);
});
