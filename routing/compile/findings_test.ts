/** Every Finding that compile can give: the least that brings it about, and where it points. */
import { deepEqual, equal } from "node:assert/strict";
import {
  type Finding,
  FINDING_CODES,
  type FindingCode,
  formatPosition,
} from "../../base/finding.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import { expandWorkloads } from "../../schemas/workloads.ts";
import {
  backend,
  deployment,
  fileOf,
  type Manifest,
  policy,
  routeGroup,
  service,
  split,
  target,
  W_ALL,
  W_ONE,
} from "../../tests/support/smi_fixtures.ts";
import { compile } from "./compile.ts";
import type { CompileOptions } from "./compiler.ts";

/** Those that its source and that of patterns name: the others come from what reads and keeps plans. */
function codesOfCompile(): string[] {
  const text = [".", "../match"].map(sourceText).join();
  return Object.keys(FINDING_CODES).filter((code) => text.includes(`"${code}"`));
}

/** Of a folder beside this file, without its tests. */
function sourceText(folder: string): string {
  const path = `${import.meta.dirname}/${folder}`;
  const names = [...Deno.readDirSync(path)].map(({ name }) => name);
  return names.filter((name) => name.endsWith(".ts") && !name.endsWith("_test.ts"))
    .map((name) => Deno.readTextFileSync(`${path}/${name}`)).join();
}

function findingsOf(given: readonly Manifest[], options: CompileOptions = {}): readonly Finding[] {
  const { snapshot } = parseManifests([fileOf(given)]);
  return compile(expandWorkloads(snapshot), options).findings;
}

function only(code: FindingCode, findings: readonly Finding[]): Finding[] {
  return findings.filter((finding) => finding.code === code);
}

/** A split of `web` with matches in `groups`, to b. */
function ruled(name: string, ...groups: string[]): Manifest {
  return split(name, { service: "web", matches: groups, backends: { "web-b": 1 } });
}

function alias(name: string, externalName: string): Manifest {
  return { ...service(name, {}), spec: { type: "ExternalName", externalName } };
}

/** What it says of itself in place of what it would. */
function egress(spec: {
  readonly sources?: readonly { readonly kind: string }[];
  readonly [field: string]: unknown;
}): Manifest {
  const source = { kind: "ServiceAccount", name: "sa", namespace: "app" };
  return {
    apiVersion: "weft.dev/v1alpha1",
    kind: "Egress",
    metadata: { name: "e", namespace: "app" },
    spec: {
      ports: [{ number: 80, protocol: "http" }],
      ...spec,
      sources: spec.sources?.map((each) => ({ ...source, ...each })) ?? [source],
    },
  };
}

/** Of `web`, at the port of its pods, with what it says in place of what it would. */
function ingress(
  spec: Readonly<Record<string, unknown>>,
  backend: Readonly<Record<string, unknown>> = {},
): Manifest {
  return {
    apiVersion: "weft.dev/v1alpha1",
    kind: "IngressBackend",
    metadata: { name: "i", namespace: "app" },
    spec: {
      backends: [{ name: "web", port: { number: 80, protocol: "http" }, ...backend }],
      sources: [{ kind: "IPRange", name: "192.0.2.0/24" }],
      ...spec,
    },
  };
}

const GATEWAY = "gateway.networking.k8s.io";

/** A route whose parent is `web`, with one backend or what `more` says. */
function route(
  kind: string,
  more: Readonly<Record<string, unknown>> = {},
  name = "r",
): Manifest {
  return {
    apiVersion: `${GATEWAY}/${kind === "TCPRoute" ? "v1alpha2" : "v1"}`,
    kind,
    metadata: { name, namespace: "app" },
    spec: {
      parentRefs: [{ group: "", kind: "Service", name: "web" }],
      rules: [{ backendRefs: [{ name: "web-a", port: 80 }] }],
      ...more,
    },
  };
}

function pod(spec: Readonly<Record<string, unknown>>): Manifest {
  const containers = [{ name: "main", image: "image" }];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "app" },
    spec: { containers, ...spec },
  };
}

const HTTP_TO_A = target("t", { to: "sa-a", from: ["client/sa"], rules: ["rg"] });

/** Manifests, and the field that the one Finding of the code names. */
const LEAST: Readonly<
  Partial<Record<FindingCode, readonly [readonly Manifest[], field: string, CompileOptions?]>>
