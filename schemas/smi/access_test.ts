/**
 * TCPRoute and TrafficTarget.
 */
import assert from "node:assert/strict";
import { load, only, summaries } from "../testing.ts";

function route(version: string, rest: string) {
  return load(
    `apiVersion: specs.smi-spec.io/${version}\nkind: TCPRoute\nmetadata: {name: r}\n${rest}`,
  );
}

Deno.test("TCPRoute: every version; up to v1alpha3 it means every port", () => {
  const layouts = [
    ["v1alpha1", "", []],
    ["v1alpha2", "", []],
    ["v1alpha3", "spec: {}\n", []],
    ["v1alpha4", "spec: {matches: {name: m, ports: [80, 443, 80]}}\n", [80, 443]],
    ["v1alpha4", "spec: {matches: {ports: []}}\n", []],
  ] as const;
  for (const [version, text, ports] of layouts) {
    const loaded = route(version, text);
    assert.deepEqual(loaded.findings, [], version);
    assert.deepEqual(only(loaded.snapshot.tcpRoutes).ports, ports);
  }
});

Deno.test("TCPRoute v1alpha4: a bad port loses itself; without a good one there is no route", () => {
  const some = route("v1alpha4", "spec:\n  matches:\n    ports: [80, http, 0, 70000, 1.5]\n");
  assert.deepEqual(only(some.snapshot.tcpRoutes).ports, [80]);
  assert.deepEqual(
    summaries(some),
    [1, 2, 3, 4].map((index) => {
      const column = [0, 17, 23, 26, 33][index];
      return `schema-invalid spec.matches.ports[${index}] f.yaml:6:${column}`;
    }),
  );
  for (
    const spec of ["{matches: {ports: [http]}}", "{matches: {ports: 80}}", "{matches: [80]}", "5"]
  ) {
    const loaded = route("v1alpha4", `spec: ${spec}\n`);
    assert.equal(only(loaded.snapshot.tcpRoutes).isRefused, true, spec);
    assert.equal(loaded.findings[0]?.code, "schema-invalid");
  }
});

function target(version: string, rest: string) {
  return load(
    `apiVersion: access.smi-spec.io/${version}\nkind: TrafficTarget\nmetadata: {name: t, namespace: app}\n${rest}`,
  );
}

const DESTINATION = "{kind: ServiceAccount, name: d, namespace: other}";
const RULES = "[{kind: HTTPRouteGroup, name: g, matches: [m]}, {kind: TCPRoute, name: r}]";
const SOURCES = "[{kind: ServiceAccount, name: s}]";
const SPEC = `spec:\n  destination: ${DESTINATION}\n  rules: ${RULES}\n  sources: ${SOURCES}\n`;
const TOP = `destination: ${DESTINATION}\nspecs: ${RULES}\nsources: ${SOURCES}\n`;

Deno.test("TrafficTarget: every version gives the same shape", () => {
  const layouts = [["v1alpha1", TOP], ["v1alpha2", SPEC], ["v1alpha3", SPEC]] as const;
  for (const [version, text] of layouts) {
    const loaded = target(version, text);
    assert.deepEqual(loaded.findings, [], version);
    const prefix = version === "v1alpha1" ? [] : ["spec"];
    const rules = version === "v1alpha1" ? "specs" : "rules";
    const { meta: _, ...rest } = only(loaded.snapshot.trafficTargets);
    assert.deepEqual(rest, {
      destination: {
        kind: "ServiceAccount",
        name: "d",
        namespace: "other",
        at: [...prefix, "destination"],
      },
      port: undefined,
      sources: [
        { kind: "ServiceAccount", name: "s", namespace: "app", at: [...prefix, "sources", 0] },
      ],
      rules: [
        { kind: "HTTPRouteGroup", name: "g", matches: ["m"], at: [...prefix, rules, 0] },
        { kind: "TCPRoute", name: "r", matches: undefined, at: [...prefix, rules, 1] },
      ],
    });
  }
});

