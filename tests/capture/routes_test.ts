/** Captured connections go where they were going: the original destination decides, and a host only within it. */
import { deepEqual, equal } from "node:assert/strict";
import { CaptureScenario } from "./capture_scenario.ts";

interface Described {
  readonly name: string;
  readonly clusterIps?: readonly string[];
  readonly headless?: boolean;
  /** Name, port, target port. */
  readonly ports?: readonly (readonly [string, number, number])[];
  /** Addresses of pods, each with its host name where it has one. */
  readonly pods?: readonly (readonly [address: string, hostname?: string])[];
}

function service({ name, clusterIps = [], headless = false, ports, pods = [] }: Described) {
  const list = ports ?? [["http", 80, 8080] as const];
  const ips = headless ? ["None"] : clusterIps;
  const metadata = { name, namespace: "default" };
  const spec = {
    ...(ips.length > 0 ? { clusterIP: ips[0], clusterIPs: ips } : {}),
    ports: list.map(([name, port, targetPort]) => ({ name, port, targetPort })),
  };
  const slice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    addressType: "IPv4",
    metadata: { ...metadata, labels: { "kubernetes.io/service-name": name } },
    ports: list.map(([name, , port]) => ({ name, port })),
    endpoints: pods.map(([address, hostname]) => ({
      addresses: [address],
      ...(hostname === undefined ? {} : { hostname }),
    })),
  };
  return [{ apiVersion: "v1", kind: "Service", metadata, spec }, slice];
}

function split(root: string, weights: Readonly<Record<string, number>>) {
  return {
    apiVersion: "split.smi-spec.io/v1alpha4",
    kind: "TrafficSplit",
    metadata: { name: root, namespace: "default" },
    spec: {
      service: root,
      backends: Object.entries(weights).map(([service, weight]) => ({ service, weight })),
    },
  };
}

function manifests(services: readonly Described[], ...others: object[]): string {
  return [...services.flatMap(service), ...others].map((each) => JSON.stringify(each))
    .join("\n---\n");
}

const A: Described = { name: "a", clusterIps: ["10.96.0.1", "fd96::1"], pods: [["10.0.0.1"]] };
const B: Described = { name: "b", clusterIps: ["10.96.0.2"], pods: [["10.0.0.2"]] };
/** Split over the two others. */
const ROOT: Described = { name: "root", clusterIps: ["10.96.0.3"] };
const BLUE: Described = { name: "blue", clusterIps: ["10.96.0.4"], pods: [["10.0.0.4"]] };
const GREEN: Described = { name: "green", clusterIps: ["10.96.0.5"], pods: [["10.0.0.5"]] };
const SPLIT = split("root", { blue: 1, green: 1 });

/** The mesh above, with every pod answering on its listed port. */
function mesh(): CaptureScenario {
  const scenario = new CaptureScenario(manifests([A, B, ROOT, BLUE, GREEN], SPLIT));
  for (const last of [1, 2, 4, 5]) scenario.serve(`10.0.0.${last}:8080`);
  return scenario;
}

Deno.test("captured: a Service's address is that Service's, whatever the host says", () => {
  const scenario = mesh();
  for (const host of ["b", "b:80", "b.default", "b.default.svc.cluster.local:80", "b:9999"]) {
    equal(scenario.get("10.96.0.1:80", host), "10.0.0.1:8080", host);
    equal(scenario.get("[fd96::1]:80", host), "10.0.0.1:8080", host);
  }
  for (const host of ["10.96.0.2", "elsewhere.test", "10.0.0.2:8080", "bad host", ""]) {
    equal(
      scenario.get("10.96.0.1:80", host).replace(/^400.*/, "400"),
      /\s/.test(host) ? "400" : "10.0.0.1:8080",
      host,
    );
  }
});

