/**
 * SMI behaviour cases, groups C (matching inside a split) and D (several splits of one root, and fallback),
 * with cases derived from the rules of smi-facts 3.3 to 3.8.
 */
import {
  type Manifest,
  type MatchText,
  routeGroup,
  service,
  split,
  W_ALL,
  W_ONE,
} from "./support/smi_fixtures.ts";
import { type CaseExchange, type SmiCase, testCases } from "./support/smi_case.ts";

/** One split that sends what the group matches to b; the root has a's pod only. */
function matching(
  id: string,
  title: string,
  matches: readonly MatchText[],
  send: readonly CaseExchange[],
  findings: readonly string[] = [],
): SmiCase {
  return {
    id,
    title,
    steps: [{
      given: [
        ...W_ONE,
        routeGroup("rg", ...matches),
        split("split", {
          service: "web",
          matches: ["rg"],
          backends: { "web-a": 0, "web-b": 100 },
        }),
      ],
      send,
      findings,
    }],
  };
}

const ROOT = "http://web.app";

const MATCH_CASES: readonly SmiCase[] = [
  matching("C1", "Firefox users", [{ headers: { "user-agent": ".*Firefox.*" } }], [
    [`GET ${ROOT}/ [User-Agent: Mozilla/5.0 Firefox/99]`, "b"],
    [`GET ${ROOT}/ [User-Agent: curl/8]`, "a"],
    [`GET ${ROOT}/`, "a"],
  ]),
  matching(
    "C2",
    "Two headers in one match are AND",
    [{
      headers: { "user-agent": ".*Android.*", cookie: "^(.*?;)?(type=insider)(;.*)?$" },
    }],
    [
      [`GET ${ROOT}/ [User-Agent: Android] [Cookie: type=insider]`, "b"],
      [`GET ${ROOT}/ [User-Agent: Android] [Cookie: a=b;type=insider;c=d]`, "b"],
      [`GET ${ROOT}/ [User-Agent: Android]`, "a"],
      [`GET ${ROOT}/ [Cookie: type=insider]`, "a"],
      [`GET ${ROOT}/ [User-Agent: Android] [Cookie: type=insiders]`, "a"],
    ],
  ),
  matching("C3", "Two matches are OR", [
    { headers: { "user-agent": ".*Android.*", cookie: ".*type=insider.*" } },
    { headers: { "user-agent": ".*Firefox.*" } },
  ], [
    [`GET ${ROOT}/ [User-Agent: Firefox]`, "b"],
    [`GET ${ROOT}/ [User-Agent: Android] [Cookie: type=insider]`, "b"],
    [`GET ${ROOT}/ [User-Agent: Android]`, "a"],
    [`GET ${ROOT}/`, "a"],
  ]),
  matching("C4", "Path AND method AND header", [{
    path: "/api/.*",
    methods: ["GET", "HEAD"],
    headers: { "user-agent": ".*iPhone.*" },
  }], [
    [`GET ${ROOT}/api/x [User-Agent: iPhone]`, "b"],
    [`HEAD ${ROOT}/api/x [User-Agent: iPhone]`, "b"],
    [`POST ${ROOT}/api/x [User-Agent: iPhone]`, "a"],
    [`GET ${ROOT}/api [User-Agent: iPhone]`, "a"],
    [`GET ${ROOT}/api/x [User-Agent: Android]`, "a"],
  ]),
  matching("C6", "Header search, not full match", [{ headers: { authorized: "t|True" } }], [
    [`GET ${ROOT}/ [Authorized: true]`, "b"],
    [`GET ${ROOT}/ [Authorized: True]`, "b"],
    [`GET ${ROOT}/ [Authorized: false]`, "a"],
    [`GET ${ROOT}/`, "a"],
  ]),
  matching("C9", "Host header condition", [{ headers: { host: "^web\\.app$" } }], [
    [`GET ${ROOT}/`, "b"],
    ["GET http://web.app.svc/", "a"],
  ]),
  matching(
    "x-authority",
    ":authority is Host; a policy's header name may have capitals",
    [{ headers: { ":authority": "^web\\.app$", "X-User": "^1$" } }],
    [[`GET ${ROOT}/ [x-user: 1]`, "b"], ["GET http://web.app.svc/ [x-user: 1]", "a"]],
  ),
  matching("C12", "Alternation is anchored as a whole", [{ path: "/api|/v2" }], [
    [`GET ${ROOT}/api/x`, "b"],
    [`GET ${ROOT}/v2`, "b"],
    [`GET ${ROOT}/x/v2`, "a"],
    [`GET ${ROOT}/x/api`, "a"],
  ]),
  matching("C13", "Percent-encoding is compared as sent", [{ path: "/a b" }, { path: "/c%20d" }], [
    [`GET ${ROOT}/a%20b`, "a"],
    [`GET ${ROOT}/c%20d`, "b"],
  ], ["pattern-never-matches"]),
  matching("C14", "Omitted path and methods", [{}], [
    [`GET ${ROOT}/`, "b"],
    [`POST ${ROOT}/x`, "b"],
    [`DELETE ${ROOT}/y`, "b"],
  ]),
  matching(
    "C15",
    "Method wildcard includes everything",
    [{ path: ".*", methods: ["*"] }],
    ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"].map((
      method,
    ) => [`${method} ${ROOT}/`, "b"]),
  ),
  matching("C16", "GET does not imply HEAD", [{ path: "/p", methods: ["GET"] }], [
    [`GET ${ROOT}/p`, "b"],
    [`HEAD ${ROOT}/p`, "a"],
    [`POST ${ROOT}/p`, "a"],
    [`get ${ROOT}/p`, "a"],
  ]),
  {
    id: "C17",
    title: "A split may name several groups",
    steps: [{
      given: [
        ...W_ONE,
        routeGroup("rg", { name: "m", path: "/one" }),
        routeGroup("rg2", { name: "m", path: "/two" }),
        split("split", {
          service: "web",
          matches: ["rg", "rg2"],
          backends: { "web-a": 0, "web-b": 100 },
        }),
      ],
      send: [[`GET ${ROOT}/one`, "b"], [`GET ${ROOT}/two`, "b"], [`GET ${ROOT}/three`, "a"]],
    }],
  },
  {
    id: "C19",
    title: "A group of the same name in another namespace is not used",
    steps: [{
      given: [
        ...W_ONE,
        routeGroup("other/rg", { path: ".*" }),
        split("split", { service: "web", matches: ["rg"], backends: { "web-b": 100 } }),
      ],
      send: [[`GET ${ROOT}/`, "a"]],
      findings: ["route-group-missing"],
    }],
  },
  {
    id: "C20",
    title: "A group's edit is picked up live",
    steps: [
      { path: "/x", x: "b", y: "a" },
      { path: "/y", x: "a", y: "b" },
    ].map(({ path, x, y }) => ({
      given: [
        ...W_ONE,
        routeGroup("rg", { path }),
        split("split", { service: "web", matches: ["rg"], backends: { "web-b": 100 } }),
      ],
      send: [[`GET ${ROOT}/x`, x] as const, [`GET ${ROOT}/y`, y] as const],
    })),
  },
  {
    id: "C21",
    title: "Weights apply inside a matched route",
    steps: [{
      given: [
        ...W_ONE,
        routeGroup("rg", { path: "/api", methods: ["GET"] }),
        split("split", { service: "web", matches: ["rg"], backends: { "web-a": 3, "web-b": 5 } }),
      ],
      send: [[`16 GET ${ROOT}/api`, "a 6, b 10"], [`8 GET ${ROOT}/api`, "a 3, b 5"]],
      findings: ["unmatched-reaches-backends"],
    }],
  },
  {
    id: "x-route-versions",
    title: "Every served version of HTTPRouteGroup, in its own layout",
    steps: ["v1alpha1", "v1alpha2", "v1alpha3", "v1alpha4"].map((version) => {
      const matches = [{ name: "m", pathRegex: "/api", methods: ["GET"] }];
      const isOld = version === "v1alpha1" || version === "v1alpha2";
      return {
        given: [
          ...W_ONE,
          {
            apiVersion: `specs.smi-spec.io/${version}`,
            kind: "HTTPRouteGroup",
            metadata: { name: "rg", namespace: "app" },
            ...(isOld ? { matches } : { spec: { matches } }),
          },
          split("split", { service: "web", matches: ["rg"], backends: { "web-b": 100 } }),
        ],
        send: [[`GET ${ROOT}/api`, "b"] as const, [`POST ${ROOT}/api`, "a"] as const],
      };
    }),
  },
  {
    id: "C22",
    title: "Top-level matches under v1alpha4",
    steps: [{
      given: [
        ...W_ONE,
        {
          apiVersion: "specs.smi-spec.io/v1alpha4",
          kind: "HTTPRouteGroup",
          metadata: { name: "rg", namespace: "app" },
          matches: [{ name: "m", headers: { "user-agent": ".*Firefox.*" } }],
        },
        split("split", { service: "web", matches: ["rg"], backends: { "web-b": 100 } }),
      ],
      send: [
        [`GET ${ROOT}/ [User-Agent: Firefox]`, "b"],
        [`GET ${ROOT}/ [User-Agent: curl]`, "a"],
      ],
      findings: ["layout-legacy"],
    }],
  },
  matching("x-anchor", "A path is anchored at its start only, without the query (3.4)", [
    { path: "/test" },
  ], [
    [`GET ${ROOT}/test`, "b"],
    [`GET ${ROOT}/test/x`, "b"],
    [`GET ${ROOT}/testing`, "b"],
    [`GET ${ROOT}/test?x=1`, "b"],
    [`GET ${ROOT}/v1/test`, "a"],
    [`GET ${ROOT}/demo?next=/test`, "a"],
    [`GET ${ROOT}/Test`, "a"],
  ]),
  matching("x-anchor-end", "An explicit end anchor counts", [{ path: "^/test$" }], [
    [`GET ${ROOT}/test`, "b"],
    [`GET ${ROOT}/test?x=1`, "b"],
    [`GET ${ROOT}/test/`, "a"],
  ]),
  matching("x-ignore-case", "An inline (?i) is accepted", [{ path: "(?i)/test" }], [
    [`GET ${ROOT}/TEST`, "b"],
    [`GET ${ROOT}/best`, "a"],
  ]),
  matching("x-missing-header", "A missing header never matches, an empty one may", [
    { headers: { "x-v": ".*" } },
  ], [
    [`GET ${ROOT}/`, "a"],
    [`GET ${ROOT}/ [x-v:]`, "b"],
    [`GET ${ROOT}/ [X-V: 1]`, "b"],
  ]),
  matching("x-many-values", "Several values of a header are joined with a comma and a space", [
    { headers: { "x-v": "^1, 2$" } },
  ], [
    [`GET ${ROOT}/ [x-v: 1] [x-v: 2]`, "b"],
    [`GET ${ROOT}/ [x-v: 2] [x-v: 1]`, "a"],
  ]),
  matching("x-header-list", "Headers as a list: two conditions on one name must both hold", [
    { headers: [{ "x-v": "1" }, { "x-v": "2" }] },
  ], [
    [`GET ${ROOT}/ [x-v: 12]`, "b"],
    [`GET ${ROOT}/ [x-v: 1]`, "a"],
  ]),
  matching(
    "x-bad-pattern",
    "A pattern outside the subset leaves out its match and no other",
    [{ path: "/(?=x)" }, { path: "/(" }, { path: "/ok" }],
    [[`GET ${ROOT}/ok`, "b"], [`GET ${ROOT}/x`, "a"]],
    ["pattern-invalid", "pattern-unsupported"],
  ),
  matching(
    "x-catastrophic",
    "A pattern that would take a backtracker ten seconds",
    [{ headers: { "x-v": "^(a+)+$" } }],
    [
      [`GET ${ROOT}/ [x-v: ${"a".repeat(28)}!]`, "a"],
      [`GET ${ROOT}/ [x-v: ${"a".repeat(28)}]`, "b"],
    ],
  ),
];

