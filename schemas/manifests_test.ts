import assert from "node:assert/strict";
import fc from "fast-check";
import { FINDING_CODES, type FindingCode } from "../base/finding.ts";
import { LIMITS } from "./limits.ts";
import { type Loaded, parseManifests } from "./manifests.ts";
import type { Snapshot } from "./resources.ts";
import { firstFinding, load, only, summaries } from "./testing.ts";

function service(name: string): string {
  return `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\n`;
}

function names(loaded: Loaded): string[] {
  return loaded.snapshot.services.map(({ meta }) => meta.name);
}

const GUIDE = new URL("./testdata/guide/", import.meta.url);

/** The guide's manifests: `kubectl apply -n NAMESPACE` is in the name, `3-service-v1.httpbin.yaml`. */
function guideSteps(): { name: string; text: string; namespace: string }[] {
  return [...Deno.readDirSync(GUIDE)].map(({ name }) => ({
    name,
    text: Deno.readTextFileSync(new URL(name, GUIDE)),
    namespace: name.split(".")[1] ?? "",
  })).sort((left, right) => left.name < right.name ? -1 : 1);
}

Deno.test("parseManifests: every step of the canary guide loads without a finding", () => {
  const steps = guideSteps();
  assert.equal(steps.length, 8);
  for (const { name, text, namespace } of steps) {
    const loaded = parseManifests([{ name, text }], { defaultNamespace: namespace });
    assert.deepEqual(loaded.findings, [], name);
    assert.ok(loaded.objects > 0);
  }
});

Deno.test("parseManifests: the guide's last state is all there, in its namespaces", () => {
  const replaced = ["4-split-all-v1.httpbin.yaml", "6-split-canary.httpbin.yaml"];
  const steps = guideSteps().filter(({ name, namespace }) =>
    namespace === "httpbin" && !replaced.includes(name)
  );
  const { snapshot, findings, objects } = parseManifests(steps, { defaultNamespace: "httpbin" });
  assert.deepEqual(findings, []);
  assert.equal(objects, 9);
  assert.deepEqual(snapshot.services.map(({ meta }) => `${meta.namespace}/${meta.name}`), [
    "httpbin/httpbin",
    "httpbin/httpbin-v1",
    "httpbin/httpbin-v2",
  ]);
  assert.deepEqual(snapshot.trafficSplits.map(({ meta }) => meta.name), [
    "httpbin-split",
    "httpbin-all",
  ]);
  assert.deepEqual(
    snapshot.httpRouteGroups.map(({ matches }) => matches.map(({ pathRegex }) => pathRegex)),
    [["/test"], [".*"]],
  );
});

Deno.test("parseManifests: a List, lists within it, and a typed list whose items do not say what they are", () => {
  const loaded = load(`apiVersion: v1
kind: List
items:
- ${service("a").replaceAll("\n", "\n  ")}
- apiVersion: v1
  kind: List
  items:
  - ${service("b").replaceAll("\n", "\n    ")}
- apiVersion: split.smi-spec.io/v1alpha2
  kind: TrafficSplitList
  items:
  - metadata: {name: s}
    spec:
      service: web
      backends:
      - service: a
        weight: x
`);
  assert.deepEqual(names(loaded), ["a", "b"]);
  assert.equal(only(loaded.snapshot.trafficSplits).meta.apiVersion, "split.smi-spec.io/v1alpha2");
  assert.deepEqual(summaries(loaded), [
    "schema-invalid spec.backends[0].weight f.yaml:23:9",
  ]);
  assert.equal(loaded.objects, 3);
  assert.deepEqual(load("apiVersion: v1\nkind: List\nitems: []\n").findings, []);
});

Deno.test("parseManifests: a List in JSON, as kubectl get -o json writes it", () => {
  const list = {
    apiVersion: "v1",
    kind: "List",
    metadata: { resourceVersion: "" },
    items: [
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "a" },
        spec: { ports: [{ port: "x" }] },
      },
    ],
  };
  const loaded = load(JSON.stringify(list, null, 4));
  assert.deepEqual(summaries(loaded), ["schema-invalid spec.ports[0].port f.yaml:17:25"]);
});

