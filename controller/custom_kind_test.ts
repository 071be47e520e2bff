/** An object counts as it was written, whichever version of it is heard of first. */
import { deepEqual } from "node:assert/strict";
import { CustomKind } from "./custom_kind.ts";

const object = (written: string, resourceVersion: number, more: object[] = []) => ({
  metadata: {
    resourceVersion: String(resourceVersion),
    managedFields: [
      { apiVersion: `g/${written}`, time: "2026-01-01T00:00:00Z", fieldsV1: { "f:spec": {} } },
      ...more,
    ],
  },
});

function record(served = ["v1alpha1", "v1alpha4"]) {
  const told: string[] = [];
  const kind = new CustomKind({
    put: ({ metadata }) =>
      told.push(`put ${(metadata as { resourceVersion: string }).resourceVersion}`),
    remove: (key) => told.push(`remove ${key}`),
  });
  kind.serve(served);
  return { kind, told };
}

Deno.test("custom kind: taken from the version that it was written in", () => {
  const { kind, told } = record();
  kind.put("v1alpha4", "a/x", object("v1alpha1", 1));
  deepEqual(told, []);
  kind.put("v1alpha1", "a/x", object("v1alpha1", 1));
  kind.put("v1alpha1", "a/x", object("v1alpha4", 2));
  deepEqual(told, ["put 1"], "it stays until the other version's watch has told of it");
  kind.put("v1alpha4", "a/x", object("v1alpha4", 2));
  kind.remove("v1alpha1", "a/x");
  deepEqual(told, ["put 1", "put 2"]);
  kind.remove("v1alpha4", "a/x");
  deepEqual(told, ["put 1", "put 2", "remove a/x"]);
});

Deno.test("custom kind: a watch that is behind does not bring back what was", () => {
  const { kind, told } = record();
  kind.put("v1alpha4", "a/x", object("v1alpha4", 7));
  kind.put("v1alpha1", "a/x", object("v1alpha1", 6));
  deepEqual(told, ["put 7"]);
  // A store that was set back counts again from below.
  kind.put("v1alpha4", "a/x", object("v1alpha4", 3));
  deepEqual(told, ["put 7", "put 3"]);
});

Deno.test("custom kind: who writes labels or status writes no version", () => {
  const { kind, told } = record();
  const others = [
    { apiVersion: "g/v1alpha4", time: "2026-02-01T00:00:00Z", fieldsV1: { "f:metadata": {} } },
    {
      apiVersion: "g/v1alpha4",
      time: "2026-02-01T00:00:00Z",
      fieldsV1: { "f:spec": {} },
      subresource: "status",
    },
  ];
  kind.put("v1alpha1", "a/x", object("v1alpha1", 1, others));
  deepEqual(told, ["put 1"]);
});

Deno.test("custom kind: written in a version that is not served, it counts as of the newest", () => {
  const { kind, told } = record();
  kind.put("v1alpha4", "a/x", object("v1alpha9", 1));
  kind.put("v1alpha1", "a/y", object("v1alpha9", 2));
  deepEqual(told, ["put 1"]);
  kind.serve([]);
  deepEqual(told, ["put 1", "remove a/x"]);
});
