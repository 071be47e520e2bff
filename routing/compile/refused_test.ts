/**
 * Objects that cannot be read in full: no request and no permission comes of them, and compile adds no Finding to the one
 * that says what is wrong.
 */
import { deepEqual, equal } from "node:assert/strict";
import { parseManifests } from "../../schemas/manifests.ts";
import { expandWorkloads } from "../../schemas/workloads.ts";
import {
  fileOf,
  type Manifest,
  policy,
  routeGroup,
  split,
  target,
  W_ALL,
} from "../../tests/support/smi_fixtures.ts";
import { compile } from "./compile.ts";

const GROUP = routeGroup("rg", { name: "m", path: "/beta" });
const CANARY = split("canary", { service: "web", matches: ["rg"], backends: { "web-b": 1 } });
const STABLE = split("stable", { service: "web", backends: { "web-a": 1 } });
const ALLOWED = target("t", { to: "sa-a", from: ["client/sa"], rules: ["rg"] });

/** With a field in its spec that no kind has. */
function spoilt(manifest: Manifest): Manifest {
  return { ...manifest, spec: { ...manifest.spec as Manifest, zzz: 1 } };
}

function compiled(...given: readonly Manifest[]) {
  const loaded = parseManifests([fileOf([...W_ALL, ...given])]);
  const { plan, findings } = compile(expandWorkloads(loaded.snapshot), { permissive: false });
  const web = plan.services.find(({ name }) => name === "web");
  return {
    web: web?.ports[0],
    targets: plan.targets,
    codes: [...loaded.findings, ...findings].map(({ code }) => code),
  };
}

Deno.test("refused: a group takes no request, and its split and its targets are not at fault", () => {
  const { web, codes, targets } = compiled(spoilt(GROUP), CANARY, STABLE, ALLOWED);
  deepEqual(web?.rules, []);
  equal(web?.fallback.id.includes("stable"), true, web?.fallback.id);
  deepEqual(codes, ["field-unknown"]);
  deepEqual(targets.flatMap(({ http }) => http), []);
});

Deno.test("refused: a policy for a match of a group that cannot be read is not at fault", () => {
  const onMatch = policy("p", { retry: {} }, [{ kind: "HTTPRouteGroup", name: "rg", match: "m" }]);
  deepEqual(compiled(spoilt(GROUP), CANARY, STABLE, onMatch).codes, ["field-unknown"]);
});

Deno.test("refused: a split counts for nothing, and what it may have named is not unused", () => {
  const { web, codes } = compiled(GROUP, spoilt(CANARY), STABLE);
  deepEqual(web?.rules, []);
  deepEqual(codes, ["field-unknown"]);
  const { web: own, codes: few } = compiled(GROUP, CANARY, spoilt(STABLE));
  equal(own?.rules.length, 1);
  equal(own?.fallback.id.includes("stable"), false);
  deepEqual(few, ["field-unknown"]);
});

Deno.test("refused: a target allows nothing", () => {
  const { targets, codes } = compiled(GROUP, CANARY, STABLE, spoilt(ALLOWED));
  deepEqual(targets, []);
  deepEqual(codes, ["field-unknown"]);
});

Deno.test("refused: a TCPRoute allows no port", () => {
  const route = {
    apiVersion: "specs.smi-spec.io/v1alpha4",
    kind: "TCPRoute",
    metadata: { name: "r", namespace: "app" },
    spec: { matches: { port: [80] } },
  };
  const rules = [{ kind: "TCPRoute", name: "r" }];
  const allowed = target("t", { to: "sa-a", from: ["client/sa"], rules });
  const { targets, codes } = compiled(route, allowed);
  deepEqual(targets.map(({ tcpPorts }) => tcpPorts), [null]);
  deepEqual(codes, ["field-unknown"]);
});

Deno.test("refused: a match that cannot be read is still known by name", () => {
  const group = routeGroup("rg", { name: "m", path: "/beta" }, { name: "n" });
  const matches = (group.spec as { matches: Manifest[] }).matches;
  const broken = { ...group, spec: { matches: [{ ...matches[0], methods: ["get"] }, matches[1]] } };
  const onMatch = policy("p", { retry: {} }, [{ kind: "HTTPRouteGroup", name: "rg", match: "m" }]);
  const named = target("t", {
    to: "sa-a",
    from: ["client/sa"],
    rules: [{ kind: "HTTPRouteGroup", name: "rg", matches: ["m"] }],
  });
  deepEqual(compiled(broken, CANARY, STABLE, onMatch, named).codes.slice(0, 1), ["schema-invalid"]);
  deepEqual(compiled(broken, CANARY, STABLE, named).codes.includes("target-route-missing"), false);
});

Deno.test("refused: what names a Service or a group of a broken or misspelt document is not at fault", () => {
  const text = (manifests: readonly Manifest[]) => fileOf(manifests).text;
  const serving = policy("p", { retry: {} }, [{ kind: "Service", name: "gone" }]);
  const toGone = split("s", { service: "web", backends: { "gone": 1, "web-a": 1 } });
  const ofGone = split("r", { service: "gone", backends: { "web-a": 1 } });
  const meta = "metadata:\n  name: gone\n  namespace: app\n";
  for (
    const [lost, code] of [
      [`apiVersion: v1\nkind: Service\n${meta}spec: [\n`, "yaml-syntax"],
      [`apiVersion: v1\nkind: Sevice\n${meta}`, "kind-misspelt"],
      [`apiVersion: v2\nkind: Service\n${meta}`, "version-unsupported"],
    ]
  ) {
    const files = [text([...W_ALL, serving, toGone, ofGone]), lost].map((text, index) => ({
      name: `${index}.yaml`,
      text,
    }));
    const { snapshot, findings } = parseManifests(files);
    const compiled = compile(expandWorkloads(snapshot));
    deepEqual([...findings, ...compiled.findings].map(({ code }) => code), [code]);
    equal(compiled.plan.services.some(({ name }) => name === "gone"), false);
  }
});
