import assert from "node:assert/strict";
import { firstFinding, load, only, summaries } from "../testing.ts";

function split(version: string, spec: string) {
  return load(
    `apiVersion: split.smi-spec.io/${version}\nkind: TrafficSplit\nmetadata: {name: s, namespace: app}\nspec:\n${spec}`,
  );
}

const BACKENDS =
  "  service: web\n  backends:\n  - {service: a, weight: 75}\n  - {service: b, weight: 25}\n";
const MATCHES = "  matches:\n  - {kind: HTTPRouteGroup, name: g}\n";

Deno.test("TrafficSplit: every version gives the same shape", () => {
  for (const version of ["v1alpha1", "v1alpha2", "v1alpha3", "v1alpha4"]) {
    const loaded = split(version, BACKENDS);
    assert.deepEqual(loaded.findings, [], version);
    const { meta, ...rest } = only(loaded.snapshot.trafficSplits);
    assert.equal(meta.apiVersion, `split.smi-spec.io/${version}`);
    assert.deepEqual([meta.kind, meta.namespace, meta.name], ["TrafficSplit", "app", "s"]);
    assert.deepEqual(rest, {
      service: "web",
      backends: [
        { service: "a", weight: 75, weightText: "75", at: ["spec", "backends", 0] },
        { service: "b", weight: 25, weightText: "25", at: ["spec", "backends", 1] },
      ],
      matches: undefined,
    });
  }
});

Deno.test("TrafficSplit v1alpha1: quantities, by thousandth when one has a fraction (case E11)", () => {
  const loaded = split(
    "v1alpha1",
    '  service: web\n  backends:\n  - {service: a, weight: 500m}\n  - {service: b, weight: "1"}\n  - {service: c, weight: 2}\n',
  );
  assert.deepEqual(loaded.findings, []);
  const { backends } = only(loaded.snapshot.trafficSplits);
  assert.deepEqual(
    backends.map(({ weight, weightText }) => [weight, weightText]),
    [[500, "500m"], [1000, "1"], [2000, "2"]],
  );
});

Deno.test("TrafficSplit v1alpha3 and v1alpha4: matches, with or without apiGroup", () => {
  for (const version of ["v1alpha3", "v1alpha4"]) {
    const loaded = split(
      version,
      `${BACKENDS}${MATCHES}  - {apiGroup: specs.smi-spec.io, kind: HTTPRouteGroup, name: h}\n`,
    );
    assert.deepEqual(loaded.findings, []);
    assert.deepEqual(only(loaded.snapshot.trafficSplits).matches, [
      { kind: "HTTPRouteGroup", name: "g", at: ["spec", "matches", 0] },
      { kind: "HTTPRouteGroup", name: "h", at: ["spec", "matches", 1] },
    ]);
  }
});

Deno.test("TrafficSplit v1alpha1 and v1alpha2: matches, which they do not have, cost the split", () => {
  for (const version of ["v1alpha1", "v1alpha2"]) {
    const loaded = split(version, BACKENDS + MATCHES);
    assert.deepEqual(summaries(loaded), ["field-unknown spec.matches f.yaml:9:3"]);
    const { hint } = firstFinding(loaded);
    assert.equal(hint, 'Write apiVersion "split.smi-spec.io/v1alpha4", which has it');
    const { isRefused, backends } = only(loaded.snapshot.trafficSplits);
    assert.deepEqual([isRefused, backends], [true, []]);
  }
});

Deno.test("TrafficSplit: a weight below zero is zero, one with a fraction keeps the ratio", () => {
  const loaded = split(
    "v1alpha4",
    "  service: web\n  backends:\n  - {service: a, weight: 1.5}\n  - {service: b, weight: -1}\n  - {service: c, weight: 3}\n",
  );
  assert.deepEqual(summaries(loaded), [
    "schema-invalid spec.backends[0].weight f.yaml:7:18",
    "weight-negative spec.backends[1].weight f.yaml:8:18",
  ]);
  const { backends } = only(loaded.snapshot.trafficSplits);
  assert.deepEqual(backends.map(({ weight }) => weight), [1500, 0, 3000]);
});

Deno.test("TrafficSplit: a bad backend costs the split: its share must not go to the others", () => {
  const loaded = split(
    "v1alpha4",
    [
      "  service: web",
      "  backends:",
      "  - {service: a}",
      "  - {service: b, weight: heavy}",
      "  - {weight: 1}",
      "  - c",
      "  - {service: d, wieght: 5}",
      "  - {service: e, weight: .inf}",
      "  - {service: f, weight: 7}",
    ].join("\n"),
  );
  const { isRefused, backends } = only(loaded.snapshot.trafficSplits);
  assert.deepEqual([isRefused, backends], [true, []]);
  assert.deepEqual(summaries(loaded).sort(), [
    "field-unknown spec.backends[4].wieght f.yaml:11:18",
    "schema-invalid spec.backends[0].weight f.yaml:7:5",
    "schema-invalid spec.backends[1].weight f.yaml:8:18",
    "schema-invalid spec.backends[2].service f.yaml:9:5",
    "schema-invalid spec.backends[3] f.yaml:10:5",
    "schema-invalid spec.backends[5].weight f.yaml:12:18",
  ]);
  const slip = loaded.findings.find(({ field }) => field === "spec.backends[4].wieght");
  assert.equal(slip?.hint, 'Did you mean "weight"?');
  assert.deepEqual(slip?.resource, { kind: "TrafficSplit", namespace: "app", name: "s" });
});

