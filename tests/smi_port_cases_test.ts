/**
 * SMI behaviour cases, group E (ports and backends that can take nothing) and the routing facts of group G, with
 * cases derived from smi-facts 3.9 and 3.10.
 */
import {
  backend,
  deployment,
  type Manifest,
  type PortText,
  routeGroup,
  service,
  split,
  W_ALL,
  W_ONE,
} from "./support/smi_fixtures.ts";
import { type CaseExchange, type SmiCase, testCases } from "./support/smi_case.ts";

const ROOT = "http://web.app";

/** Root `birds` with two backends, each with ports of its own. */
function birds(root: PortText[], blue: PortText[], green: PortText[]): Manifest[] {
  return [
    service("birds", { ports: root, selector: { app: "birds" } }),
    ...backend("blue-birds", { app: "birds", ports: blue }),
    ...backend("green-birds", { app: "birds", ports: green }),
    split("split", { service: "birds", backends: { "blue-birds": 50, "green-birds": 50 } }),
  ];
}

function one(
  id: string,
  title: string,
  given: readonly Manifest[],
  send: readonly CaseExchange[],
  findings: readonly string[] = [],
): SmiCase {
  return { id, title, steps: [{ given, send, findings }] };
}

/** A plain split of `web` over fixture W whose root has a's pod only. */
function plain(backends: Readonly<Record<string, number | string>>, version?: string): Manifest[] {
  return [...W_ONE, split("split", { service: "web", backends, ...(version && { version }) })];
}

