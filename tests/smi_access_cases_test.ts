/**
 * SMI behaviour cases, group F: traffic targets together with splits, without a cluster (smi-facts 2.4, 3.11).
 * mTLS and the inbound side are tested where the sidecars are.
 */
import {
  backend,
  type Manifest,
  type MatchText,
  routeGroup,
  service,
  split,
  target,
  tcpRoute,
} from "./support/smi_fixtures.ts";
import { type CaseExchange, type SmiCase, testCases } from "./support/smi_case.ts";

const STRICT = { permissive: false };
const DENIED = "403 access-denied";
const AS_1 = "[from=client/sa-1]";
const AS_2 = "[from=client/sa-2]";
const AS_3 = "[from=client/sa-3]";

/** Fixture A without policies: W, each backend with an account of its own. */
const A: readonly Manifest[] = [
  service("web", { selector: { backend: "web-a" } }),
  ...["a", "b", "c"].flatMap((name) => backend(`web-${name}`, { serviceAccount: `sa-${name}` })),
];

function strict(
  id: string,
  title: string,
  policies: readonly Manifest[],
  send: readonly CaseExchange[],
  findings: readonly string[] = [],
): SmiCase {
  return { id, title, options: STRICT, steps: [{ given: [...A, ...policies], send, findings }] };
}

/** sa-1 may call web-a by one group. */
function allowed(...matches: readonly MatchText[]): Manifest[] {
  return [
    routeGroup("r", ...matches),
    target("t", { to: "sa-a", from: ["client/sa-1"], rules: ["r"] }),
  ];
}

const WEB_A = "http://web-a.app";

