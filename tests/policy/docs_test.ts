/** The examples of docs/traffic_policy.md are policies that compile, and all sections of the kind are in them. */
import assert from "node:assert/strict";
import { parse, stringify } from "yaml";
import { ENDPOINT_SECTIONS, ROUTE_SECTIONS } from "../../base/policy.ts";
import { compile } from "../../routing/compile/compile.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import { readFile } from "../../tools/repository.ts";

const SERVICES = ["web", "web-next"].map((name) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "shop" },
  spec: { ports: [{ name: "http", port: 80 }] },
}));
const SLICES = SERVICES.map(({ metadata: { name, namespace } }) => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  addressType: "IPv4",
  metadata: { name, namespace, labels: { "kubernetes.io/service-name": name } },
  ports: [{ name: "http", port: 80 }],
  endpoints: [{ addresses: ["10.0.0.1"] }],
}));

Deno.test("docs: the examples of TrafficPolicy compile, and show every section", () => {
  const text = readFile("docs/traffic_policy.md");
  const examples = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, yaml]) => parse(yaml));
  const [whole, ...sections] = examples;
  assert.equal(whole.kind, "TrafficPolicy");
  for (const spec of [whole.spec, ...sections]) {
    const policy = { ...whole, spec: { targetRefs: whole.spec.targetRefs, ...spec } };
    const documents = [...SERVICES, ...SLICES, policy].map((document) => stringify(document));
    const { snapshot, findings } = parseManifests([
      { name: "example.yaml", text: documents.join("---\n") },
    ]);
    const { findings: more } = compile(snapshot);
    const own = [...findings, ...more].filter(({ code }) => !/tcp|not-http/.test(code));
    assert.deepEqual(own.map(({ code, message }) => `${code} ${message}`), []);
  }
  const shown = sections.flatMap((spec) => Object.keys(spec)).toSorted();
  assert.deepEqual(shown, [...ENDPOINT_SECTIONS, ...ROUTE_SECTIONS].toSorted());
});
