/**
 * Bad inputs, one fault each: manifests through `dry-run`, and command lines of the offline commands. Each gives its Finding with a place and
 * a way out, or one line, and the exit code that says so; none a stack trace.
 */
import assert from "node:assert/strict";
import { run } from "../cli/run.ts";
import type { DryRunReport } from "../cli/dry_run/report.ts";
import { testEnvironment } from "../console/testing.ts";

Deno.chdir(new URL("../", import.meta.url));

const SERVICES =
  "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: app}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: v1, namespace: app}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: app}\nspec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: i, ports: [{containerPort: 80}]}]}}}\n---\n";
const split = (spec: string, v = "v1alpha4") =>
  SERVICES +
  `apiVersion: split.smi-spec.io/${v}\nkind: TrafficSplit\nmetadata: {name: s, namespace: app}\nspec: ${spec}\n`;
const group = (m: string, v = "v1alpha4") =>
  `apiVersion: specs.smi-spec.io/${v}\nkind: HTTPRouteGroup\nmetadata: {name: g, namespace: app}\nspec: {matches: [${m}]}\n---\n` +
  split(
    "{service: web, matches: [{kind: HTTPRouteGroup, name: g}], backends: [{service: v1, weight: 1}]}",
  );
const target = (spec: string) =>
  SERVICES +
  `apiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata: {name: t, namespace: app}\nspec: ${spec}\n`;
const policy = (spec: string) =>
  SERVICES +
  `apiVersion: weft.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: {name: p, namespace: app}\nspec: ${spec}\n`;
const TARGET = "targetRefs: [{kind: Service, name: web}]";
const MANIFESTS: readonly string[] = [
  "kind: [",
  "a: b: c",
  "\t- x",
  "apiVersion: v1\nkind: Service\n",
  "kind: Service\nmetadata: {name: a}\n",
  "apiVersion: v1\nmetadata: {name: a}\n",
  "just text",
  "- a\n- b",
  "apiVersion: v1\nkind: Service\nmetadata: {name: [a]}\nspec: {ports: [{port: 80}]}",
  SERVICES.replace("port: 80", "port: eighty"),
  SERVICES.replace("port: 80", "port: 70000"),
  SERVICES.replace("port: 80", "port: 0"),
  SERVICES.replace("ports: [{port: 80}]", "ports: 80"),
  split("{backends: [{service: v1, weight: 1}]}"),
  split("{service: web}"),
  split("{service: web, backends: []}"),
  split("{service: web, backends: [{service: v1}]}"),
  split("{service: web, backends: [{weight: 1}]}"),
  split("{service: web, backends: [{service: v1, weight: -1}]}"),
  split("{service: web, backends: [{service: v1, weight: 1.5}]}"),
  split("{service: web, backends: [{service: v1, weight: lots}]}"),
  split("{service: web, backends: {service: v1, weight: 1}}"),
  split("{service: nowhere, backends: [{service: v1, weight: 1}]}"),
  split("{service: web.other, backends: [{service: v1, weight: 1}]}"),
  split("{service: web, backends: [{service: nope, weight: 1}]}"),
  split("{service: web, backends: [{service: v1, weight: 1}, {service: v1, weight: 2}]}"),
  split(
    "{service: web, match: [{kind: HTTPRouteGroup, name: g}], backends: [{service: v1, weight: 1}]}",
  ),
  split("{service: web, backend: [{service: v1, weight: 1}]}"),
  split("{service: web, backends: [{service: v1, weight: 1}]}", "v1alpha9"),
  split("{service: web, backends: [{svc: v1, weight: 1}]}"),
  split("web"),
  split("{service: [web], backends: [{service: v1, weight: 1}]}"),
  group("{name: m, pathRegex: '('}"),
  group("{name: m, pathRegex: '/a(?=b)'}"),
  group("{name: m, pathRegex: '/(a)\\1'}"),
  group("{name: m, pathRegex: '/a{2000}'}"),
  group("{name: m, pathRegex: [a]}"),
  group("{name: m, pathRegex: 5}"),
  group("{name: m, path: /a}"),
  group("{name: m, pathregex: /a}"),
  group("{name: m, methods: [FETCH]}"),
  group("{name: m, methods: GET}"),
  group("{name: m, methods: [get]}"),
  group("{pathRegex: /a}"),
  group("{name: m, headers: [{'x y': a}]}"),
  group("{name: m, headers: [{':path': a}]}"),
  group("{name: m, headers: [{connection: a}]}"),
  group("{name: m, headers: [{x: '('}]}"),
  group("{name: m, headers: [{x: [a]}]}"),
  group("{name: m, headers: x}"),
  group("{name: m, headers: [{name: x, value: y}]}"),
  group("{name: m, pathRegex: /a, methods: [GET], header: [{x: a}]}"),
  group("{name: 5, pathRegex: /a}"),
  group("m"),
  target(
    "{sources: [{kind: ServiceAccount, name: a, namespace: app}], rules: [{kind: HTTPRouteGroup, name: g}]}",
  ),
  target(
    "{destination: {kind: ServiceAccount, name: web, namespace: app}, sources: [], rules: []}",
  ),
  target(
    "{destination: {kind: ServiceAccount, name: web, namespace: app}, source: [{kind: ServiceAccount, name: a, namespace: app}]}",
  ),
  target("{destination: web}"),
  target(
    "{destination: {kind: ServiceAccount, name: web, namespace: app}, sources: [{kind: ServiceAccount, name: a, namespace: app}], rules: [{kind: HTTPRouteGroup, name: g, match: [x]}]}",
  ),
  policy(`{${TARGET}, timeouts: {request: 5}}`),
  policy(`{${TARGET}, timeouts: {request: soon}}`),
  policy(`{${TARGET}, timeout: {request: 5s}}`),
  policy(`{${TARGET}, retry: {attempts: many}}`),
  policy(`{${TARGET}, loadBalancing: {algorithm: Best}}`),
  policy(`{${TARGET}, rateLimit: {requests: -1}}`),
  policy(`{timeouts: {request: 5s}}`),
  policy(`{${TARGET}, mirror: {service: v1, percent: 200}}`),
  policy(`{${TARGET}, fault: {abort: {status: 99, percent: 1}}}`),
  "apiVersion: split.smi-spec.io/v1alpha4\nkind: TraficSplit\nmetadata: {name: s}\nspec: {}\n",
  "apiVersion: split.smi.io/v1alpha4\nkind: TrafficSplit\nmetadata: {name: s}\nspec: {}\n",
  "{{- if .Values.x }}\napiVersion: v1\nkind: Service\n{{ end }}\n",
  "apiVersion: v1\nkind: List\nitems: 5\n",
  "",
  "# nothing\n",
  "\u0000",
  "x: &a [*a]",
  "a: !!binary x\n<<: [1]",
];

