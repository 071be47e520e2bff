import { strictEqual as equal } from "node:assert/strict";
import type { Plan } from "../plan.ts";
import { requestHeadOf } from "../request.ts";
import { decide, Decision } from "./decide.ts";
import { SplitState } from "./split.ts";
import { buildTable } from "./table.ts";

/** The guide's own plan: httpbin 75/25 on port 8080. */
function seedPlan(): Plan {
  const backend = (service: string, weight: number) => ({
    namespace: "httpbin",
    service,
    weight,
    state: "ready" as const,
    group: `httpbin/${service}:8080`,
  });
  const endpoint = (address: string) => ({
    address,
    port: 8080,
    pod: "",
    workload: "",
    hostname: "",
    identity: "",
  });
  return {
    version: 1,
    hash: "0".repeat(64),
    clusterDomain: "cluster.local",
    permissive: true,
    services: [{
      namespace: "httpbin",
      name: "httpbin",
      clusterIps: ["10.0.0.1", "fd00::1"],
      podHosts: [],
      position: null,
      ports: [{
        port: 8080,
        name: "pipy",
        protocol: "http",
        rules: [],
        fallback: {
          id: "httpbin/httpbin:8080",
          split: { kind: "TrafficSplit", namespace: "httpbin", name: "httpbin-split" },
          position: null,
          backends: [backend("httpbin-v1", 75), backend("httpbin-v2", 25)],
        },
      }],
    }],
    groups: {
      "httpbin/httpbin-v1:8080": [endpoint("10.1.0.1")],
      "httpbin/httpbin-v2:8080": [endpoint("10.1.0.2")],
    },
    targets: [],
  };
}

Deno.test("decide gives the guide's order for 75/25", () => {
  const table = buildTable(seedPlan(), { namespace: "curl", identity: "", seed: null });
  const state = new SplitState(table);
  const decision = new Decision();
  const head = requestHeadOf({ method: "GET", url: "http://httpbin.httpbin:8080/" });
  const names = Array.from({ length: 8 }, () => {
    decide(table, head, 80, state, decision);
    return decision.backend?.key.slice(-2);
  });
  equal(names.join(" "), "v1 v2 v1 v1 v1 v2 v1 v1");
});