const ACCESS_CASES: readonly SmiCase[] = [
  {
    id: "F1",
    title: "Permissive mode allows everything, a target is not enforced",
    steps: [{
      given: [...A, ...allowed({ path: "/x" })],
      send: [[`GET ${WEB_A}/ ${AS_2}`, "a"], [`GET ${WEB_A}/`, "a"]],
    }],
  },
  strict("F1 off", "Without policies everything is refused", [], [
    [`GET ${WEB_A}/ ${AS_1}`, DENIED],
    [`GET ${WEB_A}/`, DENIED],
  ]),
  {
    id: "F3",
    title: "Route-level allow and deny by client",
    options: STRICT,
    steps: [
      {
        given: [
          ...A,
          routeGroup(
            "r",
            { name: "any", path: "/anything", methods: ["*"] },
            { name: "foo", path: "/foo", methods: ["GET"] },
          ),
          target("t1", {
            to: "sa-a",
            from: ["client/sa-1"],
            rules: [{ name: "r", matches: ["any"] }],
          }),
          target("t2", {
            to: "sa-a",
            from: ["client/sa-2"],
            rules: [{ name: "r", matches: ["foo"] }],
          }),
        ],
        send: [
          [`GET ${WEB_A}/anything ${AS_1}`, "a"],
          [`POST ${WEB_A}/anything ${AS_1}`, "a"],
          [`GET ${WEB_A}/foo ${AS_1}`, DENIED],
          [`GET ${WEB_A}/anything ${AS_2}`, DENIED],
          [`GET ${WEB_A}/foo ${AS_2}`, "a"],
          [`POST ${WEB_A}/foo ${AS_2}`, DENIED],
          [`GET ${WEB_A}/foo ${AS_3}`, DENIED],
        ],
      },
      { given: A, send: [[`GET ${WEB_A}/anything ${AS_1}`, DENIED]] },
    ],
  },
  strict(
    "F6",
    "Missing group allows nothing",
    [target("t", { to: "sa-a", from: ["client/sa-1"], rules: ["none"] })],
    [[`GET ${WEB_A}/ ${AS_1}`, DENIED]],
    ["target-route-missing"],
  ),
  strict(
    "x-match-missing",
    "A rule with a match that the group lacks allows nothing by it",
    [
      routeGroup("r", { name: "any" }),
      target("t", {
        to: "sa-a",
        from: ["client/sa-1"],
        rules: [{ name: "r", matches: ["none"] }],
      }),
    ],
    [[`GET ${WEB_A}/ ${AS_1}`, DENIED]],
    ["target-route-missing"],
  ),
  strict("F7", "Header-qualified allow", allowed({ headers: { authorized: "t|True" } }), [
    [`GET ${WEB_A}/ ${AS_1} [Authorized: true]`, "a"],
    [`GET ${WEB_A}/ ${AS_1} [Authorized: false]`, DENIED],
    [`GET ${WEB_A}/ ${AS_1}`, DENIED],
  ]),
  strict("F8", "Path-qualified allow", allowed({ path: "/api", methods: ["GET"] }), [
    [`GET ${WEB_A}/api ${AS_1}`, "a"],
    [`GET ${WEB_A}/ ${AS_1}`, DENIED],
  ]),
  strict("F9", "Method-qualified allow", allowed({ path: ".*", methods: ["GET"] }), [
    [`GET ${WEB_A}/echo ${AS_1}`, "a"],
    [`POST ${WEB_A}/echo ${AS_1}`, DENIED],
  ]),
  {
    id: "F11",
    title: "Default deny, then a TCPRoute allows, by port or all",
    options: STRICT,
    steps: [
      { ports: [], expected: "a" },
      { ports: [80], expected: "a" },
      { ports: [81], expected: DENIED },
      { ports: undefined, expected: DENIED },
    ].map(({ ports, expected }) => ({
      given: ports === undefined ? A : [
        ...A,
        tcpRoute("tcp", ports),
        target("t", {
          to: "sa-a",
          from: ["client/sa-1"],
          rules: [{ kind: "TCPRoute", name: "tcp" }],
        }),
      ],
      send: [[`TCP ${WEB_A}:80/ ${AS_1}`, expected] as const],
    })),
  },
  strict("F15", "A split whose backend is the root", [
    ...allowed({ path: "/get", methods: ["GET"] }),
    split("split", { service: "web-a", backends: { "web-a": 1 } }),
  ], [
    [`GET ${WEB_A}/get ${AS_1}`, "a"],
    [`POST ${WEB_A}/get ${AS_1}`, DENIED],
  ]),
  strict("F16", "Same route allowed to two clients by two targets", [
    routeGroup("r", { path: "/get" }),
    target("t1", { to: "sa-a", from: ["client/sa-1"], rules: ["r"] }),
    target("t2", { to: "sa-a", from: ["client/sa-2"], rules: ["r"] }),
  ], [
    [`GET ${WEB_A}/get ${AS_1}`, "a"],
    [`GET ${WEB_A}/get ${AS_2}`, "a"],
    [`GET ${WEB_A}/get ${AS_3}`, DENIED],
  ]),
  strict("F17", "A source that may reach one of two backends gets that one", [
    routeGroup("r", {}),
    target("t", { to: "sa-b", from: ["client/sa-1"], rules: ["r"] }),
    split("split", { service: "web", backends: { "web-a": 50, "web-b": 50 } }),
  ], [
    [`20 GET http://web.app/ ${AS_1}`, "b"],
    [`GET http://web.app/ ${AS_2}`, DENIED],
  ]),
  ...([
    ["path", { path: "/p" }, "/p", "/q"],
    ["method", { methods: ["GET", "POST"] }, "/any", null],
    ["header", { headers: { "x-v": "1" } }, "/any", null],
  ] as const).map(([name, match, path, other]) =>
    strict(`F18 ${name}`, "What a match leaves out is any", allowed(match), [
      [`GET ${WEB_A}${path} ${AS_1} [x-v: 1]`, "a"],
      [`POST ${WEB_A}${path} ${AS_1} [x-v: 1]`, "a"],
      ...(other === null ? [] : [[`GET ${WEB_A}${other} ${AS_1} [x-v: 1]`, DENIED] as const]),
    ])
  ),
  {
    id: "E5",
    title: "A Service without a target: refused in SMI mode, reached in permissive mode",
    steps: [{ given: A, send: [["GET http://web-c.app/ [from=client/sa-1]", "c"]] }],
  },
  strict("E5 off", "and in SMI mode", allowed({}), [
    [`GET ${WEB_A}/ ${AS_1}`, "a"],
    ["GET http://web-c.app/ [from=client/sa-1]", DENIED],
  ]),
  {
    id: "B1",
    title: "Five equal backends with an account each, SMI mode",
    options: STRICT,
    steps: [{
      given: [
        service("server", { selector: { app: "server" } }),
        ...[1, 2, 3, 4, 5].flatMap((n) =>
          backend(`server-${n}`, { app: "server", replicas: 2, serviceAccount: `sa-${n}` })
        ),
        split("split", {
          service: "server",
          backends: Object.fromEntries([1, 2, 3, 4, 5].map((n) => [`server-${n}`, 20])),
        }),
        routeGroup("r", { path: ".*" }),
        ...[1, 2, 3, 4, 5].map((n) =>
          target(`t${n}`, { to: `sa-${n}`, from: ["client/sa-1"], rules: ["r"] })
        ),
      ],
      send: [
        [
          `10 GET http://server.app/ ${AS_1}`,
          "pod " + [1, 2, 3, 4, 5].flatMap((n) => [`server-${n}-0 1`, `server-${n}-1 1`])
            .join(", pod "),
        ],
        ...[1, 2, 3, 4, 5].map((n) =>
          [`GET http://server-${n}.app/ ${AS_1}`, `server-${n}`] as const
        ),
        [`GET http://server.app/ ${AS_2}`, DENIED],
      ],
    }],
  },
  {
    id: "B4",
    title: "Backends share one ServiceAccount, one target",
    options: STRICT,
    steps: [{
      given: [
        service("web", { selector: { app: "web" } }),
        ...backend("web-a", { serviceAccount: "server" }),
        ...backend("web-b", { serviceAccount: "server" }),
        split("split", { service: "web", backends: { "web-a": 1, "web-b": 1 } }),
        routeGroup("r", { path: ".*" }),
        target("t", { to: "server", from: ["client/sa-1"], rules: ["r"] }),
      ],
      send: [
        [`10 GET http://web.app/ ${AS_1}`, "a 5, b 5"],
        [`GET http://web-b.app/ ${AS_1}`, "b"],
      ],
    }],
  },
  strict(
    "x-target-foreign",
    "A target has no say over another namespace",
    [
      routeGroup("other/r", {}),
      target("other/t", { to: "app/sa-a", from: ["client/sa-1"], rules: ["r"] }),
    ],
    [[`GET ${WEB_A}/ ${AS_1}`, DENIED]],
    ["target-foreign"],
  ),
  strict("x-rules-or", "Several rules of a target are OR", [
    routeGroup("r1", { path: "/one" }),
    routeGroup("r2", { path: "/two" }),
    target("t", { to: "sa-a", from: ["client/sa-1"], rules: ["r1", "r2"] }),
  ], [
    [`GET ${WEB_A}/one ${AS_1}`, "a"],
    [`GET ${WEB_A}/two ${AS_1}`, "a"],
    [`GET ${WEB_A}/three ${AS_1}`, DENIED],
  ]),
];

testCases(ACCESS_CASES);