> = {
  "split-root-missing": [
    [split("s", { service: "wev", backends: { "web-a": 1 } })],
    "spec.service",
  ],
  "split-root-foreign": [
    [...W_ONE, split("other/s", { service: "web.app", backends: { "web-a": 1 } })],
    "spec.service",
  ],
  "split-conflict": [
    [
      ...W_ONE,
      split("s1", { service: "web", backends: { "web-a": 1 } }),
      split("s2", { service: "web", backends: { "web-b": 1 } }),
    ],
    "spec.service",
  ],
  "split-tcp-matches": [
    [
      service("db", { selector: { app: "web" }, ports: [{ name: "tcp", port: 80 }] }),
      ...backend("web-b"),
      routeGroup("rg", {}),
      split("s", { service: "db", matches: ["rg"], backends: { "web-b": 1 } }),
    ],
    "spec.matches",
  ],
  "split-no-backend": [
    [...W_ONE, split("s", { service: "web", backends: { "web-zz": 1 } })],
    "spec.backends",
  ],
  "backends-empty": [[...W_ONE, split("s", { service: "web", backends: {} })], "spec.backends"],
  "backend-duplicate": [
    [...W_ONE, split("s", { service: "web", backends: [["web-a", 1], ["web-a", 2]] })],
    "spec.backends[1].service",
  ],
  "backend-missing": [
    [...W_ONE, split("s", { service: "web", backends: { "web-a": 1, "web-zz": 2 } })],
    "spec.backends[1].service",
  ],
  "backend-port-missing": [
    [
      ...W_ONE,
      ...backend("web-d", { ports: [81] }),
      split("s", { service: "web", backends: { "web-a": 1, "web-d": 2 } }),
    ],
    "spec.backends[1].service",
  ],
  "backend-no-endpoints": [
    [
      ...W_ONE,
      ...backend("web-d", { replicas: 0 }),
      split("s", { service: "web", backends: { "web-a": 1, "web-d": 2 } }),
    ],
    "spec.backends[1].service",
  ],
  "backend-foreign": [
    [...W_ONE, split("s", { service: "web", backends: { "web-a": 1, "other/web-a": 2 } })],
    "spec.backends[1].service",
  ],
  "backend-is-root": [
    [...W_ONE, split("s", { service: "web", backends: { "web": 1, "web-b": 2 } })],
    "spec.backends[0].service",
  ],
  "backend-is-split": [
    [
      ...W_ONE,
      split("s", { service: "web", backends: { "web-a": 1, "web-b": 2 } }),
      split("inner", { service: "web-b", backends: { "web-c": 1 } }),
    ],
    "spec.backends[1].service",
  ],
  "weights-all-zero": [
    [...W_ONE, split("s", { service: "web", backends: { "web-b": 0 } })],
    "spec.backends",
  ],
  "unmatched-reaches-backends": [
    [...W_ALL, routeGroup("rg", { methods: ["GET"] }), ruled("s", "rg")],
    "spec.matches",
  ],
  "route-group-missing": [[...W_ONE, ruled("s", "rg")], "spec.matches[0].name"],
  "route-group-empty": [[...W_ONE, routeGroup("rg"), ruled("s", "rg")], "spec.matches"],
  "route-group-unused": [[...W_ONE, routeGroup("rg", {})], ""],
  "match-kind-unsupported": [
    [...W_ONE, {
      ...ruled("s", "rg"),
      spec: {
        service: "web",
        matches: [{ kind: "TCPRoute", name: "rg" }],
        backends: [{ service: "web-b", weight: 1 }],
      },
    }],
    "spec.matches[0].kind",
  ],
  "match-name-duplicate": [
    [
      ...W_ONE,
      routeGroup("rg", { name: "m", path: "/a" }, { name: "m", path: "/b" }),
      ruled("s", "rg"),
    ],
    "spec.matches[1].name",
  ],
  "pattern-invalid": [
    [...W_ONE, routeGroup("rg", { path: "/(" }), ruled("s", "rg")],
    "spec.matches[0].pathRegex",
  ],
  "pattern-unsupported": [
    [...W_ONE, routeGroup("rg", {}, { headers: { "x-v": "(?!x)" } }), ruled("s", "rg")],
    "spec.matches[1].headers.x-v",
  ],
  "pattern-too-large": [
    [...W_ONE, routeGroup("rg", { path: "/(a{900}){900}" }), ruled("s", "rg")],
    "spec.matches[0].pathRegex",
  ],
  "pattern-never-matches": [
    [...W_ONE, routeGroup("rg", { path: "api" }), ruled("s", "rg")],
    "spec.matches[0].pathRegex",
  ],
  "rule-shadowed": [
    [
      ...W_ONE,
      routeGroup("rg", { path: "/api/.*" }, { path: "/api/[a-z]?" }),
      ruled("s", "rg"),
    ],
    "spec.matches[0]",
  ],
  "rule-conflict": [
    [
      ...W_ONE,
      routeGroup("rg", { path: "/api" }),
      ruled("s1", "rg"),
      split("s2", { service: "web", matches: ["rg"], backends: { "web-c": 1 } }),
    ],
    "spec.matches",
  ],
  "alias-endless": [[alias("a", "a.app.svc.cluster.local")], "spec.externalName"],
  "selector-matches-nothing": [[service("web", { selector: { app: "wbe" } })], "spec.selector"],
  "target-port-unresolved": [
    [
      service("web", {
        selector: { app: "web" },
        ports: [{ name: "http", port: 80, targetPort: "serve" }],
      }),
      deployment("web", { labels: { app: "web" } }),
    ],
    "spec.ports[0].targetPort",
  ],
  "target-ignored": [[routeGroup("rg", {}), HTTP_TO_A], ""],
  "target-kind-unsupported": [
    [
      target("t", {
        to: "sa-a",
        from: ["client/sa"],
        rules: [{ kind: "UDPRoute", name: "rg" }],
      }),
    ],
    "spec.rules[0].kind",
    { permissive: false },
  ],
  "target-account-unused": [
    [
      HTTP_TO_A,
      { apiVersion: "v1", kind: "Namespace", metadata: { name: "app" } },
    ],
    "spec.destination.name",
    { permissive: false },
  ],
  "target-foreign": [
    [target("t", { to: "other/sa-a", from: ["client/sa"], rules: [] })],
    "spec.destination.namespace",
    { permissive: false },
  ],
  "target-route-missing": [[HTTP_TO_A], "spec.rules[0].name", { permissive: false }],
  "target-not-enforced": [
    [HTTP_TO_A, pod({ hostNetwork: true, serviceAccountName: "sa-a" })],
    "spec.destination.name",
    { permissive: false },
  ],
  "workload-bypasses-mesh": [
    [pod({ securityContext: { runAsUser: 1500 } })],
    "spec.securityContext.runAsUser",
  ],
  "workload-host-network": [[pod({ hostNetwork: true })], "spec.hostNetwork"],
  "affinity-timeout-ignored": [
    [{
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web", namespace: "app" },
      spec: {
        ports: [{ port: 80 }],
        sessionAffinity: "ClientIP",
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } },
      },
    }],
    "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
  ],
  "policy-target-missing": [
    [policy("p", { timeouts: {} })],
    "spec.targetRefs[0].name",
  ],
  "policy-target-kind-unsupported": [
    [policy("p", { timeouts: {} }, [{ kind: "Gateway", name: "web" }])],
    "spec.targetRefs[0].kind",
  ],
  "policy-conflict": [
    [...W_ALL, policy("p", { timeouts: {} }), policy("q", { timeouts: {}, retry: {} })],
    "spec.timeouts",
  ],
  "policy-empty": [[...W_ALL, policy("p", {})], ""],
  "policy-section-unsupported": [
    [
      ...W_ALL,
      routeGroup("rg", {}),
      ruled("s", "rg"),
      policy("p", { slowStart: { window: "1s" } }, [{ kind: "HTTPRouteGroup", name: "rg" }]),
    ],
    "spec.slowStart",
  ],
  "policy-not-http": [
    [
      service("web", { ports: [{ name: "tcp", port: 80 }] }),
      policy("p", { timeouts: { idle: "1s" }, retry: {} }),
    ],
    "spec.retry",
  ],
  "policy-match-unused": [
    [
      ...W_ALL,
      routeGroup("rg", { name: "m" }),
      policy("p", { retry: {} }, [{ kind: "HTTPRouteGroup", name: "rg", match: "m" }]),
    ],
    "spec.targetRefs[0]",
  ],
  "mtls-mode-invalid": [
    [{
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "app", annotations: { "weft.dev/mtls-mode": "on" } },
    }],
    "metadata.annotations.weft.dev/mtls-mode",
  ],
  "egress-ignored": [[egress({})], ""],
  "egress-kind-unsupported": [[egress({ sources: [{ kind: "Group" }] })], "spec.sources[0].kind"],
  "egress-route-missing": [
    [egress({ matches: [{ kind: "HTTPRouteGroup", name: "none" }] })],
    "spec.matches[0].name",
  ],
  "egress-account-unused": [
    [egress({}), { apiVersion: "v1", kind: "Namespace", metadata: { name: "app" } }],
    "spec.sources[0].name",
  ],
  "egress-port-blind": [
    [egress({ hosts: ["a.example"], ports: [{ number: 22, protocol: "tcp" }] })],
    "spec.ports[0]",
  ],
  "ingress-kind-unsupported": [
    [...W_ALL, ingress({ sources: [{ kind: "Group", name: "g" }] })],
    "spec.sources[0].kind",
  ],
  "ingress-backend-missing": [
    [...W_ALL, ingress({}, { name: "none" })],
    "spec.backends[0].name",
  ],
  "ingress-source-missing": [
    [...W_ALL, ingress({ sources: [{ kind: "Service", name: "nginx", namespace: "outside" }] })],
    "spec.sources[0].name",
  ],
  "ingress-principal-unsupported": [
    [
      ...W_ALL,
      ingress({
        sources: [
          { kind: "IPRange", name: "192.0.2.0/24" },
          { kind: "AuthenticatedPrincipal", name: "*" },
        ],
      }),
    ],
    "spec.sources[1].name",
  ],
  "ingress-route-missing": [
    [...W_ALL, ingress({ matches: [{ kind: "HTTPRouteGroup", name: "none" }] })],
    "spec.matches[0].name",
  ],
  "ingress-port-blind": [
    [...W_ALL, ingress({}, { port: { number: 80, protocol: "https" } })],
    "spec.backends[0]",
  ],
  "route-parent-missing": [[route("HTTPRoute")], "spec.parentRefs[0].name"],
  "route-not-http": [
    [service("web", { ports: [{ name: "tcp", port: 80 }] }), route("GRPCRoute")],
    "spec.parentRefs[0]",
  ],
  "route-hostnames-ignored": [
    [...W_ALL, route("HTTPRoute", { hostnames: ["a"] })],
    "spec.hostnames",
  ],
  "route-unsupported": [
    [...W_ALL, route("HTTPRoute", { rules: [{ filters: [{ type: "CORS" }] }] })],
    "spec.rules[0].filters[0]",
  ],
  "route-conflict": [
    [...W_ALL, route("TCPRoute"), route("TCPRoute", {}, "s")],
    "spec.parentRefs[0]",
  ],
  "route-split-mixed": [
    [...W_ALL, split("s", { service: "web", backends: { "web-b": 1 } }), route("HTTPRoute")],
    "spec.service",
  ],
  "policy-mirror-unavailable": [
    [...W_ALL, policy("p", { mirror: { service: "copy" } })],
    "spec.mirror.service",
  ],
};