Deno.test("TrafficTarget v1alpha2 and v1alpha3: the layout of v1alpha1 counts, with a warning", () => {
  for (const version of ["v1alpha2", "v1alpha3"]) {
    const loaded = target(version, TOP);
    assert.deepEqual(summaries(loaded), ["layout-legacy destination f.yaml:4:1"]);
    assert.equal(only(loaded.snapshot.trafficTargets).rules.length, 2);
  }
});

Deno.test("TrafficTarget: a port, as number or text", () => {
  const withPort = (port: string) =>
    `spec:\n  destination: {kind: ServiceAccount, name: d, port: ${port}}\n  rules: ${RULES}\n  sources: ${SOURCES}\n`;
  const top =
    `destination: {kind: ServiceAccount, name: d, port: "80"}\nspecs: ${RULES}\nsources: ${SOURCES}\n`;
  const cases = [
    [target("v1alpha1", top), []],
    [target("v1alpha2", withPort("80")), []],
    [target("v1alpha2", withPort('"80"')), ["layout-legacy"]],
    [target("v1alpha3", withPort("80")), ["layout-legacy"]],
    [target("v1alpha3", withPort('"80"')), ["layout-legacy"]],
  ] as const;
  for (const [loaded, codes] of cases) {
    assert.deepEqual(loaded.findings.map(({ code }) => code), codes);
    assert.equal(only(loaded.snapshot.trafficTargets).port, 80);
  }
});

Deno.test("TrafficTarget: a bad port never becomes every port", () => {
  for (const port of ["http", '"80x"', "0", "70000", "1.5", "[80]"]) {
    const loaded = target("v1alpha2", SPEC.replace("name: d", `name: d, port: ${port}`));
    assert.equal(only(loaded.snapshot.trafficTargets).isRefused, true, port);
    assert.deepEqual(loaded.findings.map(({ code }) => code), ["schema-invalid"], port);
  }
});

Deno.test("TrafficTarget: a bad source or rule loses itself, a bad destination the target", () => {
  const loaded = target(
    "v1alpha3",
    `spec:
  destination: ${DESTINATION}
  rules: [{kind: HTTPRouteGroup, name: g, matches: m}, {name: g}, {kind: TCPRoute, name: r}]
  sources: [{kind: ServiceAccount}, s, {kind: ServiceAccount, name: s, namespace: 5}]
`,
  );
  const read = only(loaded.snapshot.trafficTargets);
  assert.deepEqual([read.rules.map(({ name }) => name), read.sources], [["r"], []]);
  assert.deepEqual(summaries(loaded).map((line) => line.split(" ")[1]).sort(), [
    "spec.rules[0].matches",
    "spec.rules[1].kind",
    "spec.sources[0].name",
    "spec.sources[1]",
    "spec.sources[2].namespace",
  ]);
  const without = target("v1alpha3", SPEC.replace("kind: ServiceAccount, name: d", "name: d"));
  assert.equal(only(without.snapshot.trafficTargets).isRefused, true);
});

Deno.test("TrafficTarget: match names that cannot be read never mean all of them", () => {
  const withMatches = (matches: string) => SPEC.replace("matches: [m]", `matches: ${matches}`);
  const unreadable = target("v1alpha3", withMatches("[5]"));
  assert.deepEqual(only(unreadable.snapshot.trafficTargets).rules[0]?.matches, []);
  const empty = target("v1alpha3", withMatches("[]"));
  assert.equal(only(empty.snapshot.trafficTargets).rules[0]?.matches, undefined);
});

Deno.test("TrafficTarget v1alpha3: rules and sources are asked for, at least one of each", () => {
  const loaded = target("v1alpha3", `spec:\n  destination: ${DESTINATION}\n  rules: []\n`);
  assert.deepEqual(summaries(loaded).sort(), [
    "schema-invalid spec.rules f.yaml:6:3",
    "schema-invalid spec.sources f.yaml:4:1",
  ]);
});
