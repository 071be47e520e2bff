/**
 * SMI behaviour cases, groups A (the canary guide) and B (basic splitting): weights, spellings and live changes,
 * with exact counts. Groups C and D are in smi_route_cases_test.ts, E in smi_port_cases_test.ts, F in
 * smi_access_cases_test.ts.
 */
import {
  backend,
  type Manifest,
  routeGroup,
  seed,
  service,
  split,
  W_ALL,
} from "./support/smi_fixtures.ts";
import { type SmiCase, testCases } from "./support/smi_case.ts";

const SEED_SPLIT = (backends: Record<string, number>, matches?: string[]) =>
  split("httpbin/httpbin-split", { service: "httpbin", backends, ...(matches && { matches }) });

const SEED_ROUTES = [
  routeGroup("httpbin/httpbin-test", { name: "test", path: "/test", methods: ["GET"] }),
  routeGroup("httpbin/httpbin-all", { name: "test", path: ".*", methods: ["GET"] }),
];

const SEED_LAST: readonly Manifest[] = [
  ...seed(["v1", "v2"]),
  ...SEED_ROUTES,
  SEED_SPLIT({ "httpbin-v1": 75, "httpbin-v2": 25 }, ["httpbin-test"]),
  split("httpbin/httpbin-all", {
    service: "httpbin",
    matches: ["httpbin-all"],
    backends: { "httpbin-v1": 100 },
  }),
];

const SEED_CASES: readonly SmiCase[] = [
  {
    id: "A1",
    title: "Before v2: plain service",
    from: "curl",
    steps: [{ given: seed(["v1"]), send: [["4 GET http://httpbin.httpbin:8080/", "v1"]] }],
  },
  {
    id: "A2",
    title: "Single backend, v2 not deployed",
    from: "curl",
    steps: [{
      given: [...seed(["v1"]), SEED_SPLIT({ "httpbin-v1": 100 })],
      send: [["4 GET http://httpbin.httpbin:8080/", "v1"]],
    }],
  },
  {
    id: "A3",
    title: "Single backend, v2 ready and covered by the root's selector",
    from: "curl",
    steps: [{
      given: [...seed(["v1", "v2"]), SEED_SPLIT({ "httpbin-v1": 100 })],
      send: [["40 GET http://httpbin.httpbin:8080/", "v1"]],
    }],
  },
  {
    id: "A4",
    title: "75/25: every aligned four gives three and one",
    from: "curl",
    steps: [{
      given: [...seed(["v1", "v2"]), SEED_SPLIT({ "httpbin-v1": 75, "httpbin-v2": 25 })],
      send: [
        ...Array.from(
          { length: 5 },
          () => ["4 GET http://httpbin.httpbin:8080/", "v1 3, v2 1"] as const,
        ),
        ["100 GET http://httpbin.httpbin:8080/", "v1 75, v2 25"],
      ],
    }],
  },
  {
    id: "A5, A6",
    title: "Two splits: /test goes 75/25, every other path to v1, POST falls through to the root",
    from: "curl",
    steps: [{
      given: SEED_LAST,
      send: [
        ["4 GET http://httpbin.httpbin:8080/test", "v1 3, v2 1"],
        ["4 GET http://httpbin.httpbin:8080/demo", "v1"],
        ["20 GET http://httpbin.httpbin:8080/", "v1"],
        ["4 GET http://httpbin.httpbin:8080/test", "v1 3, v2 1"],
        ["4 POST http://httpbin.httpbin:8080/test", "v1 2, v2 2"],
      ],
      findings: ["unmatched-reaches-backends"],
    }],
  },
  {
    id: "A8",
    title: "Live update of weights needs no restart",
    from: "curl",
    steps: [75, 25].map((weight) => ({
      given: [
        ...seed(["v1", "v2"]),
        SEED_SPLIT({ "httpbin-v1": weight, "httpbin-v2": 100 - weight }),
      ],
      send: [
        [
          "4 GET http://httpbin.httpbin:8080/",
          `v1 ${weight / 25}, v2 ${4 - weight / 25}`,
        ] as const,
      ],
    })),
  },
  {
    id: "A10",
    title: "No splits left: the root's own endpoints, both versions",
    from: "curl",
    steps: [
      { given: SEED_LAST, send: [], findings: ["unmatched-reaches-backends"] },
      {
        given: seed(["v1", "v2"]),
        send: [["40 GET http://httpbin.httpbin:8080/", "v1 20, v2 20"]],
      },
    ],
  },
  {
    id: "G19, G20",
    title: "Split state is per client and per request, not per connection",
    from: "curl",
    steps: [{
      given: [...seed(["v1", "v2"]), SEED_SPLIT({ "httpbin-v1": 75, "httpbin-v2": 25 })],
      send: [
        ["2 GET http://httpbin.httpbin:8080/ [from=curl/one]", "v1 1, v2 1"],
        ["3 GET http://httpbin.httpbin:8080/ [from=curl/two]", "v1 2, v2 1"],
        ["2 GET http://httpbin.httpbin:8080/ [from=curl/one]", "v1"],
        ["1 GET http://httpbin.httpbin:8080/ [from=curl/two]", "v1"],
      ],
    }],
  },
];