const PORT_CASES: readonly SmiCase[] = [
  one(
    "E1",
    "Port number missing on one backend",
    birds([8080], [1024], [8080]),
    [["20 GET http://birds.app:8080/", "green-birds"]],
    ["backend-port-missing"],
  ),
  one(
    "E2",
    "Different targetPort per backend, two ports",
    birds([8080, 9090], [8080, 9090], ["8080:8081", 9090]),
    [
      ["10 GET http://birds.app:8080/", "blue-birds:8080 5, green-birds:8081 5"],
      ["10 GET http://birds.app:9090/", "blue-birds:9090 5, green-birds:9090 5"],
    ],
  ),
  one(
    "x-port-per-port",
    "A backend without a port is left out for that port only",
    birds([8080, 9090], [8080], [8080, 9090]),
    [
      ["10 GET http://birds.app:8080/", "blue-birds 5, green-birds 5"],
      ["10 GET http://birds.app:9090/", "green-birds"],
    ],
    ["backend-port-missing"],
  ),
  one(
    "x-port-name",
    "Port names may differ: the number decides",
    birds([{ name: "one", port: 80 }], [{ name: "two", port: 80 }], [{ name: "three", port: 80 }]),
    [["10 GET http://birds.app/", "blue-birds 5, green-birds 5"]],
  ),
  {
    id: "E4",
    title: "Root targetPort differs from the backends', root by its full name",
    steps: [{
      given: [
        service("ns3/s3", { ports: [8080], selector: { app: "s3" } }),
        ...["s3-v1", "s3-v2"].flatMap((name) =>
          backend(`ns3/${name}`, { app: "s3", ports: ["8080:80"] })
        ),
        split("ns3/split", {
          service: "s3.ns3.svc.cluster.local",
          backends: { "s3-v1": 10, "s3-v2": 90 },
        }),
      ],
      send: [
        ["100 GET http://s3.ns3:8080/", "s3-v1:80 10, s3-v2:80 90"],
        ["5 GET http://s3-v1.ns3:8080/", "s3-v1:80 5"],
      ],
    }],
  },
  one(
    "E6",
    "Backend Service does not exist yet, weight 0",
    plain({ "web-a": 100, "web-zz": 0 }),
    [[`20 GET ${ROOT}/`, "a"]],
  ),
  one(
    "E7",
    "Backend Service does not exist, positive weight",
    plain({ "web-a": 50, "web-zz": 50 }),
    [[`20 GET ${ROOT}/`, "a"]],
    ["backend-missing"],
  ),
  one(
    "x-renormalise",
    "Of three, the two that are there keep their ratio",
    plain({ "web-a": 10, "web-zz": 60, "web-b": 30 }),
    [[`40 GET ${ROOT}/`, "a 10, b 30"]],
    ["backend-missing"],
  ),
  one(
    "E9",
    "No backend has endpoints: 503, never the root's pods",
    [
      service("web", { selector: { backend: "web-a" } }),
      ...backend("web-a"),
      ...backend("web-b", { replicas: 0 }),
      split("split", { service: "web", backends: { "web-b": 100 } }),
    ],
    [[`3 GET ${ROOT}/`, "503 no-endpoints"], ["GET http://web-a.app/", "a"]],
    ["backend-no-endpoints", "split-no-backend"],
  ),
  one(
    "x-no-endpoints",
    "A backend without ready endpoints: its share goes to the others",
    [
      service("web", { selector: { app: "web" } }),
      ...backend("web-a"),
      ...backend("web-b"),
      ...backend("web-c", { replicas: 0 }),
      split("split", { service: "web", backends: { "web-a": 10, "web-b": 30, "web-c": 60 } }),
    ],
    [[`40 GET ${ROOT}/`, "a 10, b 30"]],
    ["backend-no-endpoints"],
  ),
  one(
    "x-weight-negative",
    "A negative weight counts as zero",
    plain({ "web-a": -5, "web-b": 10 }),
    [[`20 GET ${ROOT}/`, "b"]],
    ["weight-negative"],
  ),
  one(
    "x-weight-fraction",
    "A weight that is not whole is an error, and keeps its ratio",
    plain({ "web-a": 1.5, "web-b": 0.5 }),
    [[`4 GET ${ROOT}/`, "a 3, b 1"]],
    ["schema-invalid"],
  ),
  one(
    "x-weight-large",
    "Weights of any size keep their ratio",
    plain({ "web-a": "3G", "web-b": "1G" }, "v1alpha1"),
    [[`4 GET ${ROOT}/`, "a 3, b 1"]],
  ),
  one(
    "x-zero-is-no-spare",
    "A backend of weight 0 does not step in where the others are gone",
    plain({ "web-a": 0, "web-zz": 1 }),
    [[`3 GET ${ROOT}/`, "503 no-endpoints"]],
    ["backend-missing", "split-no-backend"],
  ),
  one(
    "E10",
    "All weights zero: the root's own endpoints",
    plain({ "web-b": 0, "web-c": 0 }),
    [[`20 GET ${ROOT}/`, "a"]],
    ["weights-all-zero"],
  ),
  one(
    "E11",
    "v1alpha1 quantities",
    plain({ "web-a": "500m", "web-b": "500m" }, "v1alpha1"),
    [[`20 GET ${ROOT}/`, "a 10, b 10"]],
  ),
  one(
    "x-quantities-mixed",
    "v1alpha1: one unit is 1000 milli",
    plain({ "web-a": "1", "web-b": "500m" }, "v1alpha1"),
    [[`30 GET ${ROOT}/`, "a 20, b 10"]],
  ),
  {
    id: "E13",
    title: "Root as a backend, then changed, then deleted",
    steps: [
      { backends: { "web": "500m", "web-b": "0m" }, expected: "a" },
      { backends: { "web": "500m", "web-b": "500m" }, expected: "a 10, b 10" },
      { backends: undefined, expected: "a" },
    ].map(({ backends, expected }) => ({
      given: backends === undefined ? W_ONE : plain(backends, "v1alpha1"),
      send: [[`20 GET ${ROOT}/`, expected] as const],
    })),
  },
  {
    id: "E14, E15, E16",
    title: "One backend, two, one set to zero, none",
    steps: [
      { backends: undefined, expected: "a" },
      { backends: { "web-b": 10000 }, expected: "b" },
      { backends: { "web-a": 10000, "web-b": 10000 }, expected: "a 10, b 10" },
      { backends: { "web-a": 50, "web-b": 0 }, expected: "a" },
      { backends: undefined, expected: "a" },
    ].map(({ backends, expected }) => ({
      given: backends === undefined ? W_ONE : plain(backends),
      send: [[`20 GET ${ROOT}/`, expected] as const],
    })),
  },
  one(
    "E17",
    "Backend in another namespace: a warning, and its share goes to the others",
    [...plain({ "web-a": 50, "other/web-b": 50 }), ...backend("other/web-b")],
    [[`20 GET ${ROOT}/`, "a"]],
    ["backend-foreign"],
  ),
  one(
    "x-own-namespace",
    "FSM's ns/name and a full name for the split's own namespace",
    plain({ "app/web-a": 3, "web-b.app.svc.cluster.local": 1 }),
    [[`4 GET ${ROOT}/`, "a 3, b 1"]],
  ),
  one(
    "x-duplicates",
    "A backend that is named twice gets the sum",
    [
      ...W_ONE,
      split("split", { service: "web", backends: [["web-a", 1], ["web-b", 2], ["web-a", 1]] }),
    ],
    [[`8 GET ${ROOT}/`, "a 4, b 4"]],
    ["backend-duplicate"],
  ),
  one(
    "x-root-empty",
    "A root without endpoints of its own still routes",
    [
      service("web", {}),
      ...backend("web-b"),
      routeGroup("g", { path: "/api" }),
      split("split", { service: "web", matches: ["g"], backends: { "web-b": 1 } }),
    ],
    [[`5 GET ${ROOT}/api`, "b"], [`GET ${ROOT}/`, "503 no-endpoints"]],
  ),
  one(
    "x-named-target-port",
    "A targetPort by name is resolved in each pod",
    [
      service("web", {
        selector: { app: "web" },
        ports: [{ name: "http", port: 80, targetPort: "serve" }],
      }),
      ...["one", "two"].map((name, index) =>
        deployment(name, {
          labels: { app: "web" },
          ports: [{ name: "serve", containerPort: 8001 + index }],
        })
      ),
    ],
    [[`10 GET ${ROOT}/`, "one:8001 5, two:8002 5"]],
  ),
  one(
    "x-target-port-missing",
    "A pod without the named port is no endpoint",
    [
      service("web", {
        selector: { app: "web" },
        ports: [{ name: "http", port: 80, targetPort: "serve" }],
      }),
      deployment("one", {
        labels: { app: "web" },
        ports: [{ name: "serve", containerPort: 8001 }],
      }),
      deployment("two", {
        labels: { app: "web" },
        ports: [{ name: "sevre", containerPort: 8001 }],
      }),
    ],
    [[`10 GET ${ROOT}/`, "one"]],
    ["target-port-unresolved"],
  ),
  one("x-empty-backends", "A split without backends has no effect", plain({}), [[
    `5 GET ${ROOT}/`,
    "a",
  ]], ["backends-empty"]),
];