Deno.test("captured: a gateway that keeps the host is not sent back to itself", () => {
  const scenario = mesh();
  equal(scenario.get("10.96.0.2:80", "root.default"), "10.0.0.2:8080");
  const outcomes = [1, 2, 3, 4].map(() => scenario.get("10.96.0.3:80", "a.default"));
  deepEqual(outcomes.toSorted(), [
    ...["10.0.0.4:8080", "10.0.0.4:8080", "10.0.0.5:8080", "10.0.0.5:8080"],
  ]);
});

Deno.test("captured: a host that the address overrules is logged, and not each time", () => {
  const scenario = mesh();
  const message = "A host names another Service than its address";
  scenario.get("10.96.0.1:80", "a");
  scenario.get("10.96.0.1:80", "elsewhere.test");
  deepEqual(scenario.messages, []);
  for (let i = 0; i < 20; i++) scenario.get("10.96.0.1:80", "b");
  deepEqual(scenario.messages, [message]);
});

Deno.test("captured: a port that a Service does not have is refused, and is not outside", () => {
  const scenario = mesh();
  scenario.serve("10.96.0.1:81");
  scenario.serve("10.0.0.2:81");
  equal(scenario.get("10.96.0.1:81", "a:80"), "404 port-unknown");
  equal(scenario.get("10.96.0.1:81", "b:80"), "404 port-unknown");
});

Deno.test("captured: a pod's address is that pod, past the splits of what its host names", () => {
  const scenario = mesh();
  for (const host of ["root", "blue", "a", "10.0.0.4:8080", "elsewhere.test", "root:8080"]) {
    for (let i = 0; i < 3; i++) {
      equal(scenario.get("10.0.0.4:8080", host), "10.0.0.4:8080", host);
    }
  }
});

Deno.test("captured: an unknown address is the host's, else where it was going", () => {
  const scenario = mesh();
  scenario.serve("192.0.2.9:80");
  scenario.serve("192.0.2.9:9090");
  equal(scenario.get("192.0.2.9:80", "a"), "10.0.0.1:8080");
  equal(scenario.get("192.0.2.9:80", "elsewhere.test"), "192.0.2.9:80");
  equal(scenario.get("192.0.2.9:9090", "a:9090"), "192.0.2.9:9090");
});

Deno.test("captured: each request of a kept connection goes by the plan then in force", () => {
  const scenario = mesh();
  const client = scenario.outbound("10.96.0.1:80");
  equal(scenario.ask(client, "b"), "10.0.0.1:8080");
  equal(scenario.ask(client, "a"), "10.0.0.1:8080");
  // The addresses change their owners.
  scenario.apply(manifests([{ ...A, clusterIps: ["10.96.0.9"] }, {
    ...B,
    clusterIps: ["10.96.0.1"],
  }]));
  equal(scenario.ask(client, "a"), "10.0.0.2:8080");
  scenario.apply(manifests([B]));
  scenario.serve("10.96.0.1:80", "outside");
  equal(scenario.ask(client, "elsewhere.test"), "outside");
  equal(scenario.ask(client, "b"), "10.0.0.2:8080");
});

Deno.test("not captured: the host decides, and an unknown port stays one", () => {
  const scenario = mesh();
  equal(scenario.ask(scenario.plain(), "b"), "10.0.0.2:8080");
  equal(scenario.ask(scenario.plain(), "b:81"), "404 port-unknown");
});

const HEADLESS: Described = {
  name: "db",
  headless: true,
  ports: [["http", 80, 8080]],
  pods: [["10.0.1.0", "db-0"], ["10.0.1.1", "db-1"]],
};

/** Pods of a StatefulSet, which listen on 8080 and, unlisted, on 9100. */
function statefulMesh(options: { readonly egress?: boolean } = {}): CaptureScenario {
  const scenario = new CaptureScenario(manifests([HEADLESS, A, B]), options);
  for (const pod of ["10.0.1.0", "10.0.1.1"]) {
    for (const port of [8080, 9100]) scenario.serve(`${pod}:${port}`);
  }
  scenario.serve("10.0.0.1:8080");
  return scenario;
}