Deno.test("parseManifests: one broken document among good ones, in several files", () => {
  const loaded = parseManifests([
    { name: "1", text: `${service("a")}---\nkind: [\n---\n${service("b")}` },
    { name: "2", text: "\t" + service("lost") },
    { name: "3", text: service("c") },
  ]);
  assert.deepEqual(names(loaded), ["a", "b", "c"]);
  const places = summaries(loaded);
  assert.equal(places.length, 2);
  assert.match(places[0] ?? "", /^yaml-syntax - 1:[56]:/);
  assert.match(places[1] ?? "", /^yaml-syntax - 2:1:/);
});

Deno.test("parseManifests: what is no Kubernetes object is said to be none", () => {
  const cases = [
    ["just text", "-", "1:1"],
    ["- a\n- b\n", "-", "1:1"],
    ["kind: Service\nmetadata: {name: a}\n", "apiVersion", "1:1"],
    ["apiVersion: v1\nmetadata: {name: a}\n", "kind", "1:1"],
    ["apiVersion: v1\nkind: Service\n", "metadata.name", "1:1"],
    ["apiVersion: v1\nkind: Service\nmetadata: {}\n", "metadata.name", "3:1"],
    ["apiVersion: v1\nkind: Service\nmetadata:\n  generateName: a-\n", "metadata.name", "3:1"],
    ["apiVersion: v1\nkind: Service\nmetadata:\n  name: 5\n", "metadata.name", "4:3"],
    ["apiVersion: v1\nkind: 5\n", "kind", "2:1"],
  ] as const;
  for (const [text, field, place] of cases) {
    const loaded = load(text);
    assert.deepEqual(summaries(loaded), [`document-invalid ${field} f.yaml:${place}`], text);
    assert.equal(loaded.objects, 0);
  }
  assert.match(
    firstFinding(load("apiversion: v1\nkind: Service\n")).hint,
    /Did you mean "apiVersion" where "apiversion" stands/,
  );
});

Deno.test("parseManifests: kinds that Weft does not read are noted once each and passed over", () => {
  const configMap = (name: string) => service(name).replace("Service", "ConfigMap");
  const loaded = load(
    `${configMap("a")}---\n${configMap("b")}---\n${
      service("s")
    }---\napiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\n`,
  );
  assert.deepEqual(summaries(loaded), [
    "kind-unknown kind f.yaml:2:1",
    "kind-unknown kind f.yaml:14:1",
  ]);
  assert.match(firstFinding(loaded).message, /2 objects/);
  assert.equal(firstFinding(loaded).severity, "info");
  assert.deepEqual(firstFinding(loaded).resource, {
    kind: "ConfigMap",
    namespace: "default",
    name: "a",
  });
  assert.equal(loaded.objects, 1);
});

Deno.test("parseManifests: a kind that is a slip, and one of another group, get a hint", () => {
  const hint = (apiVersion: string, kind: string) =>
    firstFinding(load(`apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: a}\n`)).hint;
  assert.equal(hint("split.smi-spec.io/v1alpha4", "TraficSplit"), 'Did you mean "TrafficSplit"?');
  assert.match(hint("serving.knative.dev/v1", "Service"), /another Service/);
  assert.match(
    hint("traffic.flomesh.io/v1alpha1", "TrafficSplit"),
    /split\.smi-spec\.io\/v1alpha4/,
  );
});

Deno.test("parseManifests: a version or group that Weft does not read is an error", () => {
  const versions = [
    ["split.smi-spec.io/v1alpha5", "TrafficSplit"],
    ["access.smi-spec.io/v1alpha4", "TrafficTarget"],
    ["split.smi-spec.io/v1alpha4", "HTTPRouteGroup"],
    ["smi-spec.io/v1alpha4", "TrafficSplit"],
    ["extensions/v1beta1", "Deployment"],
    ["apps/v1beta2", "Deployment"],
    ["v2", "Service"],
  ];
  for (const [apiVersion, kind] of versions) {
    const loaded = load(`apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: a}\n`);
    assert.deepEqual(summaries(loaded), ["version-unsupported apiVersion f.yaml:1:1"], apiVersion);
    assert.match(firstFinding(loaded).hint, /^Use /);
    assert.equal(loaded.objects, 0);
  }
});

