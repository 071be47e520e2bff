// Tests of counts and quantiles.
import { deepEqual, equal } from "node:assert/strict";
import { TrafficCounts } from "./traffic.ts";

function trafficOf(success: number, failure: number, buckets: Readonly<Record<string, number>>) {
  const traffic = new TrafficCounts();
  traffic.success = success;
  traffic.failure = failure;
  for (const [bound, count] of Object.entries(buckets)) traffic.buckets.set(Number(bound), count);
  return traffic;
}

Deno.test("traffic: a quantile lies within its bucket in proportion, and in the last one at its beginning", () => {
  const traffic = trafficOf(100, 0, { 1: 50, 10: 90, 100: 90, Infinity: 100 });
  deepEqual([0.25, 0.5, 0.7, 0.9, 0.99].map((share) => traffic.quantile(share)), [
    ...[0.5, 1, 5.5, 10],
    100,
  ]);
  equal(trafficOf(0, 0, { 1: 0, Infinity: 0 }).quantile(0.5), null);
  equal(new TrafficCounts().quantile(0.5), null);
});

Deno.test("traffic: what a sidecar has counted since, also where it has begun anew", () => {
  const before = trafficOf(8, 2, { 1: 10, Infinity: 10 });
  const since = trafficOf(10, 3, { 1: 12, Infinity: 13 }).since(before);
  deepEqual([since.success, since.failure, since.buckets.get(1)], [2, 1, 2]);
  equal(trafficOf(3, 0, { 1: 3, Infinity: 3 }).since(before).count, 3);
  equal(since.successRate, 2 / 3);
  equal(new TrafficCounts().successRate, null);
});
