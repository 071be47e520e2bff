/** What sidecars that capture tell of a client, and of the hops that a request has behind it. */
import { deepEqual, equal, match } from "node:assert/strict";
import type { End } from "../simulation/scenario.ts";
import { CaptureScenario } from "./capture_scenario.ts";

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
    endpoints: [{ addresses: ["10.0.0.1"] }],
  },
].map((document) => JSON.stringify(document)).join("\n---\n");

const SERVICE = "10.96.0.1:80";
const POD = "10.0.0.1:8080";
const APPLICATION = "127.0.0.1:8080";
const OUTSIDE = "192.0.2.1:80";

class Forwarding extends CaptureScenario {
  readonly #ends = new Map<string, End[]>();

  constructor() {
    super(MANIFESTS);
    for (const place of [POD, APPLICATION, OUTSIDE]) this.#ends.set(place, this.serve(place));
  }

  /** The lines that `place` gets of what proxies tell, where a client sends these; the status that it gets, where none comes. */
  tell(client: End, place: string, lines: readonly string[]): string | readonly string[] {
    const text = () => this.#ends.get(place)?.map((end) => end.text).join("") ?? "";
    const before = text().length;
    this.pass(1);
    const host = place === OUTSIDE ? "outside.test" : "a";
    client.send(["GET / HTTP/1.1", `host: ${host}`, ...lines, "", ""].join("\r\n"));
    this.pass(50);
    const told = text().slice(before);
    if (told === "") return client.text.slice(9, 12);
    return told.split("\r\n").filter((line) => /^x-/i.test(line));
  }
}

Deno.test("capture: the client's sidecar adds no name, the other one names the client, once", () => {
  const it = new Forwarding();
  const proto = "x-forwarded-proto: http";
  deepEqual(it.tell(it.outbound(SERVICE), POD, []), [proto]);
  deepEqual(it.tell(it.outbound(OUTSIDE), OUTSIDE, []), [proto]);
  const said = "x-forwarded-for: 198.51.100.1";
  const passed = [proto, said, "x-weft-hops: 4"].toSorted();
  const told = it.tell(it.outbound(SERVICE), POD, ["X-Forwarded-For: 198.51.100.1"]);
  deepEqual([...told].toSorted(), passed);
  const client = it.inbound(POD);
  isNamed(it.tell(client, APPLICATION, [proto]), "");
  isNamed(it.tell(client, APPLICATION, [said]), "198.51.100.1, ");
});

/** The client is named once, by its address, behind what was said `before`. */
function isNamed(told: string | readonly string[], before: string): void {
  const names = [...told].filter((line) => line.startsWith("x-forwarded-for: "));
  equal(names.length, 1);
  equal(names[0].slice(17, 17 + before.length), before);
  match(names[0].slice(17 + before.length), /^[0-9a-f.:]+$/);
}

Deno.test("a proxy that clients send to names them", () => {
  const it = new Forwarding();
  isNamed(it.tell(it.plain(), POD, []), "");
  isNamed(it.tell(it.plain(), POD, ["X-Forwarded-For: ::1"]), "::1, ");
});

/** How often an application is reached that sends on what it gets; `ways` are gone by in turn, the last leads to it. */
function reached(it: Forwarding, ways: readonly (() => [client: End, place: string])[]): number {
  let lines: readonly string[] = [];
  for (let visits = 0;; visits++) {
    for (const way of ways) {
      const told = it.tell(...way(), lines);
      if (typeof told === "string") {
        equal(told, "508");
        return visits;
      }
      lines = told;
    }
  }
}

Deno.test("capture: a circle ends at the tenth hop, by one sidecar a hop or by two", () => {
  const it = new Forwarding();
  const out = (): [End, string] => [it.outbound(SERVICE), POD];
  const outside = (): [End, string] => [it.outbound(OUTSIDE), OUTSIDE];
  const inward = (): [End, string] => [it.inbound(POD), APPLICATION];
  const plain = (): [End, string] => [it.plain(), POD];
  for (const ways of [[out, inward], [out], [outside], [inward], [plain], [plain, inward]]) {
    equal(reached(it, ways), 9);
  }
  // Two hops a round.
  equal(reached(it, [out, inward, outside]), 4);
});