/** Where one mistake breaks several rules of a schema, each is named. */
const SEVERAL = /destination: web}|sources: \[\], rules: \[\]/;

Deno.test("bad manifests: each is one error with a place and a way out, and 1", async () => {
  for (const text of MANIFESTS) {
    const environment = testEnvironment({ stdin: text });
    const code = await run(["dry-run", "-f", "-", "-o", "json"], environment);
    const { findings }: DryRunReport = JSON.parse(environment.stdout.text());
    const errors = findings.filter(({ severity }) => severity === "error");
    const shown = `${text.slice(text.lastIndexOf("---") + 1)}: ${
      JSON.stringify(findings, null, 1)
    }`;
    assert.equal(code, 1, shown);
    assert.equal(errors.length === 1, !SEVERAL.test(text), shown);
    for (const { position, hint, message } of errors) {
      assert.ok(position !== undefined && hint !== "", shown);
      assert.doesNotMatch(`${message}${hint}`, /\n/, shown);
    }
    assert.equal(environment.stderr.text(), "");
  }
});

const CANARY = "examples/canary";
/** Command lines, what they end with, and what they say. */
const LINES: readonly (readonly [line: string, code: number, said: RegExp])[] = [
  ["dry-run", 2, /takes manifests/],
  [`dry-run ${CANARY} --count 0`, 2, /"0" is not a whole number/],
  [`dry-run ${CANARY} --count 2`, 2, /about a request/],
  [`dry-run ${CANARY} --request nonsense`, 2, /not a request/],
  [`dry-run ${CANARY} -o xml`, 2, /Allowed choices/],
  [`dry-run ${CANARY} --from A/B/C`, 2, /not a sender/],
  [`dry-run ${CANARY} -o plan --request GET_http://a/`, 2, /not a request|takes no --request/],
  ["dry-run no/such", 1, /no such file/],
  ["dry-run --no-such-option", 2, /unknown option/],
  [`explain -f ${CANARY}`, 2, /takes one request/],
  ["explain GET http://a.b/", 2, /needs -f/],
  [`explain GET http://a.b/ -f ${CANARY} --admin 127.0.0.1:1`, 2, /needs -f/],
  ["explain GET http://a.b/ --admin nonsense", 2, /not an address/],
  [`explain G@T http://a.b/ -f ${CANARY}`, 1, /no such file or directory: "G@T"/],
  [`explain GET http:///a -f ${CANARY}`, 2, /not a URL/],
  [`explain GET http://a.b/ -f ${CANARY} -H x`, 2, /not a header/],
  [`explain tcp://a.b:80 -f ${CANARY} -H x:y`, 2, /has no headers/],
  ["diff", 2, /two sides/],
  [`diff ${CANARY}`, 2, /two sides/],
  [`diff ${CANARY} no/such`, 3, /no such file/],
  [`diff ${CANARY} ${CANARY} -o xml`, 2, /Allowed choices/],
  [`diff --git no-such-revision ${CANARY}`, 3, /knows no revision/],
  [`diff ${CANARY} ${CANARY} --from x`, 2, /about a log/],
  [`diff ${CANARY} ${CANARY} --log no/such`, 3, /no such file/],
  [`diff ${CANARY} ${CANARY} --log ${CANARY}`, 3, /is a directory/],
  [`diff ${CANARY} ${CANARY} --log README.md`, 3, /no format|a format that is known/],
  ["replay", 2, /takes a log/],
  [`replay -f ${CANARY}`, 2, /takes a log/],
  ["replay --log README.md", 2, /takes a log/],
  [`replay --log README.md -f ${CANARY}`, 3, /a format that is known/],
  [`replay --log no/such -f ${CANARY}`, 3, /no such file/],
  ["replay --log - -f -", 2, /not both/],
  [`replay --log README.md -f ${CANARY} --from A`, 2, /not a sender/],
  ["no-such-command", 2, /unknown command/],
];

Deno.test("bad command lines: each is a line that says what was wanted, and its code", async () => {
  for (const [line, code, said] of LINES) {
    const environment = testEnvironment();
    assert.equal(await run(line.split(" "), environment), code, line);
    const text = environment.stderr.text() + environment.stdout.text();
    assert.match(text, said, line);
    assert.doesNotMatch(text, /\n\s+at .*:\d+/, line);
  }
  assert.ok(MANIFESTS.length + LINES.length >= 100);
});
