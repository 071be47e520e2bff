/** ExternalName Services: an alias is routed as its target where the mesh knows it, else goes where it was going. */
import { deepEqual, equal, match } from "node:assert/strict";
import { compile } from "../../routing/compile/compile.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import { CaptureScenario } from "./capture_scenario.ts";

function service(name: string, clusterIp: string, pod: string, namespace = "default"): object[] {
  const metadata = { name, namespace };
  return [{
    apiVersion: "v1",
    kind: "Service",
    metadata,
    spec: { clusterIP: clusterIp, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
  }, {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    addressType: "IPv4",
    metadata: { ...metadata, labels: { "kubernetes.io/service-name": name } },
    ports: [{ name: "http", port: 8080 }],
    endpoints: [{ addresses: [pod], hostname: `${name}-0` }],
  }];
}

function alias(name: string, externalName: string, ports: readonly number[] = []): object {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "default" },
    spec: {
      type: "ExternalName",
      externalName,
      ...(ports.length === 0 ? {} : { ports: ports.map((port) => ({ name: "http", port })) }),
    },
  };
}

const SPLIT = {
  apiVersion: "split.smi-spec.io/v1alpha4",
  kind: "TrafficSplit",
  metadata: { name: "web", namespace: "default" },
  spec: { service: "web", backends: [{ service: "v1", weight: 1 }, { service: "v2", weight: 1 }] },
};
const MESH = [
  ...service("web", "10.96.0.1", "10.0.0.9"),
  ...service("v1", "10.96.0.2", "10.0.0.1"),
  ...service("v2", "10.96.0.3", "10.0.0.2"),
  ...service("echo", "10.96.0.4", "10.0.0.4", "other"),
  SPLIT,
];

function textOf(documents: readonly object[]): string {
  return documents.map((each) => JSON.stringify(each)).join("\n---\n");
}

function mesh(documents: readonly object[], egress = true): CaptureScenario {
  const scenario = new CaptureScenario(textOf([...MESH, ...documents]), { egress });
  for (const last of [1, 2, 4, 9]) scenario.serve(`10.0.0.${last}:8080`, `pod ${last}`);
  return scenario;
}

function findingsOf(documents: readonly object[]): string[] {
  const text = textOf([...MESH, ...documents]);
  const { snapshot } = parseManifests([{ name: "mesh.yaml", text }]);
  return compile(snapshot).findings.filter(({ severity }) => severity === "error")
    .map(({ code }) => code);
}

const CHAIN = [
  alias("first", "second.default.svc.cluster.local"),
  alias("second", "THIRD.default.svc.cluster.local."),
  alias("third", "web.default.svc.cluster.local", [80]),
];

Deno.test("an ExternalName Service is routed as the Service that it names, with its splits", () => {
  for (const ports of [[], [80], [8443]]) {
    const scenario = mesh([alias("shop", "web.default.svc.cluster.local", ports)]);
    const outcomes = ["shop", "shop.default", "shop.default.svc.cluster.local", "SHOP:80"]
      .map((host) => scenario.ask(scenario.plain(), host));
    deepEqual(outcomes.toSorted(), ["pod 1", "pod 1", "pod 2", "pod 2"]);
    equal(scenario.ask(scenario.plain(), "shop:81"), "404 port-unknown");
    // Its DNS name leads to the Service's address; an unknown address says as little.
    match(scenario.get("10.96.0.1:80", "shop"), /^pod [12]$/);
    match(scenario.get("192.0.2.1:80", "shop"), /^pod [12]$/);
    deepEqual(scenario.messages, []);
  }
});

Deno.test("an ExternalName Service may name another one, a Service elsewhere, or one pod", () => {
  const scenario = mesh([
    ...CHAIN,
    alias("echo", "echo.other.svc.cluster.local"),
    alias("short", "echo.other.svc"),
  ]);
  match(scenario.ask(scenario.plain(), "first"), /^pod [12]$/);
  match(scenario.ask(scenario.plain(), "second.default"), /^pod [12]$/);
  equal(scenario.ask(scenario.plain(), "echo"), "pod 4");
  equal(scenario.ask(scenario.plain(), "short"), "pod 4");
  deepEqual(findingsOf(CHAIN), []);
});