/** A plain split of `web` over fixture W. */
function weighted(
  id: string,
  title: string,
  backends: Readonly<Record<string, number>>,
  ...send: readonly (readonly [count: number, expected: string])[]
): SmiCase {
  return {
    id,
    title,
    steps: [{
      given: [...W_ALL, split("split", { service: "web", backends })],
      send: send.map(([count, expected]) => [`${count} GET http://web.app/`, expected]),
    }],
  };
}

const SERVERS = ["server-1", "server-2", "server-3", "server-4", "server-5"];

const FIVE: readonly Manifest[] = [
  service("server", { selector: { app: "server" }, ports: [80] }),
  ...SERVERS.flatMap((name) => backend(name, { app: "server", replicas: 2 })),
  split("split", {
    service: "server",
    backends: Object.fromEntries(SERVERS.map((name) => [name, 20])),
  }),
];

const BASIC_CASES: readonly SmiCase[] = [
  {
    id: "B3",
    title: "Five equal backends, permissive: all seen, each addressable",
    steps: [{
      given: FIVE,
      send: [
        ["20 GET http://server.app/", SERVERS.map((name) => `${name} 4`).join(", ")],
        [
          "10 GET http://server.app/",
          "pod " + SERVERS.flatMap((name) => [`${name}-0 1`, `${name}-1 1`]).join(", pod "),
        ],
        ...SERVERS.map((name) => [`3 GET http://${name}.app/`, name] as const),
      ],
    }],
  },
  weighted("B6", "50/50 with a root that covers both", { "web-a": 50, "web-b": 50 }, [
    20,
    "a 10, b 10",
  ]),
  weighted(
    "B7",
    "Zero-weight backends get nothing",
    { "web-a": 100, "web-b": 0, "web-c": 0 },
    [60, "a"],
  ),
  weighted("B8", "First backend zero", { "web-a": 0, "web-b": 100 }, [60, "b"]),
  weighted(
    "B9",
    "Small integers, not percentages: period of 3",
    { "web-a": 1000, "web-b": 500 },
    [3, "a 2, b 1"],
    [30, "a 20, b 10"],
  ),
  weighted("B10", "Weight of a lone backend is irrelevant", { "web-b": 1 }, [20, "b"]),
  weighted(
    "B11",
    "Weights that do not sum to 100",
    { "web-a": 5, "web-b": 10, "web-c": 20 },
    [35, "a 5, b 10, c 20"],
  ),
  weighted(
    "B12",
    "Three equal thirds",
    { "web-a": 1000, "web-b": 1000, "web-c": 1000 },
    [3, "a 1, b 1, c 1"],
    [30, "a 10, b 10, c 10"],
  ),
  weighted(
    "B13",
    "20/30/50",
    { "web-a": 20, "web-b": 30, "web-c": 50 },
    [10, "a 2, b 3, c 5"],
    [90, "a 18, b 27, c 45"],
  ),
  weighted("B14", "1/2", { "web-a": 1000, "web-b": 2000 }, [30, "a 10, b 20"]),
  {
    id: "B15, B16",
    title: "All to one, by a name with a trailing dot and a port",
    steps: [
      { b: 1, c: 0, expected: "b" },
      { b: 0, c: 1, expected: "c" },
    ].map(({ b, c, expected }) => ({
      given: [...W_ALL, split("split", { service: "web", backends: { "web-b": b, "web-c": c } })],
      send: [["50 GET http://web.app.svc.cluster.local.:80/echo", expected] as const],
    })),
  },
  weighted("B17", "B more than C: 37 or 38 of 50", { "web-b": 75, "web-c": 25 }, [
    50,
    "b 37, c 13",
  ]),
  weighted("B18", "C more than B", { "web-b": 25, "web-c": 75 }, [50, "b 12, c 38"]),
  {
    id: "B19",
    title: "No split: the root balances over what it selects",
    steps: [{ given: W_ALL, send: [["51 GET http://web.app/", "a 17, b 17, c 17"]] }],
  },
  weighted(
    "B23",
    "Additional destinations",
    { "web-a": 10, "web-b": 5, "web-c": 85 },
    [100, "a 10, b 5, c 85"],
  ),
  {
    id: "B24, B25",
    title: "Flagger's initial state, steps and rollback",
    steps: [0, 10, 20, 30, 40, 50, 0].map((canary) => ({
      given: [
        service("web", { selector: { backend: "web-primary" } }),
        ...backend("web-primary"),
        ...backend("web-canary"),
        split("split", {
          service: "web",
          version: "v1alpha2",
          backends: { "web-canary": canary, "web-primary": 100 - canary },
        }),
      ],
      send: [
        [
          "40 GET http://web.app/",
          canary === 0 ? "primary" : `canary ${canary * 0.4}, primary ${40 - canary * 0.4}`,
        ] as const,
        ["5 GET http://web-canary.app/", "canary"] as const,
      ],
    })),
  },
  {
    id: "B26",
    title: "Every spelling of the root's name is split",
    steps: [{
      given: [...W_ALL, split("split", { service: "web", backends: { "web-a": 10, "web-b": 90 } })],
      send: [
        ...["web.app", "web.app.svc", "web.app.svc.cluster", "web.app.svc.cluster.local"]
          .flatMap((host) => [host, `${host}:80`, `${host}.`, `${host}.:80`, host.toUpperCase()])
          .map((host) => [`10 GET http://${host}/`, "a 1, b 9"] as const),
        ["10 GET http://web/ [from=app]", "a 1, b 9"],
        ["10 GET http://web:80/ [from=app]", "a 1, b 9"],
        ["1 GET http://web/", "404 host-unknown"],
        ["1 GET http://web:80/", "404 host-unknown"],
        ["1 GET http://web.other/", "404 host-unknown"],
        ["1 GET http://web.app:81/", "404 port-unknown"],
      ],
    }],
  },
  {
    id: "x-root-spelling",
    title: "Every spelling of spec.service names the same root",
    steps: [
      "web",
      "WEB",
      "web.app",
      "web.app.svc",
      "web.app.svc.cluster.local",
      "web.app.svc.cluster.local.",
      "app/web",
    ].map((root) => ({
      given: [...W_ALL, split("split", { service: root, backends: { "web-b": 1 } })],
      send: [["5 GET http://web.app/", "b"] as const],
    })),
  },
  {
    id: "x-cluster-ip",
    title: "A request to the ClusterIP is split too",
    steps: [{
      given: [
        service("web", { selector: { app: "web" }, clusterIP: "10.0.0.7" }),
        ...backend("web-a"),
        ...backend("web-b"),
        split("split", { service: "web", backends: { "web-b": 1 } }),
      ],
      send: [["5 GET http://10.0.0.7/", "b"], ["5 GET http://10.0.0.7:80/", "b"]],
    }],
  },
  {
    id: "x-versions",
    title: "Every served version of TrafficSplit splits",
    steps: ["v1alpha1", "v1alpha2", "v1alpha3", "v1alpha4"].map((version) => ({
      given: [
        ...W_ALL,
        split("split", { service: "web", version, backends: { "web-a": 75, "web-b": 25 } }),
      ],
      send: [["4 GET http://web.app/", "a 3, b 1"] as const],
    })),
  },
];

testCases([...SEED_CASES, ...BASIC_CASES]);
