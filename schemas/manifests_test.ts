import assert from "node:assert/strict";
import { MANIFEST_LIMITS } from "./limits.ts";
import { type Loaded, parseManifests } from "./manifests.ts";
import { firstFinding, guideSteps, load, only, serviceYaml, summaries } from "./testing.ts";

function names(loaded: Loaded): string[] {
  return loaded.snapshot.services.filter(({ isRefused }) => isRefused !== true)
    .map(({ meta }) => meta.name);
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
- ${serviceYaml("a").replaceAll("\n", "\n  ")}
- apiVersion: v1
  kind: List
  items:
  - ${serviceYaml("b").replaceAll("\n", "\n    ")}
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
  for (const items of ["", "item: []\n", "items: {}\n", "items:\n"]) {
    const { code, field } = firstFinding(load(`apiVersion: v1\nkind: List\n${items}`));
    assert.deepEqual([code, field], ["document-invalid", "items"], items);
  }
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
    { name: "1", text: `${serviceYaml("a")}---\nkind: [\n---\n${serviceYaml("b")}` },
    { name: "2", text: "\t" + serviceYaml("lost") },
    { name: "3", text: serviceYaml("c") },
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
    ["name: a\nservices: []\n", "-", "1:1"],
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
  const configMap = (name: string) => serviceYaml(name).replace("Service", "ConfigMap");
  const loaded = load(
    `${configMap("a")}---\n${configMap("b")}---\n${
      serviceYaml("s")
    }---\napiVersion: v1\nkind: Secret\nmetadata: {name: c}\n`,
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

Deno.test("parseManifests: of the same object twice the last counts, with both places in the message", () => {
  const loaded = parseManifests([
    { name: "a.yaml", text: serviceYaml("x") + "spec: {clusterIP: 10.0.0.1}\n" },
    { name: "b.yaml", text: `# two\n${serviceYaml("x")}spec: {clusterIP: 10.0.0.2}\n` },
    { name: "c.yaml", text: serviceYaml("x").replace("x}", "x, namespace: other}") },
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
  const text = `${serviceYaml("a")}---\napiVersion: v1\nkind: Namespace\nmetadata: {name: ns}\n`;
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

Deno.test("parseManifests: an object whose name no plan can carry is left out, and nothing else", () => {
  for (const metadata of ["{name: a b}", "{name: a, namespace: x/y}", '{name: "a\\u0000"}']) {
    const loaded = load(
      `apiVersion: v1\nkind: Service\nmetadata: ${metadata}\n---\n${serviceYaml("b")}`,
    );
    assert.equal(only(loaded.snapshot.services).meta.name, "b", metadata);
    assert.equal(loaded.findings.length, 1, metadata);
  }
});

Deno.test("parseManifests: names of ports and accounts that no plan can carry are none", () => {
  const loaded = load(
    "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80, name: a b}]}\n---\n" +
      "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {serviceAccountName: x/y, containers: []}\n",
  );
  assert.equal(only(loaded.snapshot.services).ports[0].name, "");
  assert.deepEqual(summaries(loaded), [
    "schema-invalid spec.ports[0].name f.yaml:4:27",
    "schema-invalid spec.serviceAccountName f.yaml:9:8",
  ]);
});

Deno.test("parseManifests: a byte order mark is no content", () => {
  const loaded = load(`\ufeff${serviceYaml("a")}`);
  assert.deepEqual(loaded.findings, []);
  assert.deepEqual(only(loaded.snapshot.services).meta.origin.locate([]), {
    file: "f.yaml",
    line: 1,
    column: 1,
  });
});

Deno.test("parseManifests: files over the size limits are left out", () => {
  const large = "#".repeat(MANIFEST_LIMITS.fileBytesMax);
  const loaded = parseManifests([{ name: "1", text: `${large}#` }, {
    name: "2",
    text: serviceYaml("a"),
  }]);
  assert.deepEqual(summaries(loaded), ["limit-exceeded - 1:1:1"]);
  assert.deepEqual(names(loaded), ["a"]);
  const files = Array.from(
    { length: MANIFEST_LIMITS.totalBytesMax / MANIFEST_LIMITS.fileBytesMax + 2 },
    (_, index) => {
      return { name: `${index}`, text: large };
    },
  );
  assert.deepEqual(summaries(parseManifests(files)), [`limit-exceeded - ${files.length - 2}:1:1`]);
});

Deno.test("parseManifests: objects over the limit are left out", () => {
  const item = JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" } });
  const items = Array(MANIFEST_LIMITS.documentsMax + 2).fill(item).join(",\n");
  const loaded = load(`{"apiVersion": "v1", "kind": "List", "items": [\n${items}]}`);
  assert.deepEqual(summaries(loaded), [
    `limit-exceeded - f.yaml:${MANIFEST_LIMITS.documentsMax + 2}:1`,
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
  const loaded = load(`${serviceYaml("a")}---\n${levels.join("\n")}\n---\n${serviceYaml("b")}`);
  assert.deepEqual(loaded.findings.map(({ code }) => code), ["limit-exceeded"]);
  assert.deepEqual(names(loaded), ["a", "b"]);
});
