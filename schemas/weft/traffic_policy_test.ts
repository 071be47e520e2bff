/**
 * TrafficPolicy: defaults, units, and what a field that cannot be read costs.
 */
import assert from "node:assert/strict";
import type { PolicySettings } from "../../base/policy.ts";
import { firstFinding, load, only, summaries } from "../testing.ts";

const HEAD = "apiVersion: weft.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: {name: p}\nspec:\n" +
  "  targetRefs: [{kind: Service, name: web}]\n";

function policy(sections: string) {
  return load(HEAD + sections);
}

function settingsOf(sections: string): PolicySettings {
  const loaded = policy(sections);
  assert.deepEqual(loaded.findings, [], sections);
  return only(loaded.snapshot.trafficPolicies).settings;
}

Deno.test("TrafficPolicy: every section with every field", () => {
  const settings = settingsOf(`
  loadBalancing: {algorithm: RingHash, hashKey: {header: X-User}, maxLoadPercent: 150}
  outlierDetection: {consecutiveFailures: 3, ejectionTime: 1m, maxEjectedPercent: 33.3, panicThresholdPercent: 0}
  slowStart: {window: 1m30s}
  connectionLimits: {maxConnections: 10, maxPending: 0, maxRequests: 20}
  retry: {attempts: 3, retryOn: [timeout, 5xx, 429, "409"], methods: [POST, GET], perTryTimeout: 500ms, budgetPercent: 10, backoff: 1s}
  timeouts: {request: 2s, idle: 1h}
  rateLimit: {http: {requests: 5, per: 1m, burst: 7}, tcp: {connections: 2}, status: 503, headers: [{name: X-Why, value: too much}]}
  headers: {request: {set: [{name: A, value: b}], add: [{name: C, value: ""}], remove: [D]}, response: {remove: [Server]}}
  fault: {delay: {percent: 0.5, duration: 10ms}, abort: {status: 503}}
  mirror: {service: copy, percent: 5}
  sessionAffinity: {cookie: Session, ttl: 1500ms}
`);
  const nothing = { set: [], add: [], remove: [] };
  assert.deepEqual(settings, {
    loadBalancing: {
      algorithm: "RingHash",
      hashKey: { source: "header", name: "x-user" },
      maxLoadPercent: 150,
    },
    outlierDetection: {
      consecutiveFailures: 3,
      ejectionTimeMs: 60_000,
      maxEjectedPercent: 33.3,
      panicThresholdPercent: 0,
    },
    slowStart: { windowMs: 90_000 },
    connectionLimits: { maxConnections: 10, maxPending: 0, maxRequests: 20 },
    retry: {
      attempts: 3,
      conditions: ["5xx", "timeout"],
      statuses: [409, 429],
      methods: ["GET", "POST"],
      perTryTimeoutMs: 500,
      budgetPercent: 10,
      backoffMs: 1_000,
    },
    timeouts: { requestMs: 2_000, idleMs: 3_600_000 },
    rateLimit: {
      http: { count: 5, perMs: 60_000, burst: 7 },
      tcp: { count: 2, perMs: 1_000, burst: 2 },
      status: 503,
      headers: [{ name: "x-why", value: "too much" }],
    },
    headers: {
      request: {
        set: [{ name: "a", value: "b" }],
        add: [{ name: "c", value: "" }],
        remove: ["d"],
      },
      response: { ...nothing, remove: ["server"] },
    },
    fault: { delay: { percent: 0.5, durationMs: 10 }, abort: { percent: 100, status: 503 } },
    mirror: { service: "copy", percent: 5 },
    sessionAffinity: { key: { source: "cookie", name: "Session" }, ttlSeconds: 2 },
  });
});

Deno.test("TrafficPolicy: a timeout of 0s, however it is written, is none", () => {
  for (const zero of ["0s", "0ms", "0h0m"]) {
    assert.deepEqual(settingsOf(`  timeouts: {request: ${zero}, idle: ${zero}}`).timeouts, {
      requestMs: 0,
      idleMs: 0,
    });
    assert.equal(settingsOf(`  retry: {perTryTimeout: ${zero}}`).retry?.perTryTimeoutMs, null);
  }
  assert.deepEqual(settingsOf("  timeouts: {idle: 0s}").timeouts, { requestMs: null, idleMs: 0 });
});