Deno.test("captured: to a pod's address, address and port decide, also where no Service lists the port", () => {
  for (const egress of [true, false]) {
    const scenario = statefulMesh({ egress });
    for (const host of ["db-0.db:9100", "db-0.db.default.svc.cluster.local:9100", "db:9100"]) {
      equal(scenario.get("10.0.1.0:9100", host), "10.0.1.0:9100", host);
    }
    for (const host of ["db-0.db", "db", "db:80", "a", "a:80", "10.0.1.0:9100", "db-1.db:9100"]) {
      equal(scenario.get("10.0.1.0:9100", host), "10.0.1.0:9100", host);
    }
    equal(scenario.get("10.0.1.1:9100", "db-1.db:9100"), "10.0.1.1:9100");
  }
});

Deno.test("captured: a pod by its headless name on the port that it listens on", () => {
  const scenario = statefulMesh();
  for (let i = 0; i < 4; i++) {
    equal(scenario.get("10.0.1.0:8080", "db-0.db:8080"), "10.0.1.0:8080");
    equal(scenario.get("10.0.1.1:8080", "db-1.db:8080"), "10.0.1.1:8080");
    // The name of another pod does not lead there.
    equal(scenario.get("10.0.1.0:8080", "db-1.db:8080"), "10.0.1.0:8080");
    equal(scenario.get("10.0.1.0:8080", "a:8080"), "10.0.1.0:8080");
  }
});

Deno.test("captured: a headless name on the Service's own port reaches the pods", () => {
  const scenario = statefulMesh();
  for (let i = 0; i < 4; i++) {
    equal(scenario.get("10.0.1.0:80", "db-0.db"), "10.0.1.0:8080");
    equal(scenario.get("10.0.1.1:80", "db-1.db"), "10.0.1.1:8080");
  }
});

Deno.test("captured: a host that names a headless Service that the pod is behind: its rules count", () => {
  const split12 = split("db", { blue: 1, green: 1 });
  const scenario = new CaptureScenario(manifests([HEADLESS, A, BLUE, GREEN], split12));
  for (const last of [4, 5]) scenario.serve(`10.0.0.${last}:8080`);
  for (const pod of ["10.0.1.0", "10.0.1.1"]) scenario.serve(`${pod}:8080`);
  const by = (host: string) => [1, 2].map(() => scenario.get("10.0.1.0:8080", host)).toSorted();
  deepEqual(by("db:8080"), ["10.0.0.4:8080", "10.0.0.5:8080"]);
  deepEqual(by("db.default"), ["10.0.0.4:8080", "10.0.0.5:8080"]);
  deepEqual(by("elsewhere.test"), ["10.0.1.0:8080", "10.0.1.0:8080"]);
  // The pod itself was asked for.
  deepEqual(by("db-0.db"), ["10.0.1.0:8080", "10.0.1.0:8080"]);
});

Deno.test("captured: a call to a pod's address on a port for HTTP/2 goes on as HTTP/2", () => {
  for (const name of ["http2", "grpc", "http2-web"]) {
    const web: Described = { ...A, ports: [[name, 80, 8080]] };
    // Another Service leads there too, and says nothing.
    const other: Described = { name: "0", ports: [["web", 80, 8080]], pods: [["10.0.0.1"]] };
    const scenario = new CaptureScenario(manifests([other, web]));
    const endpoint = scenario.listenAt("10.0.0.1:8080");
    const client = scenario.outbound("10.0.0.1:8080");
    scenario.pass(1);
    client.send("GET / HTTP/1.1\r\nHost: 10.0.0.1:8080\r\n\r\n");
    scenario.pass(5);
    equal(endpoint[0]?.text.slice(0, 14), "PRI * HTTP/2.0", name);
  }
});
