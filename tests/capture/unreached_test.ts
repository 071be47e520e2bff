/** Captured connections whose application is gone: what the sidecar beside it says, and what the caller's makes of that. */
import { deepEqual, equal } from "node:assert/strict";
import { unreachedMark } from "../../proxy/route/unreached.ts";
import { End } from "../simulation/scenario.ts";
import { CaptureScenario } from "./capture_scenario.ts";

const SERVICE = "10.96.0.1:80";
const PODS = ["10.0.0.1:8080", "10.0.0.2:8080"];
const OUTSIDE = "192.0.2.1:80";

const MANIFESTS = [
  {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "a", namespace: "default" },
    spec: { clusterIP: "10.96.0.1", ports: [{ name: "http", port: 80, targetPort: 8080 }] },
  },
  {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    addressType: "IPv4",
    metadata: { name: "a", namespace: "default", labels: { "kubernetes.io/service-name": "a" } },
    ports: [{ name: "http", port: 8080 }],
    endpoints: [{ addresses: ["10.0.0.1"] }, { addresses: ["10.0.0.2"] }],
  },
].map((document) => JSON.stringify(document)).join("\n---\n");

/** Answers at `place` as the sidecar of an application that is gone, which calls the place `named`; counts requests. */
function refuseAt(it: CaptureScenario, place: string, named = place): () => number {
  let requests = 0;
  it.network.listen(place, (side) => {
    const end = new End(side);
    end.onText = () => {
      const seen = end.text.split("\r\n\r\n").length - 1;
      if (seen === 0) return;
      end.text = "";
      requests += seen;
      end.send(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nx-weft-reason: upstream-refused\r\n" +
          `x-weft-unreached: ${unreachedMark(named)}\r\n\r\n`,
      );
    };
  });
  return () => requests;
}

function markIn({ text }: End): string | undefined {
  return /^x-weft-unreached: (.*)\r$/m.exec(text)?.[1];
}

Deno.test("capture: where an application is gone its sidecar names the place that was called", () => {
  const it = new CaptureScenario(MANIFESTS);
  const client = it.inbound(PODS[0]);
  equal(it.ask(client, "a"), "503 upstream-refused");
  equal(markIn(client), unreachedMark(PODS[0]));
  // Beside the caller there is nothing to say.
  const caller = it.outbound(SERVICE);
  equal(it.ask(caller, "a"), "503 upstream-refused");
  equal(markIn(caller), undefined);
});

Deno.test("capture: an endpoint whose application is gone is passed over for a second, though it takes connections", () => {
  const it = new CaptureScenario(MANIFESTS);
  const asked = refuseAt(it, PODS[0]);
  it.serve(PODS[1]);
  const ask = (times: number) =>
    Array.from({ length: times }, () => it.get(SERVICE, "a"))
      .forEach((answer) => equal(answer, PODS[1]));
  ask(4);
  equal(asked(), 1);
  it.pass(1_500);
  ask(4);
  equal(asked(), 2);
});

Deno.test("capture: what another place has said is passed on, without its mark", () => {
  const it = new CaptureScenario(MANIFESTS);
  const asked = PODS.map((place) => refuseAt(it, place, OUTSIDE));
  const client = it.outbound(SERVICE);
  equal(it.ask(client, "a"), "503 upstream-refused");
  equal(markIn(client), undefined);
  deepEqual(asked.map((count) => count()).toSorted(), [0, 1]);
});

Deno.test("capture: of what lies outside the mesh nothing is believed", () => {
  const it = new CaptureScenario(MANIFESTS);
  const asked = refuseAt(it, OUTSIDE);
  const client = it.outbound(OUTSIDE);
  equal(it.ask(client, "outside.test"), "503 upstream-refused");
  equal(markIn(client), undefined);
  equal(asked(), 1);
});
