// Tests of what is counted of pods while plans come and go.
import { deepEqual, equal, ok } from "node:assert/strict";
import type { TableEndpoint } from "../../routing/table/endpoint_set.ts";
import { endpointForTest } from "../../routing/table/plan_for_test.ts";
import { COUNTED_PODS_MIN } from "../limits.ts";
import { EndpointCounts, workloadOf } from "./endpoint_counts.ts";

const SOURCE = workloadOf("app", "Deployment/client", "client-0");

function endpointOf(pod: number): TableEndpoint {
  return { plan: endpointForTest(pod), key: `10.0.0.${pod}:8080` };
}

function podsOf(counts: EndpointCounts): string[] {
  const labels = Array.from(counts.samples(), ([, labels]) => JSON.stringify(labels));
  return [1, 2, 3].map((pod) => `pod-${pod}`)
    .filter((pod) => labels.some((text) => text.includes(pod)));
}

Deno.test("endpoint counts: those of pods that no plan has go, the others are counted on", () => {
  const counts = new EndpointCounts();
  const [one, two, three] = [1, 2, 3].map(endpointOf);
  for (const endpoint of [one, two, three]) {
    counts.of(endpoint, SOURCE, "app/web").pod.answers.add(200);
  }
  const kept = counts.of(two, SOURCE, "app/web");
  // The same pod, as another object of a later plan.
  counts.retain([endpointOf(2), endpointOf(4)]);
  deepEqual(podsOf(counts), ["pod-2"]);
  equal(counts.of(endpointOf(2), SOURCE, "app/web"), kept);
  counts.of(one, SOURCE, "app/web");
  deepEqual(podsOf(counts), ["pod-1", "pod-2"], "it is counted anew where a plan has it again");
});

Deno.test("endpoint counts: they tell when so many are there that some may be of pods long gone", () => {
  const counts = new EndpointCounts();
  const count = (first: number, last: number) => {
    for (let pod = first; pod <= last; pod++) counts.of(endpointOf(pod), SOURCE, "app/web");
  };
  count(1, COUNTED_PODS_MIN);
  ok(!counts.isGrown);
  count(COUNTED_PODS_MIN + 1, COUNTED_PODS_MIN + 1);
  ok(counts.isGrown);
  counts.retain(Array.from({ length: COUNTED_PODS_MIN + 1 }, (_, i) => endpointOf(i + 1)));
  ok(!counts.isGrown, "all of them are of the plan");
  counts.retain([]);
  equal([...counts.samples()].length, 0);
});

Deno.test("endpoint counts: a workload has one histogram, however many its pods", () => {
  const counts = new EndpointCounts();
  const plan = { workload: "Deployment/web" };
  for (const pod of [1, 2, 3]) {
    const endpoint = endpointOf(pod);
    counts.of({ ...endpoint, plan: { ...endpoint.plan, ...plan } }, SOURCE, "app/web")
      .workload.durations.observe(pod);
  }
  deepEqual(Array.from(counts.samples(), ([name]) => name).toSorted(), [
    "osm_request_duration_ms",
    ...Array(3).fill("osm_request_total"),
  ]);
});
