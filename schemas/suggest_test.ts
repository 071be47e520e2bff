import assert from "node:assert/strict";
import { suggest, suggestField } from "./suggest.ts";

Deno.test("suggest: other case, a swap, a missing or added letter", () => {
  const words = ["service", "weight", "backends", "pathRegex", "kind"];
  assert.equal(suggest("pathregex", words), "pathRegex");
  assert.equal(suggest("wieght", words), "weight");
  assert.equal(suggest("backend", words), "backends");
  assert.equal(suggest("serivces", words), "service");
  assert.equal(suggest("kinds", words), "kind");
});

Deno.test("suggest: nothing near, or too short to tell", () => {
  assert.equal(suggest("replicas", ["service", "weight"]), undefined);
  assert.equal(suggest("abc", ["abd"]), undefined);
  assert.equal(suggest("", ["a"]), undefined);
  assert.equal(suggest("port", ["ports"]), "ports");
});

Deno.test("suggestField: a word in common, where one field has more of it than all others", () => {
  const fields = ["pathRegex", "methods", "headers", "maxConnections", "maxPending"];
  assert.equal(suggestField("path", fields), "pathRegex");
  assert.equal(suggestField("regex", fields), "pathRegex");
  assert.equal(suggestField("httpMethod", fields), "methods");
  assert.equal(suggestField("connections", fields), "maxConnections");
  assert.equal(suggestField("max", fields), undefined);
  assert.equal(suggestField("condition", fields), undefined);
  assert.equal(suggestField("x".repeat(1_000_000), fields), undefined);
});
