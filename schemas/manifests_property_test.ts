/**
 * Whatever the text, loading it ends, throws nothing, and says things that hold together.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { FINDING_CODES, type FindingCode } from "../base/finding.ts";
import type { Loaded } from "./manifests.ts";
import type { Snapshot } from "./resources.ts";
import { guideSteps, load, serviceYaml } from "./testing.ts";

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
  const seeds = [...guideSteps().map(({ text }) => text), serviceYaml("a")];
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

const SUBJECT = { kind: "ServiceAccount", name: "a", namespace: "n" };
const DESTINATION = { ...SUBJECT, port: 80 };
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
  ["split.smi-spec.io/v1alpha1", "TrafficSplit", {
    spec: { service: SPLIT.service, backends: SPLIT.backends },
  }],
  ["split.smi-spec.io/v1alpha4", "TrafficSplit", { spec: SPLIT }],
  ["specs.smi-spec.io/v1alpha2", "HTTPRouteGroup", { matches: MATCHES }],
  ["specs.smi-spec.io/v1alpha4", "HTTPRouteGroup", { spec: { matches: MATCHES } }],
  ["specs.smi-spec.io/v1alpha4", "TCPRoute", { spec: { matches: { name: "m", ports: [80] } } }],
  [
    "access.smi-spec.io/v1alpha1",
    "TrafficTarget",
    { destination: DESTINATION, specs: RULES, sources: [SUBJECT] },
  ],
  [
    "access.smi-spec.io/v1alpha3",
    "TrafficTarget",
    { spec: { destination: DESTINATION, rules: RULES, sources: [SUBJECT] } },
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
      assert.ok(loaded.snapshot.services.some(({ meta }) => meta.name === "untouched"));
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