Deno.test("parseManifests: of the same object twice the last counts, with both places in the message", () => {
  const loaded = parseManifests([
    { name: "a.yaml", text: service("x") + "spec: {clusterIP: 10.0.0.1}\n" },
    { name: "b.yaml", text: `# two\n${service("x")}spec: {clusterIP: 10.0.0.2}\n` },
    { name: "c.yaml", text: service("x").replace("x}", "x, namespace: other}") },
  ]);
  assert.deepEqual(summaries(loaded), ["resource-duplicate - b.yaml:2:1"]);
  assert.match(firstFinding(loaded).message, /a\.yaml:1:1.*b\.yaml:2:1/);
  assert.deepEqual(loaded.snapshot.services.map(({ clusterIps }) => clusterIps[0]), [
    "10.0.0.2",
    undefined,
  ]);
  assert.equal(loaded.objects, 2);
});

Deno.test("parseManifests: the default namespace is for what names none, but never for a Namespace", () => {
  const text = `${service("a")}---\napiVersion: v1\nkind: Namespace\nmetadata: {name: ns}\n`;
  const { snapshot } = parseManifests([{ name: "f", text }], { defaultNamespace: "given" });
  assert.equal(only(snapshot.services).meta.namespace, "given");
  assert.equal(only(snapshot.namespaces).meta.namespace, "");
});

Deno.test("parseManifests: a name that Kubernetes refuses is an error, labels that are no text too", () => {
  const loaded = load(
    "apiVersion: v1\nkind: Service\nmetadata:\n  name: Web_1\n  labels: {a: 1, b: {c: d}}\n  annotations: [x]\n",
  );
  assert.deepEqual(summaries(loaded), [
    "schema-invalid metadata.name f.yaml:4:3",
    "schema-invalid metadata.labels.a f.yaml:5:12",
    "schema-invalid metadata.labels.b f.yaml:5:18",
    "schema-invalid metadata.annotations f.yaml:6:3",
  ]);
  assert.deepEqual(only(loaded.snapshot.services).meta.labels, { a: "1", b: '{"c":"d"}' });
});

Deno.test("parseManifests: a byte order mark is no content", () => {
  const loaded = load(`\ufeff${service("a")}`);
  assert.deepEqual(loaded.findings, []);
  assert.deepEqual(only(loaded.snapshot.services).meta.origin.locate([]), {
    file: "f.yaml",
    line: 1,
    column: 1,
  });
});

Deno.test("parseManifests: files over the size limits are left out", () => {
  const large = "#".repeat(LIMITS.fileBytesMax);
  const loaded = parseManifests([{ name: "1", text: `${large}#` }, {
    name: "2",
    text: service("a"),
  }]);
  assert.deepEqual(summaries(loaded), ["limit-exceeded - 1:1:1"]);
  assert.deepEqual(names(loaded), ["a"]);
  const files = Array.from(
    { length: LIMITS.totalBytesMax / LIMITS.fileBytesMax + 2 },
    (_, index) => {
      return { name: `${index}`, text: large };
    },
  );
  assert.deepEqual(summaries(parseManifests(files)), [`limit-exceeded - ${files.length - 2}:1:1`]);
});

Deno.test("parseManifests: objects over the limit are left out", () => {
  const item = JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" } });
  const items = Array(LIMITS.documentsMax + 2).fill(item).join(",\n");
  const loaded = load(`{"apiVersion": "v1", "kind": "List", "items": [\n${items}]}`);
  assert.deepEqual(summaries(loaded), [
    `limit-exceeded - f.yaml:${LIMITS.documentsMax + 2}:1`,
    "kind-unknown kind f.yaml:2:20",
  ]);
});

Deno.test("parseManifests: an alias bomb loses its document only", () => {
  const levels = Array.from(
    { length: 30 },
    (_, level) =>
      `l${level}: &l${level} {a: ${level === 0 ? "x" : `*l${level - 1}`}, b: ${
        level === 0 ? "x" : `*l${level - 1}`
      }}`,
  );
  const loaded = load(`${service("a")}---\n${levels.join("\n")}\n---\n${service("b")}`);
  assert.deepEqual(loaded.findings.map(({ code }) => code), ["limit-exceeded"]);
  assert.deepEqual(names(loaded), ["a", "b"]);
});