Deno.test("TrafficSplit: a weight may be text in every version, as writers of v1alpha1 leave it", () => {
  const loaded = split("v1alpha4", '  service: web\n  backends:\n  - {service: a, weight: "75"}\n');
  assert.deepEqual(summaries(loaded), []);
  assert.equal(only(only(loaded.snapshot.trafficSplits).backends).weight, 75);
});

Deno.test("TrafficSplit: without a root Service, or without a spec, there is no split", () => {
  assert.deepEqual(summaries(split("v1alpha4", "  backends: []\n")), [
    "schema-invalid spec.service f.yaml:4:1",
  ]);
  const loaded = load(
    "apiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata: {name: s}\nspecs: {}\n",
  );
  assert.equal(only(loaded.snapshot.trafficSplits).isRefused, true);
  assert.deepEqual(summaries(loaded), ["field-unknown specs f.yaml:4:1"]);
});

Deno.test("TrafficSplit: matches that cannot be read never make it a split for all requests", () => {
  for (const matches of ["[{kind: HTTPRouteGroup}]", "[g]", "g", "{name: g}"]) {
    const loaded = split("v1alpha4", `${BACKENDS}  matches: ${matches}\n`);
    assert.deepEqual(only(loaded.snapshot.trafficSplits).matches, [], matches);
    assert.equal(firstFinding(loaded).code, "schema-invalid");
  }
  for (const matches of ["[]", "null"]) {
    const loaded = split("v1alpha4", `${BACKENDS}  matches: ${matches}\n`);
    assert.equal(only(loaded.snapshot.trafficSplits).matches, undefined);
    const codes = loaded.findings.map(({ code }) => code);
    assert.deepEqual(codes, matches === "null" ? ["field-empty"] : []);
  }
});

Deno.test("TrafficSplit: a kind of match that is not known is left to compile", () => {
  const loaded = split("v1alpha4", `${BACKENDS}  matches: [{kind: TCPRoute, name: g}]\n`);
  assert.deepEqual(loaded.findings, []);
  assert.equal(only(loaded.snapshot.trafficSplits).matches?.[0]?.kind, "TCPRoute");
});

Deno.test("TrafficSplit: a quantity too large for a weight is refused, huge sums are rounded", () => {
  const tooLarge = split(
    "v1alpha1",
    "  service: web\n  backends:\n  - {service: a, weight: 1e99}\n",
  );
  assert.deepEqual(summaries(tooLarge).length, 1);
  assert.equal(only(tooLarge.snapshot.trafficSplits).isRefused, true);
  const rounded = split(
    "v1alpha1",
    "  service: web\n  backends:\n  - {service: a, weight: 1E}\n  - {service: b, weight: 1}\n",
  );
  assert.deepEqual(summaries(rounded), ["limit-exceeded spec.backends f.yaml:6:3"]);
});

Deno.test("TrafficSplit: a port in the name of a Service costs the split", () => {
  const cases = [
    ["service: web:90, backends: [{service: a, weight: 1}]", "spec.service", "web"],
    [
      "service: web, backends: [{service: a.app.svc:90, weight: 1}]",
      "spec.backends[0].service",
      "a.app.svc",
    ],
    [
      "service: web, backends: [{service: app/a:http, weight: 1}]",
      "spec.backends[0].service",
      "app/a",
    ],
  ];
  for (const [spec, field, name] of cases) {
    const loaded = load(
      `apiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata: {name: s}\nspec: {${spec}}\n`,
    );
    assert.deepEqual(loaded.findings.map(({ code, field }) => [code, field]), [
      ["schema-invalid", field],
    ]);
    assert.ok(firstFinding(loaded).hint.startsWith(`Write "${name}"`));
    assert.equal(only(loaded.snapshot.trafficSplits).isRefused, true);
  }
});

Deno.test("TrafficSplit: a weight with a sign of percent, or with spaces, says what to write", () => {
  const hintOf = (weight: string) =>
    firstFinding(
      split("v1alpha4", `  service: web\n  backends:\n  - {service: a, weight: ${weight}}\n`),
    ).hint;
  assert.equal(hintOf("10%"), 'Write 10 without "%"');
  assert.equal(hintOf('" 7.0 "'), "Write 7 without quotes");
  assert.match(hintOf("heavy"), /^Correct it: share relative/);
});