Deno.test("findings: there is a least case for every code of compile", () => {
  deepEqual(Object.keys(LEAST).sort(), codesOfCompile().sort());
});

for (const [code, [given, field, options]] of Object.entries(LEAST)) {
  Deno.test(`findings: ${code} names "${field}", with its position and a way out`, () => {
    const [finding, ...more] = only(code as FindingCode, findingsOf(given, options));
    equal(more.length, 0);
    equal(finding?.field ?? "", field);
    equal(finding.severity, FINDING_CODES[finding.code][0]);
    equal(finding.position?.file, "in.yaml");
    equal(finding.hint === "" || finding.message.endsWith("."), false);
  });
}

Deno.test("findings: sound manifests give none", () => {
  deepEqual(
    findingsOf([
      ...W_ALL,
      routeGroup("rg", { path: "/api" }, { path: "/api/v2" }),
      ruled("rules", "rg"),
      split("plain", { service: "web", backends: { "web-a": 3, "web-b": 1 } }),
    ]),
    [],
  );
});

Deno.test("findings: sorted by place", () => {
  const findings = findingsOf([
    routeGroup("unused", {}),
    split("s2", { service: "none", backends: {} }),
    split("s1", { service: "none", backends: {} }),
  ]);
  const places = findings.map(({ position }) => position ? formatPosition(position) : "");
  const lines = findings.map(({ position }) => position?.line ?? 0);
  equal(places.length, 5);
  deepEqual(lines, [...lines].sort((a, b) => a - b));
});