/** What must hold of whatever is loaded from whatever text. */
function assertSound(loaded: Loaded): void {
  for (const finding of loaded.findings) {
    const severity = FINDING_CODES[finding.code satisfies FindingCode][0];
    assert.equal(finding.severity, severity);
    assert.notEqual(finding.message, "");
    assert.notEqual(finding.hint, "");
    assert.ok((finding.position?.line ?? 0) >= 1 && (finding.position?.column ?? 0) >= 1);
  }
  for (const resources of Object.values(loaded.snapshot) as Snapshot[keyof Snapshot][]) {
    for (const { meta } of resources) {
      assert.equal(typeof meta.name, "string");
      assert.equal(meta.origin.locate(["spec", 0, "x"])?.file, "f.yaml");
    }
  }
  for (const { backends } of loaded.snapshot.trafficSplits) {
    for (const { weight } of backends) assert.ok(Number.isSafeInteger(weight) && weight >= 0);
  }
}

const FRAGMENTS = [
  ...[
    "\n",
    "---\n",
    "...\n",
    "  ",
    "\t",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    '"',
    "'",
    "&a ",
    "*a",
    "<<: ",
    "|\n",
  ],
  ...[
    "#",
    "!!binary ",
    "%YAML 1.1\n",
    "? ",
    "\ufeff",
    "\u0000",
    "\\u",
    "~",
    "null",
    "1e999",
    "-1",
    "apiVersion: v1\n",
  ],
  ...[
    "kind: List\n",
    "kind: TrafficSplit\n",
    "items:\n",
    "metadata: {name: x}\n",
    "spec:\n",
    "__proto__: ",
  ],
];

Deno.test("parseManifests: never throws on arbitrary text", () => {
  const pieces = fc.array(fc.oneof(fc.constantFrom(...FRAGMENTS), fc.string({ unit: "binary" })), {
    maxLength: 40,
  });
  fc.assert(fc.property(pieces, (parts) => assertSound(load(parts.join("")))), { numRuns: 500 });
});

Deno.test("parseManifests: never throws on good manifests with text cut out, put in or moved", () => {
  const seeds = [...guideSteps().map(({ text }) => text), service("a")];
  const edit = fc.record({
    at: fc.nat(3000),
    remove: fc.nat(12),
    insert: fc.oneof(fc.constantFrom("", ...FRAGMENTS), fc.string()),
  });
  const mutated = fc.tuple(
    fc.constantFrom(...seeds),
    fc.array(edit, { minLength: 1, maxLength: 6 }),
  );
  fc.assert(
    fc.property(mutated, ([seed, edits]) => {
      const text = edits.reduce((current, { at, remove, insert }) => {
        const offset = at % (current.length + 1);
        return current.slice(0, offset) + insert + current.slice(offset + remove);
      }, seed);
      assertSound(load(text));
    }),
    { numRuns: 500 },
  );
});

const SUBJECT = { kind: "ServiceAccount", name: "a", namespace: "n", port: 80 };
const RULES = [{ kind: "HTTPRouteGroup", name: "g", matches: ["m"] }];
const MATCHES = [
  { name: "m", pathRegex: "/x", methods: ["GET"], headers: { a: "b" } },
  { name: "n", methods: ["*"], headers: [{ a: "b" }, { c: "d" }] },
];
const SPLIT = {
  service: "web",
  backends: [{ service: "a", weight: 1 }, { service: "b", weight: 2 }],
  matches: [{ kind: "HTTPRouteGroup", name: "g" }],
};
const POD = {
  serviceAccountName: "a",
  containers: [{ name: "c", image: "i", command: ["x"], ports: [{ name: "p", containerPort: 1 }] }],
};
const ADDRESS = { ip: "10.0.0.1", targetRef: { kind: "Pod", name: "p" } };

