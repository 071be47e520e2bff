import { deepStrictEqual as same } from "node:assert/strict";
import { compile } from "../compile/compile.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import { checkRules } from "./check_rules.ts";

/** Codes and messages of a Service `web` with these matches, one split. */
function checked(matches: string, plain = ""): string[] {
  const text = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: web-v1}
spec: {ports: [{port: 80}]}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: rules}
spec: {matches: [${matches}]}
---
apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: web}
spec: {service: web, matches: [{kind: HTTPRouteGroup, name: rules}], backends: [{service: web-v1, weight: 1}]}
---
${plain}`;
  const { snapshot } = parseManifests([{ name: "in.yaml", text }]);
  const { plan, findings } = compile(snapshot);
  return checkRules(plan, findings).map(({ code, message, position }) =>
    `${code} ${position?.line}: ${message}`
  );
}

const PLAIN = `
apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: rest}
spec: {service: web, backends: [{service: web-v1, weight: 1}]}`;

Deno.test("a rule that several before it cover together is found, and requests that none takes", () => {
  same(
    checked(
      "{name: a, pathRegex: '/abc', methods: [GET]}, {name: b, pathRegex: '/abd', methods: [GET]}, " +
        "{name: c, pathRegex: '/ab[cd]', methods: [GET]}",
    ),
    [
      'rule-shadowed 15: Match "c" of split "web" takes nothing: the rules before it together take every request it could',
      'requests-uncovered 17: No rule of "web" takes GET /: such requests are answered 503, as it has no endpoints',
    ],
  );
});

Deno.test("a plain split leaves no hole, and what compiling says is not said again", () => {
  same(checked("{name: a, pathRegex: /abc}, {name: b, pathRegex: /abcd}", PLAIN), []);
  same(checked("{name: a, pathRegex: abc}", PLAIN), []);
  same(checked("{name: all}"), []);
});

Deno.test("conditions that exclude each other are found", () => {
  same(checked("{name: a, headers: [{x: ^a}, {x: ^b}]}", PLAIN), [
    'rule-shadowed 15: Match "a" of split "web" takes nothing: no request has all that it asks for',
  ]);
});