Deno.test("findings: a backend of weight zero that is not there is no warning", () => {
  const given = [...W_ONE, split("s", { service: "web", backends: { "web-a": 1, "web-zz": 0 } })];
  deepEqual(findingsOf(given).map(({ code, severity }) => [code, severity]), [
    ["backend-missing", "info"],
  ]);
});

Deno.test("findings: a port that only some backends lack is named once, with all its numbers", () => {
  const [finding, ...more] = only(
    "backend-port-missing",
    findingsOf([
      service("web", { selector: { app: "web" }, ports: [80, 81, 82] }),
      ...backend("web-a", { ports: [80, 81, 82] }),
      ...backend("web-b", { ports: [80] }),
      split("s", { service: "web", backends: { "web-a": 1, "web-b": 1 } }),
    ]),
  );
  equal(more.length, 0);
  equal(finding.message.includes("ports 81 and 82"), true);
});

/** Matches of the split's own group, with or without a plain split beside it. */
function unmatched(matches: Parameters<typeof routeGroup>[1][], plain = false): string[] {
  return only(
    "unmatched-reaches-backends",
    findingsOf([
      ...W_ALL,
      routeGroup("rg", ...matches),
      ruled("s", "rg"),
      ...(plain ? [split("plain", { service: "web", backends: { "web-a": 1 } })] : []),
    ]),
  ).map(({ message }) => message);
}