/** Splits s1, s2, ... each with a group of its own, to one backend each, over fixture W. */
function ranked(
  id: string,
  title: string,
  rules: readonly { readonly match: MatchText; readonly to: string }[],
  send: readonly CaseExchange[],
  findings: readonly string[] = [],
): SmiCase {
  const pieces = rules.map(({ match, to }, index) => [
    routeGroup(`g${index}`, match),
    split(`s${index}`, { service: "web", matches: [`g${index}`], backends: { [`web-${to}`]: 1 } }),
  ]);
  const renamed = rules.map(({ match, to }, index) => [
    routeGroup(`g${index}`, match),
    split(`s${9 - index}`, {
      service: "web",
      matches: [`g${index}`],
      backends: { [`web-${to}`]: 1 },
    }),
  ]);
  // In both orders in the file, and with the names the other way round: none of it may matter.
  const givens = [pieces, [...pieces].reverse(), renamed];
  return {
    id,
    title,
    steps: givens.map((given) => ({ given: [...W_NONE, ...given.flat()], send, findings })),
  };
}

/** Fixture W whose root has no endpoints of its own: what no rule takes is refused. */
const W_NONE: readonly Manifest[] = [service("web", {}), ...W_ONE.slice(1)];

const NOTHING = "503 no-endpoints";

