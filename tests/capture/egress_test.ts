/** What leaves the mesh where egress is off: what an Egress allows the caller, by host, by server name, by address, and nothing else. */
import { deepEqual, equal } from "node:assert/strict";
import { clientHello } from "../support/client_hello.ts";
import { CaptureScenario } from "./capture_scenario.ts";

const OUTSIDE = "192.0.2.7";

const GROUP = {
  apiVersion: "specs.smi-spec.io/v1alpha4",
  kind: "HTTPRouteGroup",
  metadata: { name: "routes", namespace: "default" },
  spec: { matches: [{ name: "m", methods: ["GET"], pathRegex: "/public" }] },
};

function egress(
  spec: Readonly<Record<string, unknown>>,
  { apiVersion = "weft.dev/v1alpha1", account = "curl" } = {},
): object {
  return {
    apiVersion,
    kind: "Egress",
    metadata: { name: "e", namespace: "default" },
    spec: { sources: [{ kind: "ServiceAccount", name: account, namespace: "default" }], ...spec },
  };
}

function textOf(...objects: readonly object[]): string {
  return objects.map((each) => JSON.stringify(each)).join("\n---\n");
}

/** A pod of account `curl` in a mesh without egress. */
function scenarioOf(...objects: readonly object[]): CaptureScenario {
  const scenario = new CaptureScenario(textOf(...objects), {
    meshEgress: false,
    identity: "default/curl",
  });
  for (const port of [80, 443, 5432, 8080]) {
    scenario.serve(`${OUTSIDE}:${port}`, `outside:${port}`);
  }
  return scenario;
}

/** What comes of bytes that are no request: they arrive, or the connection is closed. */
function sendRaw(scenario: CaptureScenario, place: string, bytes: string | Uint8Array): string {
  const ends = scenario.listenAt(place);
  const client = scenario.outbound(place);
  scenario.pass(1);
  client.send(bytes);
  scenario.pass(2_000);
  return (ends[0]?.text ?? "") === "" ? "refused" : "arrived";
}

const HTTP = { hosts: ["api.example", "*.example.org"], ports: [{ number: 80, protocol: "http" }] };
const HTTPS = { hosts: ["api.example"], ports: [{ number: 443, protocol: "https" }] };
const TCP = { ipAddresses: ["192.0.2.0/24"], ports: [{ number: 5432, protocol: "tcp" }] };
const REFUSED = "403 egress-off";

for (const group of ["weft.dev", "policy.flomesh.io", "policy.openservicemesh.io"]) {
  Deno.test(`egress: an Egress of ${group} allows HTTP by the host`, () => {
    const scenario = scenarioOf(egress(HTTP, { apiVersion: `${group}/v1alpha1` }));
    const get = (host: string, port = 80) => scenario.get(`${OUTSIDE}:${port}`, host);
    for (const host of ["api.example", "API.example.", "api.example:80", "a.b.example.org"]) {
      equal(get(host), "outside:80", host);
    }
    for (const host of ["other.example", "api.example.evil", "example.org", OUTSIDE]) {
      equal(get(host), REFUSED, host);
    }
    equal(get("api.example", 8080), REFUSED);
    equal(sendRaw(scenario, `${OUTSIDE}:80`, clientHello("api.example")), "refused");
    equal(sendRaw(scenario, `${OUTSIDE}:80`, "\x00\x01\x02"), "refused");
  });
}

Deno.test("egress: each request of a kept connection is judged for itself", () => {
  const scenario = scenarioOf(egress(HTTP));
  const client = scenario.outbound(`${OUTSIDE}:80`);
  deepEqual(
    ["api.example", "other.example", "api.example"].map((host) => scenario.ask(client, host)),
    ["outside:80", REFUSED, "outside:80"],
  );
});

Deno.test("egress: TLS is allowed by the server name that its client gives", () => {
  const scenario = scenarioOf(egress(HTTPS));
  const place = `${OUTSIDE}:443`;
  equal(sendRaw(scenario, place, clientHello("api.example")), "arrived");
  equal(sendRaw(scenario, place, clientHello("other.example")), "refused");
  equal(sendRaw(scenario, place, "\x00\x01\x02"), "refused");
  equal(scenario.get(place, "api.example"), REFUSED);
});