Deno.test("unmatched: a catch-all for GET leaves POST, named with a path", () => {
  const [message] = unmatched([{ path: "/test", methods: ["GET"] }, {
    path: ".*",
    methods: ["GET"],
  }]);
  equal(message.includes("POST /demo, nor PUT"), true);
  equal(message.includes('"web-b"'), true);
  equal(message.includes("GET"), false);
});

Deno.test("unmatched: without a catch-all any request outside the rules", () => {
  equal(unmatched([{ path: "/api" }])[0].includes("GET /demo, or any other request"), true);
});

Deno.test("unmatched: one method that is left is named alone", () => {
  const methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];
  equal(unmatched([{ methods }])[0].includes("takes TRACE /demo: "), true);
});

Deno.test("unmatched: no Finding where every request is taken", () => {
  deepEqual(unmatched([{}]), []);
  deepEqual(unmatched([{ path: "/" }]), []);
  deepEqual(unmatched([{ path: "(/|/.+)" }]), []);
  deepEqual(unmatched([{ path: "/api" }], true), []);
  deepEqual(unmatched([{ headers: { host: "^web" } }]), []);
});

Deno.test("unmatched: a header rule leaves requests without the header", () => {
  equal(unmatched([{ headers: { "x-v": ".*" } }]).length, 1);
});

Deno.test("unmatched: no Finding where the root's pods are none of the backends'", () => {
  deepEqual(
    only(
      "unmatched-reaches-backends",
      findingsOf([...W_ONE, routeGroup("rg", { path: "/api" }), ruled("s", "rg")]),
    ),
    [],
  );
});

Deno.test("findings: permissive mode shows the faults of targets too", () => {
  const faulty = target("t", {
    to: "other/sa-a",
    from: ["client/sa"],
    rules: ["gone", { kind: "UDPRoute", name: "u" }],
  });
  const codes = findingsOf([faulty]).map(({ code, severity }) => [code, severity]);
  deepEqual(codes.sort(), [
    ["target-foreign", "warning"],
    ["target-ignored", "info"],
    ["target-kind-unsupported", "warning"],
    ["target-route-missing", "warning"],
  ]);
});

Deno.test("findings: a policy that lost a section is not said to be empty", () => {
  const given = [...W_ALL, policy("p", { timeouts: { request: "5" } })];
  deepEqual(findingsOf(given).map(({ code }) => code), []);
});

Deno.test("findings: a share goes to the other backends only where one is left", () => {
  const effect = (backends: Record<string, number>) =>
    only("backend-missing", findingsOf([...W_ONE, split("s", { service: "web", backends })]))
      .map(({ message }) => message.split("; ")[1]);
  deepEqual(effect({ "web-zz": 1, "web-a": 1 }), ["its share goes to the other backends"]);
  deepEqual(effect({ "web-zz": 1 }), ["no other backend is left"]);
  deepEqual(effect({ "web-zz": 1, "web-a": 0 }), ["no other backend is left"]);
});
