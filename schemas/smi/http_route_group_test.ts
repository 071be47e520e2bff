import assert from "node:assert/strict";
import { firstFinding, load, only, summaries } from "../testing.ts";

function group(version: string, rest: string) {
  return load(
    `apiVersion: specs.smi-spec.io/${version}\nkind: HTTPRouteGroup\nmetadata: {name: g}\n${rest}`,
  );
}

function matchesOf(loaded: ReturnType<typeof load>) {
  return only(loaded.snapshot.httpRouteGroups).matches;
}

const ITEM = "- {name: m, pathRegex: /test, methods: [GET, HEAD]";

Deno.test("HTTPRouteGroup: every version gives the same shape", () => {
  const headers = ", headers: {User-Agent: '.*Firefox.*'}";
  const layouts = [
    ["v1alpha1", `matches:\n${ITEM}}`, [], 0],
    ["v1alpha2", `matches:\n${ITEM}${headers}}`, [], 1],
    ["v1alpha3", `spec:\n  matches:\n  ${ITEM}${headers}}`, ["spec"], 1],
    ["v1alpha4", `spec:\n  matches:\n  ${ITEM}${headers}}`, ["spec"], 1],
  ] as const;
  for (const [version, text, prefix, headerCount] of layouts) {
    const loaded = group(version, text);
    assert.deepEqual(loaded.findings, [], version);
    const at = [...prefix, "matches", 0];
    const condition = {
      name: "User-Agent",
      pattern: ".*Firefox.*",
      at: [...at, "headers", "User-Agent"],
    };
    assert.deepEqual(matchesOf(loaded), [{
      name: "m",
      pathRegex: "/test",
      methods: ["GET", "HEAD"],
      headers: headerCount === 0 ? [] : [condition],
      at,
    }]);
  }
});

Deno.test("HTTPRouteGroup: top-level matches under v1alpha3 and v1alpha4 count, with a warning", () => {
  for (const version of ["v1alpha3", "v1alpha4"]) {
    const loaded = group(version, `matches:\n${ITEM}}\n`);
    assert.deepEqual(summaries(loaded), ["layout-legacy matches f.yaml:4:1"]);
    assert.equal(only(matchesOf(loaded)).name, "m");
  }
  const both = group("v1alpha4", "matches:\n- {name: old}\nspec: {matches: [{name: new}]}\n");
  assert.deepEqual(summaries(both), ["layout-legacy matches f.yaml:4:1"]);
  assert.equal(only(matchesOf(both)).name, "new");
});

Deno.test("HTTPRouteGroup: a group without matches anywhere is an error, and matches nothing", () => {
  for (const version of ["v1alpha1", "v1alpha2", "v1alpha3", "v1alpha4"]) {
    const loaded = group(version, "");
    assert.deepEqual(loaded.findings.map(({ code }) => code), ["schema-invalid"], version);
    assert.deepEqual(matchesOf(loaded), []);
  }
});

Deno.test("HTTPRouteGroup: headers as a list of maps are merged, two of one name both count", () => {
  const loaded = group(
    "v1alpha4",
    "spec: {matches: [{name: m, headers: [{a: x}, {b: v, c: z}, {a: w}]}]}\n",
  );
  assert.deepEqual(loaded.findings, []);
  const { headers } = only(matchesOf(loaded));
  assert.deepEqual(headers.map(({ name, pattern }) => `${name}=${pattern}`), [
    "a=x",
    "b=v",
    "c=z",
    "a=w",
  ]);
  assert.deepEqual(headers[3]?.at, ["spec", "matches", 0, "headers", 2, "a"]);
});

Deno.test("HTTPRouteGroup: no methods, an empty list and * mean every method", () => {
  for (
    const methods of [
      "",
      ", methods: []",
      ", methods: ['*']",
      ", methods: [GET, '*']",
    ]
  ) {
    const loaded = group("v1alpha4", `spec: {matches: [{name: m${methods}}]}\n`);
    assert.deepEqual(loaded.findings, [], methods);
    assert.equal(only(matchesOf(loaded)).methods, undefined);
  }
});

Deno.test("HTTPRouteGroup: a method in lower case is refused with a hint, the others stay", () => {
  const loaded = group("v1alpha4", "spec:\n  matches:\n  - {name: m, methods: [get, POST]}\n");
  assert.deepEqual(summaries(loaded), ["schema-invalid spec.matches[0].methods[0] f.yaml:6:25"]);
  assert.equal(firstFinding(loaded).hint, 'Write "GET"');
  assert.deepEqual(only(matchesOf(loaded)).methods, ["POST"]);
});

