import { strictEqual as equal } from "node:assert/strict";
import type { PlanTarget } from "../plan.ts";
import { requestHeadOf } from "../request.ts";
import { DirectEndpoints } from "./direct_endpoints.ts";
import {
  endpointForTest,
  matchForTest,
  planForTest,
  routeForTest,
  serviceForTest,
  targetForTest,
} from "./plan_for_test.ts";
import { buildTable } from "./build.ts";

const CLIENT = { namespace: "app", identity: "app/client", seed: null };
const POD = endpointForTest(1, { identity: "app/server" });
const OTHER_POD = endpointForTest(2, { identity: "app/server" });
const HEAD = requestHeadOf({ method: "GET", url: "http://10.0.0.1:8080/api" });

/** A Service over v1 (one pod of account `app/server`) and v2, whose weight is zero. */
function direct(permissive: boolean, targets: readonly PlanTarget[] = []): DirectEndpoints {
  const split = routeForTest("split", { v1: 1, v2: 0 });
  const plan = planForTest([serviceForTest({ fallback: split })], {
    permissive,
    targets,
    groups: {
      "app/v1:80": [POD],
      "app/v2:80": [OTHER_POD],
    },
  });
  return new DirectEndpoints(buildTable(plan, CLIENT));
}

Deno.test("DirectEndpoints: in permissive mode every pod may be called", () => {
  equal(direct(true).decide(POD, HEAD).reason, null);
  equal(direct(true).decide(OTHER_POD, null).reason, null);
});

Deno.test("DirectEndpoints: a pod is the same endpoint every time", () => {
  const pods = direct(true);
  for (const pod of [POD, OTHER_POD]) {
    const { endpoint } = pods.decide(pod, HEAD);
    equal(pods.decide(pod, null).endpoint, endpoint);
    equal(endpoint.plan.pod, pod.pod);
  }
});

Deno.test("DirectEndpoints: without a target nothing may be called", () => {
  equal(direct(false).decide(POD, HEAD).reason, "access-denied");
  equal(direct(false).decide(OTHER_POD, HEAD).reason, "access-denied");
});

Deno.test("DirectEndpoints: a target's HTTP rules count for requests, its TCP rule for both", () => {
  const http = direct(false, [targetForTest({ http: [matchForTest({ path: "/api" })] })]);
  equal(http.decide(POD, HEAD).reason, null);
  equal(http.decide(POD, null).reason, "access-denied");
  const other = requestHeadOf({ method: "GET", url: "http://10.0.0.1:8080/other" });
  equal(http.decide(POD, other).reason, "access-denied");
  // A weight of zero keeps splits away from a pod, and nothing else.
  equal(http.decide(OTHER_POD, HEAD).reason, null);
  const tcp = direct(false, [targetForTest({ tcpPorts: [8080] })]);
  equal(tcp.decide(POD, null).reason, null);
  equal(tcp.decide(POD, other).reason, null);
});