function protocolPort(name: string, appProtocol?: string): PortText {
  return { name, port: 80, ...(appProtocol && { appProtocol }) };
}

/** A root with a split with matches to b and one without to c, on a port of some protocol. */
function onPort(id: string, title: string, port: PortText, isHttp: boolean): SmiCase {
  const given = [
    service("web", { selector: { backend: "web-a" }, ports: [port] }),
    ...W_ONE.slice(1),
    routeGroup("g", { path: "/api" }),
    split("rules", { service: "web", matches: ["g"], backends: { "web-b": 1 } }),
    split("plain", { service: "web", backends: { "web-c": 1 } }),
  ];
  return isHttp
    ? one(id, title, given, [[`5 GET ${ROOT}/api`, "b"], [`5 GET ${ROOT}/`, "c"]])
    : one(id, title, given, [
      [`5 GET ${ROOT}/api`, "502 not-http"],
      [`5 TCP ${ROOT}:80/`, "c"],
    ], ["split-tcp-matches"]);
}

const PROTOCOL_CASES: readonly SmiCase[] = [
  onPort("G14.1", "An odd port name is HTTP", protocolPort("pipy"), true),
  onPort("G14.2", "http-x is HTTP", protocolPort("http-x"), true),
  onPort("G14.3", "grpc-x takes HTTP rules", protocolPort("grpc-x"), true),
  onPort("G14.4", "http2 takes HTTP rules", protocolPort("http2"), true),
  onPort("G14.5", "tcp-x is TCP", protocolPort("tcp-x"), false),
  onPort("G14.6", "tcp alone is TCP", protocolPort("tcp"), false),
  onPort("G14.7", "https-x is TLS", protocolPort("https-x"), false),
  onPort(
    "G14.8",
    "tcp-server-first-x is not tcp with a long name",
    protocolPort("tcp-server-first-x"),
    false,
  ),
  onPort("G14.9", "appProtocol counts before the name", protocolPort("tcp-x", "http"), true),
  onPort("G14.10", "appProtocol counts before the name", protocolPort("http-x", "tcp"), false),
  onPort("G14.11", "Kubernetes' h2c", protocolPort("tcp-x", "kubernetes.io/h2c"), true),
  onPort("G14.12", "An unknown appProtocol says nothing", protocolPort("tcp-x", "x.io/y"), false),
  one(
    "G15",
    "Several ports, several Services per pod",
    [
      service("one", { selector: { app: "web" }, ports: [80, "81:8081"] }),
      service("two", { selector: { app: "web" }, ports: ["80:8080"] }),
      deployment("web-a", { labels: { app: "web" } }),
    ],
    [
      ["3 GET http://one.app/", "a:80 3"],
      ["3 GET http://one.app:81/", "a:8081 3"],
      ["3 GET http://two.app/", "a:8080 3"],
    ],
  ),
  one(
    "G18",
    "Headless: by pod name and by Service name",
    [
      service("s", { selector: { app: "s" }, clusterIP: "None" }),
      {
        apiVersion: "apps/v1",
        kind: "StatefulSet",
        metadata: { name: "pod", namespace: "app" },
        spec: {
          replicas: 2,
          serviceName: "s",
          selector: { matchLabels: { app: "s" } },
          template: {
            metadata: { labels: { app: "s" } },
            spec: { containers: [{ name: "main", image: "image" }] },
          },
        },
      },
    ],
    [
      ["2 GET http://pod-0.s.app/", "pod pod-0 2"],
      ["2 GET http://pod-1.s.app.svc.cluster.local:80/", "pod pod-1 2"],
      ["1 GET http://pod-2.s.app/", "404 host-unknown"],
      ["4 GET http://s.app/", "pod pod-0 2, pod pod-1 2"],
    ],
  ),
  one(
    "G21",
    "TCP root with a matching split only: the root's own endpoints, and a warning",
    [
      service("web", { selector: { backend: "web-a" }, ports: [protocolPort("db", "tcp")] }),
      ...W_ONE.slice(1),
      routeGroup("rg", { path: "/x" }),
      split("split", {
        service: "web",
        matches: ["rg"],
        backends: { "web-a": 50, "web-b": 50 },
      }),
    ],
    [[`20 TCP ${ROOT}:80/`, "a"]],
    ["split-tcp-matches"],
  ),
  one(
    "B2",
    "TCP: a plain split decides by connection",
    [
      service("web", { selector: { app: "web" }, ports: [protocolPort("db", "tcp")] }),
      ...W_ALL.slice(1),
      split("split", { service: "web", backends: { "web-a": 20, "web-b": 20, "web-c": 20 } }),
    ],
    [[`30 TCP ${ROOT}:80/`, "a 10, b 10, c 10"]],
  ),
  one(
    "x-udp",
    "A UDP port is passed over, and one of the same number in TCP is not",
    [
      service("web", {
        selector: { backend: "web-a" },
        ports: [
          { name: "dns", port: 53, protocol: "UDP" },
          { name: "dns-tcp", port: 80, protocol: "TCP" },
        ],
      }),
      ...backend("web-a"),
    ],
    [[`GET ${ROOT}/`, "a"], [`GET ${ROOT}:53/`, "404 port-unknown"]],
  ),
];

