/** Which endpoints a Service has, case by case; what is routed to them is in tests/smi_port_cases_test.ts. */
import { deepEqual } from "node:assert/strict";
import { parseManifests } from "../../schemas/manifests.ts";
import { fileOf, type Manifest } from "../../tests/support/smi_fixtures.ts";
import { compile } from "./compile.ts";

const PORTS = [{ name: "http", port: 80, targetPort: 8080 }];

function service(spec: Manifest): Manifest {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", namespace: "app" },
    spec: { ports: PORTS, ...spec },
  };
}

function pod(name: string, ip: string | undefined, ready: boolean, spec: Manifest = {}): Manifest {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "app", labels: { app: "web" } },
    spec: { containers: [{ name: "main", image: "image" }], ...spec },
    status: {
      ...(ip !== undefined && { podIP: ip, podIPs: [{ ip }] }),
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
    },
  };
}

function slice(name: string, addressType: string, addresses: Record<string, string>): Manifest {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name, namespace: "app", labels: { "kubernetes.io/service-name": "web" } },
    addressType,
    ports: [{ name: "http", port: 8080 }],
    endpoints: Object.entries(addresses).map(([podName, address]) => ({
      addresses: [address],
      targetRef: { kind: "Pod", name: podName },
    })),
  };
}

function withConditions(manifest: Manifest, ...conditions: Manifest[]): Manifest {
  const endpoints = manifest["endpoints"] as Manifest[];
  return {
    ...manifest,
    endpoints: endpoints.map((endpoint, i) => ({ ...endpoint, conditions: conditions[i] })),
  };
}

function endpointsOf(...manifests: Manifest[]): string[] {
  const { snapshot } = parseManifests([fileOf(manifests)]);
  const { plan } = compile(snapshot);
  return plan.groups["app/web:80"].map(({ pod, address, port, hostname }) =>
    [pod, `${address}:${port}`, hostname].filter((part) => part !== "").join(" ")
  );
}

const SELECTING = { selector: { app: "web" } };

Deno.test("endpoints: ready pods only", () => {
  deepEqual(
    endpointsOf(
      service(SELECTING),
      pod("b", "10.0.0.2", true),
      pod("a", "10.0.0.1", true),
      pod("c", "10.0.0.3", false),
    ),
    ["a 10.0.0.1:8080", "b 10.0.0.2:8080"],
  );
});

Deno.test("endpoints: of a slice, those that are ending only where none is ready", () => {
  const READY = { ready: true, serving: true, terminating: false };
  const ENDING = { ready: false, serving: true, terminating: true };
  const ENDED = { ready: false, serving: false, terminating: true };
  const STARTING = { ready: false, serving: false, terminating: false };
  const both = (one: Manifest, other: Manifest) =>
    endpointsOf(
      service(SELECTING),
      withConditions(slice("s1", "IPv4", { a: "10.0.0.1" }), one),
      withConditions(slice("s2", "IPv4", { b: "10.0.0.2" }), other),
    );
  deepEqual(both(READY, ENDING), ["a 10.0.0.1:8080"]);
  deepEqual(both(ENDING, STARTING), ["a 10.0.0.1:8080"]);
  deepEqual(both(ENDING, ENDING), ["a 10.0.0.1:8080", "b 10.0.0.2:8080"]);
  deepEqual(both(ENDED, ENDING), ["b 10.0.0.2:8080"]);
});

Deno.test("endpoints: publishNotReadyAddresses takes the others too", () => {
  deepEqual(
    endpointsOf(
      service({ ...SELECTING, publishNotReadyAddresses: true }),
      pod("a", "10.0.0.1", false),
    ),
    ["a 10.0.0.1:8080"],
  );
});

Deno.test("endpoints: a pod of another namespace is not selected, nor one with some of the labels", () => {
  deepEqual(
    endpointsOf(
      service({ selector: { app: "web", version: "v1" } }),
      pod("a", "10.0.0.1", true),
    ),
    [],
  );
});

Deno.test("endpoints: a pod in slices of both families is one endpoint, in the Service's first", () => {
  const slices = [
    slice("web-4", "IPv4", { a: "10.0.0.1", b: "10.0.0.2" }),
    slice("web-6", "IPv6", { a: "fd00::1", c: "fd00::3" }),
  ];
  deepEqual(endpointsOf(service({ clusterIP: "10.9.9.9" }), ...slices), [
    "a 10.0.0.1:8080",
    "b 10.0.0.2:8080",
    "c fd00::3:8080",
  ]);
  deepEqual(
    endpointsOf(service({ clusterIP: "fd00::9", clusterIPs: ["fd00::9"] }), ...slices),
    ["a fd00::1:8080", "b 10.0.0.2:8080", "c fd00::3:8080"],
  );
});

Deno.test("endpoints: an address in two slices counts once", () => {
  deepEqual(
    endpointsOf(
      service({}),
      slice("web-1", "IPv4", { a: "10.0.0.1" }),
      slice("web-2", "IPv4", { a: "10.0.0.1" }),
    ),
    ["a 10.0.0.1:8080"],
  );
});

Deno.test("endpoints: slices count before pods, and EndpointSlices before Endpoints", () => {
  const endpoints = {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: { name: "web", namespace: "app" },
    subsets: [{ addresses: [{ ip: "10.0.0.7" }], ports: [{ name: "http", port: 8080 }] }],
  };
  const own = pod("p", "10.0.0.9", true);
  deepEqual(endpointsOf(service(SELECTING), own, endpoints), ["10.0.0.7:8080"]);
  deepEqual(
    endpointsOf(
      service(SELECTING),
      own,
      endpoints,
      slice("web-1", "IPv4", { a: "10.0.0.1" }),
    ),
    ["a 10.0.0.1:8080"],
  );
});

Deno.test("endpoints: hostname and subdomain name a pod of a headless Service, and of no other", () => {
  const named = pod("a", "10.0.0.1", true, { hostname: "first", subdomain: "web" });
  const other = pod("b", "10.0.0.2", true, { hostname: "second", subdomain: "api" });
  deepEqual(endpointsOf(service({ ...SELECTING, clusterIP: "None" }), named, other), [
    "a 10.0.0.1:8080 first",
    "b 10.0.0.2:8080",
  ]);
  deepEqual(endpointsOf(service(SELECTING), named), ["a 10.0.0.1:8080"]);
});