Deno.test("TrafficPolicy: an empty section is all defaults", () => {
  const settings = settingsOf(
    "  outlierDetection: {}\n  connectionLimits: {}\n  retry: {}\n  timeouts: {}\n" +
      "  rateLimit: {http: {requests: 4}}\n  headers: {}\n  fault: {}\n",
  );
  const nothing = { set: [], add: [], remove: [] };
  assert.deepEqual(settings, {
    outlierDetection: {
      consecutiveFailures: 5,
      ejectionTimeMs: 30_000,
      maxEjectedPercent: 50,
      panicThresholdPercent: 50,
    },
    connectionLimits: { maxConnections: null, maxPending: 1_024, maxRequests: null },
    retry: {
      attempts: 2,
      conditions: ["gateway-error", "reset", "connect-failure"],
      statuses: [],
      methods: ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"],
      perTryTimeoutMs: null,
      budgetPercent: 20,
      backoffMs: 25,
    },
    timeouts: { requestMs: null, idleMs: null },
    rateLimit: {
      http: { count: 4, perMs: 1_000, burst: 4 },
      tcp: null,
      status: 429,
      headers: [],
    },
    headers: { request: nothing, response: nothing },
    fault: { delay: null, abort: null },
  });
});

Deno.test("TrafficPolicy: hash keys", () => {
  const keyOf = (hashKey: string) =>
    settingsOf(`  loadBalancing: {algorithm: RingHash, hashKey: ${hashKey}}\n`).loadBalancing
      ?.hashKey;
  assert.deepEqual(keyOf("{cookie: Sid}"), { source: "cookie", name: "Sid" });
  assert.deepEqual(keyOf("{sourceIp: true}"), { source: "source-ip", name: "" });
  assert.deepEqual(settingsOf("  loadBalancing: {algorithm: LeastRequest}\n"), {
    loadBalancing: { algorithm: "LeastRequest", hashKey: null },
  });
});

Deno.test("TrafficPolicy: targets", () => {
  const loaded = load(
    "apiVersion: weft.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: {name: p}\nspec:\n  targetRefs:\n" +
      "  - {kind: Service, name: web}\n  - {kind: HTTPRouteGroup, name: g, match: m}\n" +
      "  - {kind: HTTPRouteGroup, name: g}\n  - {kind: Service}\n  - {kind: Service, name: web, match: m}\n",
  );
  assert.deepEqual(
    only(loaded.snapshot.trafficPolicies).targets.map(({ kind, name, match }) => [
      kind,
      name,
      match,
    ]),
    [["Service", "web", undefined], ["HTTPRouteGroup", "g", "m"], [
      "HTTPRouteGroup",
      "g",
      undefined,
    ]],
  );
  assert.deepEqual(summaries(loaded), [
    "schema-invalid spec.targetRefs[3].name f.yaml:9:5",
    "schema-invalid spec.targetRefs[4].match f.yaml:10:32",
  ]);
});

