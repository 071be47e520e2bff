import { deepEqual, equal, match } from "node:assert/strict";
import fc from "fast-check";
import { fileOf, routeGroup, split, target, W_ALL } from "../tests/support/smi_fixtures.ts";
import { parseManifests } from "../schemas/manifests.ts";
import { expandWorkloads } from "../schemas/workloads.ts";
import { compile } from "./compile/compile.ts";
import type { Plan } from "./plan.ts";
import { buildTable } from "./table/build.ts";
import { canonicalJson } from "../base/canonical_json.ts";
import { hashPlan } from "./parts.ts";
import { decodePlan, encodePlan } from "./plan_codec.ts";

const { snapshot } = parseManifests([fileOf([
  ...W_ALL,
  routeGroup("rg", { path: "/api", methods: ["GET"], headers: { "x-v": "^1$" } }),
  split("rules", { service: "web", matches: ["rg"], backends: { "web-a": 3, "web-zz": 1 } }),
  target("t", { to: "default", from: ["client/sa"], rules: ["rg"] }),
])]);
const PLAN: Plan = compile(expandWorkloads(snapshot), { permissive: false }).plan;

/** The plan with one value changed, hashed anew, as a sender with a defect or ill will would. */
function altered(path: readonly (string | number)[], value: unknown): string {
  const copy = structuredClone(PLAN) as unknown as Record<string, unknown>;
  let parent = copy;
  for (const key of path.slice(0, -1)) parent = parent[key] as Record<string, unknown>;
  const last = path[path.length - 1];
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  try {
    copy.hash = hashPlan(copy as unknown as Plan);
  } catch {
    // It has no parts, and is refused before anything is hashed.
  }
  return canonicalJson(copy);
}

function refusal(text: string): string {
  const decoded = decodePlan(text);
  return decoded.ok ? "" : decoded.message;
}

Deno.test("encodePlan, decodePlan: the plan comes back, and the text is the same again", () => {
  const decoded = decodePlan(encodePlan(PLAN));
  deepEqual(decoded, { ok: true, plan: PLAN });
  equal(decoded.ok && encodePlan(decoded.plan), encodePlan(PLAN));
});

Deno.test("decodePlan: a text in another form than the canonical one is the same plan", () => {
  const reversed = Object.fromEntries(Object.entries(PLAN).reverse());
  for (const text of [JSON.stringify(PLAN, null, 2), JSON.stringify(reversed)]) {
    deepEqual(decodePlan(text), { ok: true, plan: PLAN });
    match(refusal(text.replace(PLAN.hash, "0".repeat(64))), /has hash/);
  }
});

Deno.test("canonicalJson: keys sorted, nothing between, undefined left out", () => {
  equal(
    canonicalJson({ b: [1, { d: null, c: "é\n" }], a: undefined }),
    '{"b":[1,{"c":"é\\n","d":null}]}',
  );
  const value = fc.jsonValue();
  fc.assert(fc.property(value, (json) => deepEqual(JSON.parse(canonicalJson(json)), json)));
});

Deno.test("hashPlan: of the content, whatever hash the plan carries", () => {
  equal(hashPlan({ ...PLAN, hash: "" } as Plan), PLAN.hash);
  equal(hashPlan({ ...PLAN, permissive: true }) === PLAN.hash, false);
});

Deno.test("decodePlan: what is no plan is refused in one line", () => {
  match(refusal(""), /not JSON/);
  match(refusal("{"), /not JSON/);
  match(refusal("[]"), /no version/);
  match(refusal("null"), /no version/);
  match(refusal('{"version":1}'), /has version 1; this program reads version 2/);
  match(refusal('{"version":2}'), /"hash" must be present/);
  match(refusal(" ".repeat(64 * 1024 * 1024 + 1)), /at most/);
  match(refusal(`${"[".repeat(200_000)}${"]".repeat(200_000)}`), /no version/);
});

Deno.test("decodePlan: content that does not fit its hash is refused", () => {
  match(refusal(encodePlan({ ...PLAN, permissive: true, targets: [] })), /has hash [0-9a-f]{12}…/);
});

Deno.test("decodePlan: fields of a later version pass, everywhere, and are still there", () => {
  for (const path of pathsIn(PLAN)) {
    const key = path[path.length - 1];
    // Only objects that are no lists by name have fields.
    if (typeof valueAt(path) !== "object" || valueAt(path) === null || key === "groups") continue;
    if (Array.isArray(valueAt(path))) continue;
    const text = altered([...path, "later"], { of: ["a", "later", "version"] });
    const decoded = decodePlan(text);
    equal(decoded.ok ? canonicalJson(decoded.plan) : decoded.message, text, JSON.stringify(path));
  }
});

Deno.test("decodePlan: a plan that needs what is not known is refused, and the way out is said", () => {
  equal(
    refusal(altered(["requires"], ["match-by-query"])),
    'The plan needs "match-by-query", which this program does not know: run a newer version of it',
  );
  equal(decodePlan(altered(["requires"], [])).ok, true);
  equal(refusal(altered(["requires"], ["a\nb"])).includes("\n"), false);
});