const ORDER_CASES: readonly SmiCase[] = [
  ranked("D3", "Header-qualified rule beats the same path without header", [
    { match: { path: "/p" }, to: "a" },
    { match: { path: "/p", headers: { "x-v": "2" } }, to: "b" },
  ], [[`GET ${ROOT}/p [x-v: 2]`, "b"], [`GET ${ROOT}/p`, "a"], [`GET ${ROOT}/q`, NOTHING]]),
  ranked("D4", "Header rule on any path beats bare `.*`", [
    { match: { path: ".*" }, to: "a" },
    { match: { headers: { "x-v": "2" } }, to: "b" },
  ], [[`GET ${ROOT}/ [x-v: 2]`, "b"], [`GET ${ROOT}/`, "a"]]),
  ranked("D5", "Method list beats `*` on the same path", [
    { match: { path: "/p", methods: ["*"] }, to: "a" },
    { match: { path: "/p", methods: ["GET"] }, to: "b" },
  ], [[`GET ${ROOT}/p`, "b"], [`POST ${ROOT}/p`, "a"]]),
  ranked("x-fewer-methods", "Fewer methods beat more on the same path", [
    { match: { path: "/p", methods: ["GET", "POST"] }, to: "a" },
    { match: { path: "/p", methods: ["POST"] }, to: "b" },
  ], [[`GET ${ROOT}/p`, "a"], [`POST ${ROOT}/p`, "b"]]),
  ranked("x-methods-catch-all", "An omitted path and `.*` rank alike, so methods decide", [
    { match: { path: ".*" }, to: "a" },
    { match: { methods: ["GET"] }, to: "b" },
  ], [[`GET ${ROOT}/p`, "b"], [`POST ${ROOT}/p`, "a"]]),
  ranked("x-longer", "The more specific path is tried first", [
    { match: { path: "/" }, to: "a" },
    { match: { path: "/api" }, to: "b" },
    { match: { path: "/api/v2" }, to: "c" },
  ], [[`GET ${ROOT}/api/v2/x`, "c"], [`GET ${ROOT}/api/v1`, "b"], [`GET ${ROOT}/demo`, "a"]]),
  ranked("x-shadow-fsm", "/abc does not lose to /a, which FSM's string order puts first", [
    { match: { path: "/a" }, to: "a" },
    { match: { path: "/abc" }, to: "b" },
  ], [[`GET ${ROOT}/abc`, "b"], [`GET ${ROOT}/ab`, "a"]]),
  ranked("x-catch-all-header", "A catch-all with a header comes after a path without", [
    { match: { path: "/p" }, to: "a" },
    { match: { headers: { "x-v": "2" } }, to: "b" },
  ], [[`GET ${ROOT}/p [x-v: 2]`, "a"], [`GET ${ROOT}/q [x-v: 2]`, "b"]]),
  ranked("x-two-headers", "Two header conditions beat one", [
    { match: { path: "/p", headers: { "x-a": "1" } }, to: "a" },
    { match: { path: "/p", headers: { "x-a": "1", "x-b": "1" } }, to: "b" },
  ], [[`GET ${ROOT}/p [x-a: 1] [x-b: 1]`, "b"], [`GET ${ROOT}/p [x-a: 1]`, "a"]]),
  ranked("x-method-falls-on", "A GET-only rule does not stop POST from trying the next", [
    { match: { path: "/test", methods: ["GET"] }, to: "a" },
    { match: { path: ".*" }, to: "b" },
  ], [[`GET ${ROOT}/test`, "a"], [`POST ${ROOT}/test`, "b"]]),
];