Deno.test("egress: TCP is allowed by the address alone, whatever is spoken", () => {
  const scenario = scenarioOf(egress(TCP));
  equal(sendRaw(scenario, `${OUTSIDE}:5432`, "\x00\x01\x02"), "arrived");
  equal(sendRaw(scenario, `${OUTSIDE}:5432`, clientHello("any.example")), "arrived");
  scenario.serve(`${OUTSIDE}:5432`, "outside:5432");
  equal(scenario.get(`${OUTSIDE}:5432`, "any.example"), "outside:5432");
  equal(sendRaw(scenario, "198.51.100.1:5432", "\x00\x01\x02"), "refused");
});

Deno.test("egress: hosts and addresses have to hold together", () => {
  const scenario = scenarioOf(egress({ ...HTTP, ipAddresses: ["192.0.2.7/32"] }));
  scenario.serve("192.0.2.8:80");
  equal(scenario.get(`${OUTSIDE}:80`, "api.example"), "outside:80");
  equal(scenario.get("192.0.2.8:80", "api.example"), REFUSED);
});

Deno.test("egress: a route group narrows what may be asked, and dot segments are no way past it", () => {
  const matches = [{ kind: "HTTPRouteGroup", name: "routes" }];
  const scenario = scenarioOf(GROUP, egress({ ...HTTP, matches }));
  const client = scenario.outbound(`${OUTSIDE}:80`);
  scenario.pass(1);
  const statuses = ["GET /public/a", "GET /private", "POST /public/a", "GET /public/../x"]
    .map((line) => {
      const before = client.text.length;
      client.send(`${line} HTTP/1.1\r\nHost: api.example\r\nContent-Length: 0\r\n\r\n`);
      scenario.pass(50);
      return client.text.slice(before + 9, before + 12);
    });
  deepEqual(statuses, ["200", "403", "403", "400"]);
});

Deno.test("egress: it is the caller's account that counts", () => {
  const scenario = scenarioOf(egress(HTTP, { account: "other" }));
  equal(scenario.get(`${OUTSIDE}:80`, "api.example"), REFUSED);
});

Deno.test("egress: an Egress acts, and ends, at once; with egress on nothing is refused", () => {
  const scenario = scenarioOf();
  const get = () => scenario.get(`${OUTSIDE}:80`, "api.example");
  equal(get(), REFUSED);
  scenario.apply(textOf(egress(HTTP)), false);
  equal(get(), "outside:80");
  scenario.apply(textOf(), false);
  equal(get(), REFUSED);
  scenario.apply(textOf(), true);
  equal(get(), "outside:80");
});

Deno.test("egress: a proxy that is told to pass nothing on passes on what an Egress allows", () => {
  const scenario = new CaptureScenario(textOf(egress(HTTP)), {
    egress: false,
    identity: "default/curl",
  });
  scenario.serve(`${OUTSIDE}:80`, "outside:80");
  equal(scenario.get(`${OUTSIDE}:80`, "api.example"), "outside:80");
  equal(scenario.get(`${OUTSIDE}:80`, "other.example"), REFUSED);
});

Deno.test("egress: a client that thinks long before its first request is waited for", () => {
  const scenario = scenarioOf(egress(HTTP));
  const client = scenario.outbound(`${OUTSIDE}:80`);
  scenario.pass(5_000);
  equal(scenario.ask(client, "api.example"), "outside:80");
});

Deno.test("egress: a forward proxy looks up what may be called, and no other name", () => {
  const scenario = scenarioOf(egress(HTTP), egressOfTunnels());
  const plain = scenario.plain();
  scenario.pass(1);
  plain.send("GET http://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n");
  scenario.pass(20);
  equal(/x-weft-reason: (\S+)/.exec(plain.text)?.[1], "host-unknown");
  deepEqual(scenario.names, []);
  plain.send("GET http://api.example/ HTTP/1.1\r\nHost: api.example\r\n\r\n");
  scenario.pass(20);
  deepEqual(scenario.names, ["api.example"]);
  scenario.engine.resolved("api.example", [OUTSIDE]);
  scenario.pass(50);
  equal(plain.text.endsWith("outside:80"), true);
  const tunnel = scenario.plain();
  scenario.pass(1);
  tunnel.send("CONNECT secure.example:443 HTTP/1.1\r\nHost: secure.example:443\r\n\r\n");
  scenario.pass(20);
  scenario.engine.resolved("secure.example", [OUTSIDE]);
  scenario.pass(50);
  equal(tunnel.text.startsWith("HTTP/1.1 200"), true);
});

function egressOfTunnels(): object {
  const other = egress({
    hosts: ["secure.example"],
    ports: [{ number: 443, protocol: "https" }],
  });
  return { ...other, metadata: { name: "tunnels", namespace: "default" } };
}
