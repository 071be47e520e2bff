/**
 * The shipped definitions are ones that an API server accepts, and the ones that the program checks with.
 */
import assert from "node:assert/strict";
import { BALANCING_ALGORITHM_NAMES } from "../../base/policy.ts";
import { KINDS } from "../kinds.ts";
import { HTTP_METHODS } from "../smi/http_route_group.ts";
import { definitionOf, type OpenApiSchema } from "./definitions.ts";

const CRDS = KINDS.filter(({ isShipped }) => isShipped).map(({ kind }) => {
  const definition = definitionOf(kind);
  assert.ok(definition !== undefined, `There is no definition of ${kind}`);
  return definition;
});

Deno.test("crds: every YAML file here is the definition of a kind that Weft reads", () => {
  const files = [...Deno.readDirSync(new URL("./", import.meta.url))].map(({ name }) => name);
  assert.deepEqual(
    files.filter((name) => name.endsWith(".yaml")).sort(),
    CRDS.map(({ spec }) => `${spec.names.plural}.yaml`).sort(),
  );
});

Deno.test("crds: each is named after its plural and group, and has the published short name", () => {
  const names = CRDS.map(({ metadata, spec }) => {
    assert.equal(metadata.name, `${spec.names.plural}.${spec.group}`);
    assert.equal(
      spec.names.plural,
      `${spec.names.kind.toLowerCase()}s`.replace(/ys$/, "ies").replace(/sss$/, "sses"),
    );
    assert.equal(spec.names.singular, spec.names.kind.toLowerCase());
    assert.equal(spec.names.listKind, `${spec.names.kind}List`);
    assert.equal(spec.scope, "Namespaced");
    return `${spec.names.kind} ${spec.names.shortNames}`;
  });
  assert.deepEqual(names, [
    "TrafficSplit ts",
    "HTTPRouteGroup htr",
    "TCPRoute tr",
    "TrafficTarget tt",
    "TrafficPolicy tp",
    "Egress eg",
    "IngressBackend ib",
    "MeshConfig meshconfig",
    "MeshRootCertificate mrc",
  ]);
});

Deno.test("crds: every version is served, and only the newest is stored", () => {
  for (const { spec } of CRDS) {
    const names = spec.versions.map(({ name }) => name);
    assert.ok(spec.versions.every(({ served }) => served));
    const stored = spec.versions.filter(({ storage }) => storage).map(({ name }) => name);
    assert.deepEqual(stored, [[...names].sort().at(-1)]);
  }
});

Deno.test("crds: the program reads the versions that the definitions serve", () => {
  const served = CRDS.map(({ spec }) => [
    spec.group,
    spec.names.kind,
    ...spec.versions.map(({ name }) => name).sort(),
  ]);
  const read = KINDS.filter(({ isShipped }) => isShipped)
    .map(({ group, kind, versions }) => [group, kind, ...versions]);
  assert.deepEqual(served.sort(), read.sort());
});

Deno.test("crds: every schema is structural", () => {
  for (const { spec } of CRDS) {
    for (const { name, schema } of spec.versions) {
      assert.equal(schema.openAPIV3Schema.type, "object");
      assertStructural(schema.openAPIV3Schema, `${spec.names.kind} ${name}`);
    }
  }
});

Deno.test("crds: each kind prints what people look for", () => {
  const columns: Readonly<Record<string, string[]>> = {
    TrafficSplit: [".spec.service"],
    TrafficPolicy: [".spec.targetRefs[0].name"],
    Egress: [".spec.hosts[0]"],
    IngressBackend: [".spec.backends[0].name"],
    MeshRootCertificate: [".spec.role", ".metadata.creationTimestamp"],
  };
  for (const { spec } of CRDS) {
    for (const { additionalPrinterColumns } of spec.versions) {
      const paths = additionalPrinterColumns?.map(({ jsonPath }) => jsonPath) ?? [];
      assert.deepEqual(paths, columns[spec.names.kind] ?? []);
    }
  }
});

Deno.test("crds: the methods of a route group are those that the reader knows", () => {
  const group = CRDS.find(({ spec }) => spec.names.kind === "HTTPRouteGroup");
  const schema = group?.spec.versions[0]?.schema.openAPIV3Schema;
  const methods = schema?.properties?.["spec"]?.properties?.["matches"]?.items?.properties;
  assert.deepEqual([...(methods?.["methods"]?.items?.enum ?? [])].sort(), [
    "*",
    ...[...HTTP_METHODS].sort(),
  ]);
});

Deno.test("crds: the balancing algorithms of a policy are those that proxies know", () => {
  const [{ schema }] = definitionOf("TrafficPolicy")?.spec.versions ?? [];
  const spec = schema.openAPIV3Schema.properties?.["spec"]?.properties;
  const algorithm = spec?.["loadBalancing"]?.properties?.["algorithm"];
  assert.deepEqual(algorithm?.enum, BALANCING_ALGORITHM_NAMES);
});

/** The rules of apiextensions.k8s.io/v1: a type everywhere but where the API server gives one, none in `anyOf`. */
function assertStructural(schema: OpenApiSchema, where: string): void {
  const isIntOrString = schema["x-kubernetes-int-or-string"] === true;
  const isFree = schema["x-kubernetes-preserve-unknown-fields"] === true;
  assert.equal(schema.type === undefined, isIntOrString || isFree, `${where}: type`);
  assert.equal(schema.type === "array", schema.items !== undefined, `${where}: items`);
  for (const branch of schema.anyOf ?? []) {
    // The one pattern in which a branch may have a type.
    if (isIntOrString) assert.ok(branch.type === "integer" || branch.type === "string");
    else assert.deepEqual(Object.keys(branch), ["required"], `${where}: anyOf`);
    for (const name of branch.required ?? []) {
      assert.ok(schema.properties?.[name] !== undefined, `${where}: ${name}`);
    }
  }
  for (const name of schema.required ?? []) {
    assert.ok(schema.properties?.[name] !== undefined, `${where}: ${name} is required`);
  }
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    assertStructural(property, `${where}.${name}`);
  }
  if (schema.items !== undefined) assertStructural(schema.items, `${where}[]`);
}
