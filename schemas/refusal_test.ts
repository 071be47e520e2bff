/**
 * Objects with a field that their kind does not have: each is one error that says what was meant, and none counts.
 */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { firstFinding, load } from "./testing.ts";

const SPLIT = "split.smi-spec.io/v1alpha4 TrafficSplit";
const GROUP = "specs.smi-spec.io/v1alpha4 HTTPRouteGroup";
const ROUTE = "specs.smi-spec.io/v1alpha4 TCPRoute";
const TARGET = "access.smi-spec.io/v1alpha3 TrafficTarget";
const POLICY = "weft.dev/v1alpha1 TrafficPolicy";

const BACKENDS = "backends: [{service: a, weight: 1}]";
const MATCHES = "[{kind: HTTPRouteGroup, name: g}]";
const DESTINATION = "destination: {kind: ServiceAccount, name: d}";
const SOURCES = "sources: [{kind: ServiceAccount, name: s}]";
const RULES = "rules: [{kind: HTTPRouteGroup, name: g}]";
const REFS = "targetRefs: [{kind: Service, name: web}]";

/** Kind and version, the object's text, the field that is reported, and the hint. */
const UNKNOWN: readonly (readonly [of: string, body: string, field: string, hint: RegExp])[] = [
  [SPLIT, `spec: {service: web, ${BACKENDS}, match: ${MATCHES}}`, "spec.match", /"matches"\?/],
  [SPLIT, `spec: {service: web, ${BACKENDS}, Matches: ${MATCHES}}`, "spec.Matches", /"matches"\?/],
  [SPLIT, `spec: {service: web, ${BACKENDS}, condition: x}`, "spec.condition", /service, matches/],
  [SPLIT, `spec: {service: web, ${BACKENDS}}\nmatches: ${MATCHES}`, "matches", /in "spec"/],
  [SPLIT, `service: web\n${BACKENDS}`, "service", /in "spec"/],
  [
    SPLIT,
    `spec: {service: web, ${BACKENDS}, matches: [{pathRegex: /x}]}`,
    "spec.matches[0].pathRegex",
    /HTTPRouteGroup has one/,
  ],
  [GROUP, "spec: {routes: [{name: m}]}", "spec.routes", /those here are matches/],
  [SPLIT, `spec: {service: web, backend: []}`, "spec.backend", /"backends"\?/],
  [
    SPLIT,
    "spec: {service: web, backends: [{service: a, weigth: 1}]}",
    "spec.backends[0].weigth",
    /"weight"\?/,
  ],
  [
    SPLIT,
    "spec: {service: web, backends: [{service: a, weight: 1, matches: []}]}",
    "spec.backends[0].matches",
    /in "spec"/,
  ],
  [
    SPLIT,
    `spec: {service: web, ${BACKENDS}, matches: [{kind: HTTPRouteGroup, name: g, match: [m]}]}`,
    "spec.matches[0].match",
    /apiGroup, kind, name/,
  ],
  [
    GROUP,
    "spec: {matches: [{name: m, pathregex: /x}]}",
    "spec.matches[0].pathregex",
    /"pathRegex"/,
  ],
  [GROUP, "spec: {matches: [{name: m, path: /x}]}", "spec.matches[0].path", /"pathRegex"\?/],
  [GROUP, "spec: {matches: [{name: m, regex: /x}]}", "spec.matches[0].regex", /"pathRegex"\?/],
  [GROUP, "spec: {matches: [{name: m, method: [GET]}]}", "spec.matches[0].method", /"methods"\?/],
  [GROUP, "spec: {matches: [{name: m, header: {}}]}", "spec.matches[0].header", /"headers"\?/],
  [GROUP, "spec: {matches: [{name: m, host: a}]}", "spec.matches[0].host", /name, pathRegex/],
  [GROUP, "spec: {match: [{name: m}]}", "spec.match", /"matches"\?/],
  [GROUP, "spec: {matches: [], pathRegex: /x}", "spec.pathRegex", /in "spec\.matches\[\]"/],
  [GROUP, "matches: [{name: m, path: /x}]", "matches[0].path", /"pathRegex"\?/],
  [
    GROUP.replace("4", "1"),
    "matches: [{name: m, headers: {a: b}}]",
    "matches[0].headers",
    /^Write apiVersion "specs\.smi-spec\.io\/v1alpha4"/,
  ],
  [GROUP.replace("4", "2"), "spec: {matches: [{name: m}]}", "spec", /v1alpha4"/],
  [ROUTE, "spec: {matches: {port: [80]}}", "spec.matches.port", /"ports"\?/],
  [ROUTE, "spec: {ports: [80]}", "spec.ports", /in "spec\.matches"/],
  [ROUTE.replace("4", "3"), "spec: {matches: {ports: [80]}}", "spec.matches", /v1alpha4"/],
  [TARGET, `spec: {${DESTINATION}, ${SOURCES}, rule: []}`, "spec.rule", /"rules"\?/],
  [
    TARGET,
    `spec: {${DESTINATION}, ${SOURCES}, rules: [{kind: HTTPRouteGroup, name: g, match: [m]}]}`,
    "spec.rules[0].match",
    /"matches"\?/,
  ],
  [
    TARGET,
    `spec: {${DESTINATION}, ${RULES}, sources: [{kind: ServiceAccount, name: s, namespce: n}]}`,
    "spec.sources[0].namespce",
    /"namespace"\?/,
  ],
  [TARGET, `spec: {${DESTINATION}, ${SOURCES}, ${RULES}, port: 80}`, "spec.port", /destination"/],
  [POLICY, `spec: {${REFS}, ratelimit: {http: {requests: 1}}}`, "spec.ratelimit", /"rateLimit"\?/],
  [POLICY, `spec: {${REFS}}\ntimeouts: {request: 1s}`, "timeouts", /in "spec"/],
  [
    POLICY,
    `spec: {${REFS}, timeouts: {perTryTimeout: 1s}}`,
    "spec.timeouts.perTryTimeout",
    /retry"/,
  ],
  [
    POLICY,
    `spec: {targetRefs: [{kind: Service, name: web, port: 80}]}`,
    "spec.targetRefs[0].port",
    /./,
  ],
  [POLICY, `spec: {${REFS}, requestTimeout: 5s}`, "spec.requestTimeout", /"timeouts"\?/],
  [POLICY, `spec: {${REFS}, retries: {}}`, "spec.retries", /"retry"\?/],
  [POLICY, `spec: {targetRef: [{kind: Service, name: web}]}`, "spec.targetRef", /"targetRefs"\?/],
];

for (const [of, body, field, hint] of UNKNOWN) {
  Deno.test(`a field that ${of.split(" ")[1]} does not have costs the object: ${body}`, () => {
    const [apiVersion, kind] = of.split(" ");
    const loaded = load(`apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: x}\n${body}\n`);
    const findings = loaded.findings.filter(({ code }) => code !== "layout-legacy");
    assert.deepEqual(
      findings.slice(0, 1).map(({ code, severity, field }) => [code, severity, field]),
      [["field-unknown", "error", field]],
    );
    assert.match(firstFinding({ findings }).hint, hint);
    assert.ok(findings.every(({ code }) => code === "field-unknown"), "one cause, one finding");
    const resources = Object.values(loaded.snapshot).flat();
    assert.ok(resources.every((resource) => "isRefused" in resource && resource.isRefused));
  });
}

Deno.test("a misspelt field of metadata costs an SMI object, and is a warning elsewhere", () => {
  const metadata = "metadata: {name: x, namespce: app}";
  const group = load(
    `apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\n${metadata}\nspec: {matches: [{name: m}]}\n`,
  );
  const service = load(`apiVersion: v1\nkind: Service\n${metadata}\n`);
  for (const [loaded, code] of [[group, "field-unknown"], [service, "field-misspelt"]] as const) {
    assert.deepEqual(loaded.findings.map(({ code, hint }) => [code, hint]), [
      [code, 'Did you mean "namespace"?'],
    ]);
  }
  assert.equal(group.snapshot.httpRouteGroups[0]?.isRefused, true);
  assert.equal(service.snapshot.services.length, 1);
});

Deno.test("what a cluster writes into an object is no mistake", () => {
  const loaded = load(`apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata:
  name: s
  uid: 6c0d
  resourceVersion: "1"
  generation: 2
  selfLink: /x
  creationTimestamp: "2024-01-01T00:00:00Z"
  managedFields: [{manager: kubectl, fieldsV1: {"f:spec": {}}}]
  ownerReferences: []
  finalizers: []
  annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}"}
  someNewField: 1
spec: {service: web, backends: [{service: a, weight: 1}]}
status: {conditions: []}
`);
  assert.deepEqual(loaded.findings, []);
});

Deno.test("fields of Kubernetes' own kinds that Weft does not know are none of its business", () => {
  const loaded = load(`apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  somethingNew: 1
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i, newer: 1}], newest: 2}}
`);
  assert.deepEqual(loaded.findings, []);
});

/** Objects in which every object of their schemas has all its fields, as far as they go together. */
const WHOLE: readonly (readonly [of: string, body: string])[] = [
  [SPLIT, `spec: {service: web, ${BACKENDS}, matches: ${MATCHES}}`],
  [
    GROUP,
    "spec: {matches: [{name: m, pathRegex: /x, methods: [GET], headers: {a: b}}]}",
  ],
  [
    GROUP.replace("4", "2"),
    "matches: [{name: m, pathRegex: /x, methods: [GET], headers: {a: b}}]",
  ],
  [ROUTE, "spec: {matches: {name: m, ports: [80]}}"],
  [TARGET, `spec: {${DESTINATION}, ${SOURCES}, ${RULES}}`],
  [
    TARGET.replace("3", "1"),
    "destination: {kind: ServiceAccount, name: d, namespace: x, port: 80}\n" +
    `${SOURCES}\nspecs: [{kind: HTTPRouteGroup, name: g, matches: [m]}]`,
  ],
  [
    POLICY,
    `spec:
  ${REFS}
  loadBalancing: {algorithm: RingHash, hashKey: {header: a}, maxLoadPercent: 150}
  outlierDetection: {consecutiveFailures: 1, ejectionTime: 1s, maxEjectedPercent: 1, panicThresholdPercent: 1}
  slowStart: {window: 1s}
  connectionLimits: {maxConnections: 1, maxPending: 1, maxRequests: 1}
  retry: {attempts: 1, retryOn: [5xx], methods: [GET], perTryTimeout: 1s, budgetPercent: 1, backoff: 1ms}
  timeouts: {request: 1s, idle: 1s}
  rateLimit: {http: {requests: 1, per: 1s, burst: 1}, tcp: {connections: 1}, status: 429, headers: [{name: a, value: b}]}
  headers: {request: {set: [{name: a, value: b}], add: [], remove: [c]}, response: {remove: [d]}}
  fault: {delay: {percent: 1, duration: 1s}, abort: {percent: 1, status: 503}}
  mirror: {service: copy, percent: 1}
  sessionAffinity: {cookie: c, ttl: 1s}`,
  ],
];

interface Slip {
  readonly text: string;
  readonly field: string;
}

/** The object with one letter more in one of its fields, for each of them; names of headers are free. */
function slipsIn(value: unknown, path: string): { value: unknown; field: string }[] {
  if (Array.isArray(value)) {
    return value.flatMap((item, index) =>
      slipsIn(item, `${path}[${index}]`).map((slip) => ({
        ...slip,
        value: value.with(index, slip.value),
      }))
    );
  }
  if (typeof value !== "object" || value === null || /matches\[0\]\.headers$/.test(path)) return [];
  return Object.entries(value).flatMap(([key, child]) => {
    const { [key]: _, ...rest } = value as Record<string, unknown>;
    const at = path === "" ? key : `${path}.${key}`;
    return [
      { value: { ...rest, [`${key}x`]: child }, field: `${at}x` },
      ...slipsIn(child, at).map((slip) => ({ ...slip, value: { ...rest, [key]: slip.value } })),
    ];
  });
}

for (const [of, body] of WHOLE) {
  Deno.test(`a slip in any field of ${of} costs the object, and is one finding`, () => {
    const [apiVersion, kind] = of.split(" ");
    const head = `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: x}\n`;
    const sound = load(head + body);
    assert.deepEqual(sound.findings, []);
    const slips: Slip[] = slipsIn(parse(body), "").map(({ value, field }) => ({
      text: JSON.stringify({ apiVersion, kind, metadata: { name: "x" }, ...value as object }),
      field,
    }));
    assert.ok(slips.length > 3);
    for (const { text, field } of slips) {
      const loaded = load(text);
      assert.deepEqual(
        loaded.findings.map(({ code, field }) => [code, field]),
        [["field-unknown", field]],
        text,
      );
      const resources = Object.values(loaded.snapshot).flat();
      assert.ok(resources.every((resource) => "isRefused" in resource && resource.isRefused));
    }
  });
}