Deno.test("HTTPRouteGroup: a condition that cannot be read never makes a match wider", () => {
  const conditions = [
    "methods: [get]",
    "methods: [FETCH]",
    "methods: GET",
    "pathRegex: 5",
    "pathRegex: [a]",
    "headers: x",
    "headers: {a: 1}",
    "headers: [a]",
    "headers: [{a: x}, {b: [v]}]",
  ];
  for (const condition of conditions) {
    const loaded = group("v1alpha4", `spec: {matches: [{name: m, ${condition}}, {name: ok}]}\n`);
    assert.equal(firstFinding(loaded).code, "schema-invalid", condition);
    assert.equal(loaded.findings.length, 1, condition);
    assert.deepEqual(matchesOf(loaded).map(({ name }) => name), ["ok"], condition);
  }
});

Deno.test("HTTPRouteGroup: a slip in the name of a field is pointed out", () => {
  const loaded = group("v1alpha4", "spec:\n  matches:\n  - {name: m, pathregex: /x}\n");
  assert.deepEqual(summaries(loaded), ["field-unknown spec.matches[0].pathregex f.yaml:6:15"]);
  assert.equal(firstFinding(loaded).hint, 'Did you mean "pathRegex"?');
});

Deno.test("HTTPRouteGroup: a header by which no request can be told costs its match", () => {
  const cases: Readonly<Record<string, RegExp>> = {
    "user agent": /letters, digits/,
    "user-agent:": /letters, digits/,
    "käse": /letters, digits/,
    "": /letters, digits/,
    "a(b)": /letters, digits/,
    ":path": /pathRegex/,
    ":Method": /methods/,
    ":scheme": /Remove it/,
    ":protocol": /Remove it/,
    "Connection": /another header/,
    "transfer-encoding": /another header/,
    "Upgrade": /another header/,
    "TE": /another header/,
    "keep-alive": /another header/,
  };
  for (const [name, hint] of Object.entries(cases)) {
    for (const headers of [`{"${name}": x}`, `[{"${name}": x}]`, `{"${name}": x, ok: v}`]) {
      const loaded = group(
        "v1alpha4",
        `spec: {matches: [{name: m, headers: ${headers}}, {name: ok}]}\n`,
      );
      assert.deepEqual(loaded.findings.map(({ code }) => code), ["schema-invalid"], headers);
      assert.match(firstFinding(loaded).hint, hint);
      assert.deepEqual(matchesOf(loaded).map(({ name }) => name), ["ok"]);
    }
  }
  for (const name of ["Host", ":authority", "x_y", "X-Forwarded-For", "content-length"]) {
    const loaded = group("v1alpha4", `spec: {matches: [{name: m, headers: {"${name}": x}}]}\n`);
    assert.deepEqual(loaded.findings, [], name);
  }
});

Deno.test("HTTPRouteGroup: a condition without a value restricts nothing, which is a warning", () => {
  for (const field of ["pathRegex", "methods", "headers"]) {
    for (const text of [`${field}:`, `${field}: null`, `${field}: ~`]) {
      const loaded = group("v1alpha4", `spec:\n  matches:\n  - name: m\n    ${text}\n`);
      assert.deepEqual(summaries(loaded), [`field-empty spec.matches[0].${field} f.yaml:7:5`]);
      assert.equal(firstFinding(loaded).severity, "warning");
      const { pathRegex, methods, headers } = only(matchesOf(loaded));
      assert.deepEqual([pathRegex, methods, headers], [undefined, undefined, []]);
    }
  }
  assert.deepEqual(summaries(group("v1alpha4", "spec: {matches: [{name: }]}\n")), [
    "schema-invalid spec.matches[0].name f.yaml:4:19",
  ]);
  const written = group("v1alpha4", "status: null\nspec: {matches: [{name: m}]}\n");
  assert.deepEqual(written.findings, []);
});

Deno.test("HTTPRouteGroup: a header as the Gateway API writes it is no two headers", () => {
  const loaded = group(
    "v1alpha4",
    "spec: {matches: [{name: m, headers: [{name: x-v, value: a}]}]}\n",
  );
  assert.deepEqual(summaries(loaded), ["schema-invalid spec.matches[0].headers[0] f.yaml:4:38"]);
  assert.equal(firstFinding(loaded).hint, 'Write "x-v: a"');
  assert.deepEqual(matchesOf(loaded), []);
});