/** One object of each layout, with every field that a reader looks at. */
const WHOLE_OBJECTS: readonly (readonly [string, string, Record<string, unknown>])[] = [
  ["split.smi-spec.io/v1alpha1", "TrafficSplit", { spec: SPLIT }],
  ["split.smi-spec.io/v1alpha4", "TrafficSplit", { spec: SPLIT }],
  ["specs.smi-spec.io/v1alpha2", "HTTPRouteGroup", { matches: MATCHES }],
  ["specs.smi-spec.io/v1alpha4", "HTTPRouteGroup", { spec: { matches: MATCHES } }],
  ["specs.smi-spec.io/v1alpha4", "TCPRoute", { spec: { matches: { name: "m", ports: [80] } } }],
  [
    "access.smi-spec.io/v1alpha1",
    "TrafficTarget",
    { destination: SUBJECT, specs: RULES, sources: [SUBJECT] },
  ],
  [
    "access.smi-spec.io/v1alpha3",
    "TrafficTarget",
    { spec: { destination: SUBJECT, rules: RULES, sources: [SUBJECT] } },
  ],
  ["v1", "Service", {
    spec: {
      ports: [{ name: "p", port: 1, targetPort: "x" }],
      clusterIPs: ["a"],
      selector: { a: "b" },
    },
  }],
  ["v1", "Endpoints", { subsets: [{ addresses: [ADDRESS], ports: [{ name: "p", port: 1 }] }] }],
  ["v1", "Pod", {
    spec: POD,
    status: { podIPs: [{ ip: "10.0.0.1" }], conditions: [{ type: "Ready", status: "True" }] },
  }],
  ["discovery.k8s.io/v1", "EndpointSlice", {
    endpoints: [{ addresses: ["a"], conditions: { ready: true } }],
    ports: [{ port: 1 }],
  }],
  ["apps/v1", "StatefulSet", {
    spec: { replicas: 1, template: { metadata: { labels: { a: "b" } }, spec: POD } },
  }],
  ["batch/v1", "Job", { spec: { parallelism: 1, completions: 2, template: { spec: POD } } }],
];

/** The paths of all fields and items of a value. */
function pathsOf(value: unknown): string[][] {
  if (typeof value !== "object" || value === null) return [[]];
  return [
    [],
    ...Object.entries(value).flatMap(([key, child]) =>
      pathsOf(child).map((path) => [key, ...path])
    ),
  ];
}

/** A copy of a value with another value at a path. */
function replaced(value: unknown, path: readonly string[], by: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return by;
  if (typeof value !== "object" || value === null) return value;
  const copy: Record<string, unknown> = {
    ...value,
    [key]: replaced(Reflect.get(value, key), rest, by),
  };
  return Array.isArray(value) ? Object.values(copy) : copy;
}

Deno.test("parseManifests: never throws whatever stands in any field, and loses no more than it must", () => {
  const scalar = fc.constantFrom(
    null,
    true,
    0,
    -1,
    1.5,
    80,
    1e300,
    "",
    "500m",
    "x",
    "GET",
    "*",
    "80",
  );
  const value = fc.oneof(
    scalar,
    fc.array(scalar, { maxLength: 2 }),
    fc.dictionary(fc.constantFrom("name", "kind", "a", "__proto__"), scalar, { maxKeys: 2 }),
  );
  const change = fc.record({ path: fc.nat(1000), value });
  const cases = fc.tuple(
    fc.constantFrom(...WHOLE_OBJECTS),
    fc.array(change, { minLength: 1, maxLength: 3 }),
  );
  fc.assert(
    fc.property(cases, ([[apiVersion, kind, fields], changes]) => {
      const metadata = { name: "x", labels: { "kubernetes.io/service-name": "s" } };
      const whole: unknown = { apiVersion, kind, metadata, ...fields };
      const changed = changes.reduce((object, { path, value }) => {
        const paths = pathsOf(object);
        return replaced(object, paths[path % paths.length] ?? [], value);
      }, whole);
      const untouched = { apiVersion: "v1", kind: "Service", metadata: { name: "untouched" } };
      const loaded = load(`${JSON.stringify(changed, null, 1)}\n---\n${JSON.stringify(untouched)}`);
      assertSound(loaded);
      assert.ok(names(loaded).includes("untouched"));
      for (const finding of loaded.findings) assert.notEqual(finding.resource?.name, "untouched");
    }),
    { numRuns: 1500 },
  );
});

Deno.test("parseManifests: the objects that the property above changes are right to begin with", () => {
  for (const [apiVersion, kind, fields] of WHOLE_OBJECTS) {
    const metadata = { name: "x", labels: { "kubernetes.io/service-name": "s" } };
    const loaded = load(JSON.stringify({ apiVersion, kind, metadata, ...fields }));
    const errors = loaded.findings.filter(({ severity }) => severity === "error");
    assert.deepEqual(errors, [], `${apiVersion} ${kind}`);
    assert.equal(Object.values(loaded.snapshot).flat().length, 1);
  }
});