Deno.test("TrafficPolicy: a field that cannot be read loses its section and nothing else", () => {
  const bad: Readonly<Record<string, readonly [string, string]>> = {
    "loadBalancing: {algorithm: Random}": ["loadBalancing.algorithm", "not one of"],
    "loadBalancing: {algorithm: RingHash}": ["loadBalancing.hashKey", "missing"],
    "loadBalancing: {algorithm: RingHash, hashKey: {}}": ["loadBalancing.hashKey", "None of"],
    "loadBalancing: {algorithm: RingHash, hashKey: {header: a, cookie: b}}": [
      "loadBalancing.hashKey",
      "More than one",
    ],
    "loadBalancing: {algorithm: RingHash, hashKey: {sourceIp: false}}": [
      "loadBalancing.hashKey.sourceIp",
      "Nothing is left",
    ],
    "loadBalancing: {algorithm: PeakEwma, hashKey: {header: a}}": [
      "loadBalancing.hashKey",
      "no use",
    ],
    "loadBalancing: {algorithm: LeastRequest, maxLoadPercent: 125}": [
      "loadBalancing.maxLoadPercent",
      "no use",
    ],
    "loadBalancing: {algorithm: RingHash, hashKey: {header: a}, maxLoadPercent: 100}": [
      "loadBalancing.maxLoadPercent",
      "101",
    ],
    "outlierDetection: {ejectionTime: 5}": ["outlierDetection.ejectionTime", "not text"],
    "outlierDetection: {ejectionTime: 5 s}": ["outlierDetection.ejectionTime", "no.* duration"],
    "outlierDetection: {maxEjectedPercent: 101}": ["outlierDetection.maxEjectedPercent", "100"],
    "slowStart: {window: 0s}": ["slowStart.window", "not from 1ms"],
    "slowStart: {window: 99999h}": ["slowStart.window", "not from 1ms to 336h"],
    "slowStart: {}": ["slowStart.window", "missing"],
    "connectionLimits: {maxConnections: 0}": ["connectionLimits.maxConnections", "not from"],
    "retry: {retryOn: [5x]}": ["retry.retryOn[0]", "neither"],
    "retry: {retryOn: [200]}": ["retry.retryOn[0]", "neither"],
    "retry: {methods: [CONNECT]}": ["retry.methods[0]", "not one of"],
    "retry: {attempts: 11}": ["retry.attempts", "not from"],
    "rateLimit: {}": ["rateLimit", "None of"],
    "rateLimit: {http: {}}": ["rateLimit.http.requests", "missing"],
    "rateLimit: {http: {requests: 1, per: 0ms}}": ["rateLimit.http.per", "not from"],
    "headers: {request: {set: [{name: Host, value: a}]}}": [
      "headers.request.set[0].name",
      "belongs to the connection",
    ],
    "headers: {response: {remove: [content-length]}}": [
      "headers.response.remove[0]",
      "belongs to the connection",
    ],
    'headers: {request: {add: [{name: a, value: "b\\r\\nc: d"}]}}': [
      "headers.request.add[0].value",
      "form",
    ],
    'headers: {request: {set: [{name: ":path", value: /other}]}}': [
      "headers.request.set[0].name",
      "form",
    ],
    'headers: {response: {remove: [":status"]}}': ["headers.response.remove[0]", "form"],
    "headers: {request: {add: a}}": ["headers.request.add", "not a list"],
    [
      `headers: {request: {add: [${
        Array.from({ length: 5 }, () => `{name: a, value: ${"b".repeat(1_000)}}`).join(", ")
      }]}}`
    ]: ["headers.request", "more than 4096 bytes"],
    "fault: {abort: {percent: -1, status: 503}}": ["fault.abort.percent", "not from"],
    "fault: {delay: {}}": ["fault.delay.duration", "missing"],
    'mirror: {service: "copy:80"}': ["mirror.service", "named without"],
    "mirror: {percent: 5}": ["mirror.service", "missing"],
    "sessionAffinity: {}": ["sessionAffinity", "None of"],
    "sessionAffinity: {header: a, ttl: 1s}": ["sessionAffinity.ttl", "Only a cookie"],
    'sessionAffinity: {cookie: "a;b"}': ["sessionAffinity.cookie", "form"],
  };
  for (const [section, [field, message]] of Object.entries(bad)) {
    const loaded = policy(`  ${section}\n  timeouts: {}\n`);
    const finding = firstFinding(loaded);
    assert.equal(finding.code, "schema-invalid", section);
    assert.equal(finding.field, `spec.${field}`, section);
    assert.match(finding.message, new RegExp(message), section);
    assert.equal(loaded.findings.length, 1, section);
    const { settings } = only(loaded.snapshot.trafficPolicies);
    assert.deepEqual(settings, { timeouts: { requestMs: null, idleMs: null } }, section);
  }
});

Deno.test("TrafficPolicy: a misspelt field is named, and the policy does not count", () => {
  const loaded = policy("  retry: {atempts: 3}\n  retries: {}\n");
  assert.deepEqual(summaries(loaded).sort(), [
    "field-unknown spec.retries f.yaml:7:3",
    "field-unknown spec.retry.atempts f.yaml:6:11",
  ]);
  assert.deepEqual(loaded.findings.map(({ hint }) => hint), [
    'Did you mean "attempts"?',
    'Did you mean "retry"?',
  ]);
  assert.deepEqual(loaded.snapshot.trafficPolicies, []);
});

Deno.test("TrafficPolicy: a near condition is suggested", () => {
  const { hint } = firstFinding(policy("  retry: {retryOn: [gateway-eror]}\n"));
  assert.equal(hint, 'Write "gateway-error"');
});

Deno.test("TrafficPolicy: a duration without a unit, or of another form, says the form", () => {
  const hintOf = (text: string) => firstFinding(policy(`  timeouts: {request: ${text}}\n`)).hint;
  assert.equal(hintOf("5"), 'Write its unit: "5s" or "5ms"');
  assert.equal(hintOf('"30"'), 'Write its unit: "30s" or "30ms"');
  for (const text of ["1.5", "1.5s", "5 s", "2sec", "1d", "PT5S", "true", "soon"]) {
    assert.match(hintOf(text), /h, m, s or ms, such as "1m30s" or "500ms"/, text);
  }
});