const SLICE_BASE = {
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  addressType: "IPv4",
};

function slice(
  name: string,
  portName: string | undefined,
  endpoints: readonly Readonly<Record<string, unknown>>[],
): Manifest {
  return {
    ...SLICE_BASE,
    metadata: {
      name,
      namespace: "app",
      labels: { "kubernetes.io/service-name": "web" },
    },
    ports: [{ ...(portName !== undefined && { name: portName }), port: 8080, protocol: "TCP" }],
    endpoints,
  };
}

const NAMED_PORT: PortText = { name: "http", port: 80, targetPort: 8080 };

const SLICE_CASES: readonly SmiCase[] = [
  one(
    "x-slices",
    "A Service without a selector has the ready endpoints of its slices",
    [
      service("web", { ports: [NAMED_PORT] }),
      slice("web-1", "http", [
        { addresses: ["10.1.0.1"], targetRef: { kind: "Pod", name: "p1" } },
        {
          addresses: ["10.1.0.2"],
          conditions: { ready: false },
          targetRef: { kind: "Pod", name: "p2" },
        },
      ]),
      slice("web-2", undefined, [
        { addresses: ["10.1.0.3"], targetRef: { kind: "Pod", name: "p3" } },
      ]),
      slice("web-3", "metrics", [
        { addresses: ["10.1.0.4"], targetRef: { kind: "Pod", name: "p4" } },
      ]),
    ],
    [[`4 GET ${ROOT}/`, "pod p1 2, pod p3 2"]],
  ),
  one(
    "x-slices-first",
    "Slices of a Service with a selector count before its pods, and bring their workload with them",
    [
      service("web", { selector: { app: "web" }, ports: [NAMED_PORT] }),
      ...["web-a", "web-b"].map((name) => deployment(name, { labels: { app: "web" } })),
      slice("web-1", "http", [
        { addresses: ["10.1.0.1"], targetRef: { kind: "Pod", name: "web-b-0" } },
      ]),
    ],
    [[`4 GET ${ROOT}/`, "b:8080 4"]],
  ),
  one(
    "x-endpoints",
    "An Endpoints object stands for a slice",
    [
      service("web", { ports: [NAMED_PORT] }),
      {
        apiVersion: "v1",
        kind: "Endpoints",
        metadata: { name: "web", namespace: "app" },
        subsets: [{
          addresses: [{ ip: "10.1.0.1", targetRef: { kind: "Pod", name: "p1" } }],
          notReadyAddresses: [{ ip: "10.1.0.2", targetRef: { kind: "Pod", name: "p2" } }],
          ports: [{ name: "http", port: 8080 }],
        }],
      },
    ],
    [[`4 GET ${ROOT}/`, "pod p1 4"]],
  ),
];

testCases([...PORT_CASES, ...PROTOCOL_CASES, ...SLICE_CASES]);