Deno.test("an ExternalName Service of one outside goes by that name, or where it was going", () => {
  const scenario = mesh([alias("api", "API.example.test.", [443]), alias("app", "app.default")]);
  scenario.serve("192.0.2.7:8443", "outside");
  scenario.serve("192.0.2.8:80", "where it was going");
  const client = scenario.plain();
  scenario.pass(1);
  client.send("GET / HTTP/1.1\r\nHost: api:8443\r\n\r\n");
  scenario.pass(5);
  deepEqual(scenario.names, ["api.example.test"]);
  scenario.engine.resolved("api.example.test", ["192.0.2.7"]);
  scenario.pass(5);
  match(client.text, /outside$/);
  for (const host of ["api", "api.default:80", "api:1234"]) {
    equal(scenario.get("192.0.2.8:80", host), "where it was going");
  }
  // A name without `.svc` is a whole name, and not that of a Service.
  equal(scenario.get("192.0.2.8:80", "app"), "where it was going");
});

Deno.test("an ExternalName Service of one outside is refused for what it is where egress is off", () => {
  const scenario = mesh([alias("api", "api.example.test", [80])], false);
  scenario.serve("192.0.2.8:80", "where it was going");
  equal(scenario.ask(scenario.plain(), "api"), "403 alias-outside");
  equal(scenario.get("192.0.2.8:80", "api"), "403 egress-off");
  equal(scenario.ask(scenario.plain(), "elsewhere.test"), "404 host-unknown");
});

Deno.test("an ExternalName Service of one outside whose name has no address says so", () => {
  const scenario = mesh([alias("api", "api.example.test")]);
  const client = scenario.plain();
  scenario.pass(1);
  client.send("GET / HTTP/1.1\r\nHost: api\r\n\r\n");
  scenario.pass(5);
  scenario.engine.resolved("api.example.test", []);
  scenario.pass(5);
  match(client.text, /^HTTP\/1\.1 403 [^]*x-weft-reason: alias-outside/);
});

Deno.test("ExternalName Services without end are a Finding, and stand for nothing", () => {
  const circle = [
    alias("a", "b.default.svc.cluster.local", [80]),
    alias("b", "a.default.svc.cluster.local", [80]),
  ];
  const itself = alias("c", "c.default.svc.cluster.local", [80]);
  deepEqual(findingsOf([...circle, itself]), ["alias-endless", "alias-endless", "alias-endless"]);
  const long = Array.from(
    { length: 10 },
    (_, i) =>
      alias(
        `n${i}`,
        i === 9 ? "web.default.svc.cluster.local" : `n${i + 1}.default.svc.cluster.local`,
      ),
  );
  deepEqual(findingsOf(long), ["alias-endless", "alias-endless"]);
  const scenario = mesh([...circle, itself, ...long]);
  for (const host of ["a", "c", "n0"]) match(scenario.ask(scenario.plain(), host), /^(404|503) /);
  match(scenario.ask(scenario.plain(), "n2"), /^pod [12]$/);
});

Deno.test("an ExternalName Service may be a backend of a split", () => {
  const root = { ...SPLIT, metadata: { name: "v1", namespace: "default" } };
  const backends = [{ service: "shop", weight: 1 }, { service: "v2", weight: 1 }];
  const scenario = mesh([
    alias("shop", "echo.other.svc.cluster.local"),
    { ...root, spec: { service: "v1", backends } },
  ]);
  const outcomes = [1, 2, 3, 4].map(() => scenario.ask(scenario.plain(), "v1"));
  deepEqual(outcomes.toSorted(), ["pod 2", "pod 2", "pod 4", "pod 4"]);
});

Deno.test("a split whose root is an ExternalName Service counts, and leaves the rest to its target", () => {
  const group = {
    apiVersion: "specs.smi-spec.io/v1alpha4",
    kind: "HTTPRouteGroup",
    metadata: { name: "posts", namespace: "default" },
    spec: { matches: [{ name: "posts", methods: ["POST"] }] },
  };
  const matches = [{ kind: "HTTPRouteGroup", name: "posts" }];
  const split = {
    ...SPLIT,
    metadata: { name: "split-shop", namespace: "default" },
    spec: { ...SPLIT.spec, service: "shop", matches },
  };
  const scenario = mesh([alias("shop", "echo.other.svc.cluster.local"), group, split]);
  equal(scenario.ask(scenario.plain(), "shop"), "pod 4");
});

Deno.test("a split whose root is an ExternalName Service counts for those that name it", () => {
  const root = { ...SPLIT, metadata: { name: "split-shop", namespace: "default" } };
  const split = { ...root, spec: { ...SPLIT.spec, service: "shop" } };
  const scenario = mesh([
    alias("shop", "echo.other.svc.cluster.local", [80]),
    alias("front", "shop.default.svc.cluster.local"),
    split,
  ]);
  for (const host of ["shop", "front"]) {
    const outcomes = [1, 2].map(() => scenario.ask(scenario.plain(), host));
    deepEqual(outcomes.toSorted(), ["pod 1", "pod 2"], host);
  }
});