function valueAt(path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], PLAN);
}

const WEB = PLAN.services.findIndex(({ name }) => name === "web");
const PORT = ["services", WEB, "ports", 0];
const RULE = [...PORT, "rules", 0];
const BACKEND = [...RULE, "route", "backends", 0];

Deno.test("decodePlan: one wrong field is refused and named, even under a hash that fits", () => {
  const wrong: [path: (string | number)[], value: unknown, where: string][] = [
    [["clusterDomain"], "", "clusterDomain"],
    [["permissive"], "yes", "permissive"],
    [["permissive"], true, "targets"],
    [["requires"], "all", "requires"],
    [["requires"], [7], "requires[0]"],
    [["services"], {}, "services"],
    [["services", 0, "name"], "web/a", "services[0].name"],
    [["services", 1, "name"], PLAN.services[0].name, "services[1]"],
    [["services", 0, "clusterIps"], ["localhost"], "services[0].clusterIps[0]"],
    [[...PORT, "port"], 0, `services[${WEB}].ports[0].port`],
    [[...PORT, "port"], 80.5, `services[${WEB}].ports[0].port`],
    [[...PORT, "protocol"], "udp", `services[${WEB}].ports[0].protocol`],
    [[...RULE, "match", "path"], "(?=x)", `services[${WEB}].ports[0].rules[0].match.path`],
    [[...RULE, "match", "path"], undefined, `services[${WEB}].ports[0].rules[0].match.path`],
    [
      [...RULE, "match", "headers", 0, "name"],
      "X-V",
      `services[${WEB}].ports[0].rules[0].match.headers[0].name`,
    ],
    [
      [...RULE, "match", "methods"],
      ["BREW"],
      `services[${WEB}].ports[0].rules[0].match.methods[0]`,
    ],
    [[...BACKEND, "weight"], -1, `services[${WEB}].ports[0].rules[0].route.backends[0].weight`],
    [[...BACKEND, "weight"], 1e300, `services[${WEB}].ports[0].rules[0].route.backends[0].weight`],
    [
      [...BACKEND, "weight"],
      2 ** 31 - 1,
      `services[${WEB}].ports[0].rules[0].route.backends`,
    ],
    [[...BACKEND, "group"], "none", `services[${WEB}].ports[0].rules[0].route.backends[0].group`],
    [
      [...BACKEND, "group"],
      "toString",
      `services[${WEB}].ports[0].rules[0].route.backends[0].group`,
    ],
    [
      [...BACKEND, "state"],
      "missing",
      `services[${WEB}].ports[0].rules[0].route.backends[0].state`,
    ],
    [[...RULE, "route", "id"], "web", `services[${WEB}].ports[0].rules[0].route.id`],
    [[...RULE, "route", "id"], "app/web:80", `services[${WEB}].ports[0].rules[0].route.id`],
    [["groups", "app/web:80"], [], `services[${WEB}].ports[0].fallback.backends[0].state`],
    [["groups", "app/web:80", 0, "address"], "web", 'groups["app/web:80"][0].address'],
    [["groups", "app/web:80", 0, "port"], 70000, 'groups["app/web:80"][0].port'],
    [["targets", 0, "destination"], "default", "targets[0].destination"],
    [["targets", 0, "tcpPorts"], [0], "targets[0].tcpPorts[0]"],
  ];
  for (const [path, value, where] of wrong) {
    const message = refusal(altered(path, value));
    equal(message.split('" must')[0], `The plan is not valid: "${where}`, JSON.stringify(path));
  }
});

Deno.test("decodePlan: a plan with any value replaced is refused, or decodes to what was sent", () => {
  const paths = pathsIn(PLAN);
  const odd = fc.constantFrom<unknown>(
    undefined,
    null,
    "",
    "\u0000",
    -1,
    0.5,
    1e400,
    true,
    [],
    {},
    [[]],
    { __proto__: 1 },
    "x".repeat(300),
  );
  fc.assert(
    fc.property(fc.constantFrom(...paths), odd, (path, value) => {
      const text = altered(path, value);
      const decoded = decodePlan(text);
      if (decoded.ok) {
        equal(canonicalJson(decoded.plan), text);
        buildTable(decoded.plan, { namespace: "client", identity: "client/sa", seed: 1 });
      } else equal(decoded.message.includes("\n"), false);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("decodePlan: text with bytes lost or changed never throws, and never passes for another plan", () => {
  const text = encodePlan(PLAN);
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.nat(3), fc.string({ maxLength: 2 }), (at, cut, put) => {
      const broken = text.slice(0, at) + put + text.slice(at + cut);
      const decoded = decodePlan(broken);
      if (decoded.ok) deepEqual(decoded.plan, PLAN);
    }),
    { numRuns: 2000 },
  );
});

/** The path of every value inside a JSON value. */
function pathsIn(value: unknown, at: readonly (string | number)[] = []): (string | number)[][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => {
    const path = [...at, Array.isArray(value) ? Number(key) : key];
    return [path, ...pathsIn(member, path)];
  });
}
