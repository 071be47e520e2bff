import assert from "node:assert/strict";
import fc from "fast-check";
import { comparePlans } from "../../routing/algebra/compare_plans.ts";
import { witnessText } from "../../routing/algebra/witness.ts";
import { compile } from "../../routing/compile/compile.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import { fileOf, routeGroup, service, split } from "../../tests/support/smi_fixtures.ts";
import { testEnvironment } from "../../console/testing.ts";
import { run } from "../run.ts";
import { assertGolden } from "../testing.ts";
import { toGatewayApi } from "./to_gateway_api.ts";

Deno.chdir(new URL("../../", import.meta.url));

async function runWeft(argv: readonly string[], { stdin = "" } = {}) {
  const environment = testEnvironment({ stdin });
  const exitCode = await run(argv, environment);
  const { stdout, stderr } = environment;
  return { exitCode, stdout: stdout.text(), stderr: stderr.text() };
}

Deno.test("convert: the canary's splits are routes, proved alike, and back", async () => {
  const there = await runWeft(["convert", "--to", "gateway-api", "-f", "examples/canary"]);
  assert.equal(there.exitCode, 0, there.stderr);
  assertGolden("convert_canary.txt", `${there.stdout}\n${there.stderr}`);
  const services = ["a", "b", "web"].map((name) =>
    `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: app}\nspec: {ports: [{name: http, port: 80}]}\n`
  ).join("---\n");
  const route = (rules: unknown) =>
    JSON.stringify({
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: "web", namespace: "app" },
      spec: { parentRefs: [{ group: "", kind: "Service", name: "web" }], rules },
    });
  const to = (name: string) => ({ backendRefs: [{ name, port: 80 }] });
  const path = (value: string) => ({ matches: [{ path: { value } }] });
  const back = await runWeft(["convert", "--to", "smi", "-f", "-"], {
    stdin: `${services}---\n${route([{ ...path("/v2"), ...to("b") }, to("a")])}`,
  });
  assert.equal(back.exitCode, 0, back.stderr);
  assert.match(back.stdout, /pathRegex: \/v2\(\?:\/\|\$\)/);
  const filters = [{ type: "RequestRedirect", requestRedirect: { hostname: "x.example" } }];
  const unsaid = await runWeft(["convert", "--to", "smi", "-f", "-"], {
    stdin: `${services}---\n${
      route([{ ...path("/old"), filters }, { ...path("/v2"), ...to("b") }])
    }`,
  });
  assert.equal(unsaid.exitCode, 1);
  assertGolden("convert_unsaid.txt", `${unsaid.stdout}\n${unsaid.stderr}`);
  assert.match(unsaid.stderr, /rules\[0\]: a redirect, which a split has not/);
  assert.match(unsaid.stderr, /web\.app: GET \/: the proxy: 404 -> app\/web/);
  assert.match(unsaid.stderr, /web\.app: GET \/old: the proxy: 302 to x\.example -> app\/web/);
});

Deno.test("convert: what cannot be written is said in one line", async () => {
  const none = await runWeft(["convert", "--to", "smi", "-f", "examples/canary"]);
  assert.deepEqual([none.exitCode, none.stdout], [1, ""]);
  assert.match(none.stderr, /no routes of the Gateway API/);
  assert.equal((await runWeft(["convert", "-f", "examples/canary"])).exitCode, 2);
  assert.equal((await runWeft(["convert", "--to", "gateway-api"])).exitCode, 2);
});

const anyMatch = fc.record({
  pathRegex: fc.constantFrom(
    undefined,
    "/",
    "/a",
    "/a$",
    "/a/.*",
    ".*",
    "/(a|b)c",
    "/a.*b",
    "/[ab]",
  ),
  methods: fc.constantFrom(undefined, ["GET"], ["GET", "POST"], ["*"]),
  headers: fc.constantFrom(undefined, { x: "^1$" }, { x: "1" }, { x: "a|^b", y: ".*" }),
});

Deno.test("convert: random splits and what is written of them route alike", () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(anyMatch, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      (groups, hasPlain) => {
        const manifests = [
          ...["web", "web-a", "web-b", "web-c"].map((name) => service(name, {})),
          ...groups.flatMap((matches, i) => [
            routeGroup(
              `g${i}`,
              ...matches.map((match, j) => JSON.parse(JSON.stringify({ name: `m${j}`, ...match }))),
            ),
            split(`s${i}`, {
              service: "web",
              matches: [`g${i}`],
              backends: { [`web-${"abc"[i]}`]: 1, "web": i },
            }),
          ]),
          ...(hasPlain ? [split("plain", { service: "web", backends: { "web-a": 1 } })] : []),
        ];
        const { snapshot } = parseManifests([fileOf(manifests)]);
        const { plan } = compile(snapshot);
        const converted = toGatewayApi(plan, snapshot);
        const text = converted.manifests.map((each) => JSON.stringify(each)).join("\n---\n");
        const written = parseManifests([{ name: "routes.yaml", text }]);
        assert.deepEqual(written.findings, []);
        const after = compile({
          ...snapshot,
          trafficSplits: [],
          gatewayRoutes: written.snapshot.gatewayRoutes,
        });
        const { ports, isComplete } = comparePlans(plan, after.plan);
        assert.ok(isComplete);
        const changes = ports.flatMap((port) => port.changes);
        assert.deepEqual(changes.map(({ witness }) => witness && witnessText(witness)), []);
      },
    ),
    { numRuns: 150 },
  );
});