function plain(name: string, to: string, createdAt?: string): Manifest {
  return split(name, {
    service: "web",
    backends: { [`web-${to}`]: 1 },
    ...(createdAt && { createdAt }),
  });
}

const SEVERAL_CASES: readonly SmiCase[] = [
  {
    id: "D7",
    title: "Same rule in two splits, same backends: harmless",
    steps: [{
      given: [
        ...W_ONE,
        routeGroup("g1", { path: "/p" }),
        routeGroup("g2", { path: "/p" }),
        split("s1", { service: "web", matches: ["g1"], backends: { "web-b": 100 } }),
        split("s2", { service: "web", matches: ["g2"], backends: { "web-b": 1 } }),
      ],
      send: [[`8 GET ${ROOT}/p`, "b"]],
    }],
  },
  {
    id: "x-rule-conflict",
    title: "Same rule in two splits, different backends: the oldest counts",
    steps: [undefined, "2024-01-01T00:00:00Z"].map((createdAt) => ({
      given: [
        ...W_ONE,
        routeGroup("g", { path: "/p" }),
        split("s1", { service: "web", matches: ["g"], backends: { "web-b": 1 } }),
        split("s2", {
          service: "web",
          matches: ["g"],
          backends: { "web-c": 1 },
          ...(createdAt && { createdAt }),
        }),
      ],
      send: [[`8 GET ${ROOT}/p`, createdAt === undefined ? "b" : "c"] as const],
      findings: ["rule-conflict"],
    })),
  },
  {
    id: "D9",
    title: "Two plain splits of one root: the oldest counts, then the name",
    steps: [
      {
        given: [...W_ALL, plain("old", "a"), plain("young", "b")],
        send: [[`20 GET ${ROOT}/`, "a"]],
        findings: ["split-conflict"],
      },
      { given: [...W_ALL, plain("young", "b")], send: [[`20 GET ${ROOT}/`, "b"]] },
      {
        given: [
          ...W_ALL,
          plain("a-young", "a", "2024-01-01T00:00:00Z"),
          plain("z-old", "b", "2023-12-31T23:30:00-01:00"),
          plain("m-older", "c", "2023-12-31T23:00:00Z"),
          plain("none", "a"),
        ],
        send: [[`20 GET ${ROOT}/`, "c"]],
        findings: ["split-conflict"],
      },
    ],
  },
  {
    id: "D11",
    title: "A split before plain routing",
    steps: [{
      given: [
        ...W_ONE,
        routeGroup("rg", { path: "/api" }),
        split("split", { service: "web", matches: ["rg"], backends: { "web-b": 1 } }),
      ],
      send: [[`GET ${ROOT}/api`, "b"], [`GET ${ROOT}/`, "a"]],
    }],
  },
  {
    id: "D12",
    title: "Nested splits are not followed",
    steps: [{
      given: [
        ...W_ALL,
        split("split", { service: "web", backends: { "web-b": 100 } }),
        split("inner", { service: "web-b", backends: { "web-c": 100 } }),
      ],
      send: [[`5 GET ${ROOT}/`, "b"], ["5 GET http://web-b.app/", "c"]],
    }],
  },
  {
    id: "D13",
    title: "Circular pair: one hop each",
    steps: [{
      given: [
        ...W_ALL,
        split("s1", { service: "web-a", backends: { "web-b": 100 } }),
        split("s2", { service: "web-b", backends: { "web-a": 100 } }),
      ],
      send: [["5 GET http://web-a.app/", "b"], ["5 GET http://web-b.app/", "a"]],
    }],
  },
  {
    id: "x-plain-fallback",
    title: "A split without matches takes what no rule takes, even beside a GET-only catch-all",
    steps: [{
      given: [
        ...W_ALL,
        routeGroup("g", { path: ".*", methods: ["GET"] }),
        split("rules", { service: "web", matches: ["g"], backends: { "web-b": 1 } }),
        plain("plain", "c"),
      ],
      send: [[`5 GET ${ROOT}/`, "b"], [`5 POST ${ROOT}/`, "c"]],
    }],
  },
  {
    id: "x-missing-groups-only",
    title: "A split whose groups are all missing does not become a plain one",
    steps: [{
      given: [
        ...W_ONE,
        split("split", { service: "web", matches: ["no", "none"], backends: { "web-b": 1 } }),
        plain("plain", "c"),
      ],
      send: [[`5 GET ${ROOT}/`, "c"]],
      findings: ["route-group-missing"],
    }],
  },
  {
    id: "x-empty-matches",
    title: "A split whose list of matches is empty is one without matches",
    steps: [{
      given: [
        ...W_ONE,
        split("split", { service: "web", matches: [], backends: { "web-b": 1 } }),
      ],
      send: [[`5 GET ${ROOT}/`, "b"]],
    }],
  },
  {
    id: "x-some-groups-missing",
    title: "Of several groups the one that is there still counts",
    steps: [{
      given: [
        ...W_ONE,
        routeGroup("rg", { path: "/one" }),
        split("split", { service: "web", matches: ["none", "rg"], backends: { "web-b": 1 } }),
      ],
      send: [[`GET ${ROOT}/one`, "b"], [`GET ${ROOT}/two`, "a"]],
      findings: ["route-group-missing"],
    }],
  },
  {
    id: "x-rollouts",
    title: "Argo Rollouts: the stable Service is root and backend at once",
    steps: [0, 20, 100].map((canary) => ({
      given: [
        service("web", { selector: { backend: "web-a" } }),
        ...W_ONE.slice(1),
        split("split", {
          service: "web",
          version: "v1alpha3",
          backends: { "web-b": canary, "web": 100 - canary },
        }),
      ],
      send: [
        [
          `20 GET ${ROOT}/`,
          canary === 0 ? "a" : canary === 100 ? "b" : `b ${canary / 5}, a ${20 - canary / 5}`,
        ] as const,
      ],
    })),
  },
  {
    id: "x-own-sequences",
    title: "Each rule has a sequence of its own",
    steps: [{
      given: [
        ...W_ALL,
        routeGroup("g", { path: "/one" }, { path: "/two" }),
        split("rules", { service: "web", matches: ["g"], backends: { "web-a": 3, "web-b": 1 } }),
        plain("plain", "c"),
      ],
      send: [
        [`2 GET ${ROOT}/one`, "a 1, b 1"],
        [`4 GET ${ROOT}/two`, "a 3, b 1"],
        [`2 GET ${ROOT}/one`, "a"],
      ],
    }],
  },
  {
    id: "x-unrelated-change",
    title: "An unrelated change restarts no sequence",
    steps: [[], [routeGroup("new", { path: "/x" })], [service("new", { selector: { app: "web" } })]]
      .map((more, index) => ({
        given: [...W_ALL, plain("plain", "c"), ...more, ...[
          routeGroup("g", { path: "/p" }),
          split("rules", { service: "web", matches: ["g"], backends: { "web-a": 3, "web-b": 1 } }),
        ]],
        // The canonical 3:1 is a b a a: one from each step, not the first one again.
        send: [[`1 GET ${ROOT}/p`, ["a", "b", "a"][index]] as const],
      })),
  },
  {
    id: "x-root-foreign",
    title: "A split of a root in another namespace has no effect",
    steps: [{
      given: [...W_ONE, split("other/split", { service: "web.app", backends: { "web-b": 1 } })],
      send: [[`5 GET ${ROOT}/`, "a"]],
      findings: ["split-root-foreign"],
    }],
  },
  {
    id: "x-root-missing",
    title: "A split without a root has no effect",
    steps: [{
      given: [...W_ONE, split("split", { service: "wev", backends: { "web-b": 1 } })],
      send: [[`5 GET ${ROOT}/`, "a"], ["GET http://wev.app/", "404 host-unknown"]],
      findings: ["split-root-missing"],
    }],
  },
  {
    id: "x-host-kept",
    title: "A backend that is addressed directly is not split",
    steps: [{
      given: [...W_ALL, plain("plain", "b")],
      send: [["5 GET http://web-a.app/", "a"], ["5 GET http://web-b.app/", "b"]],
    }],
  },
];

testCases([...MATCH_CASES, ...ORDER_CASES, ...SEVERAL_CASES]);
