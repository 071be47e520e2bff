/** Which policy counts where. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { parseManifests } from "../../schemas/manifests.ts";
import { expandWorkloads } from "../../schemas/workloads.ts";
import {
  backend,
  fileOf,
  type Manifest,
  policy,
  routeGroup,
  split,
  W_ALL,
} from "../../tests/support/smi_fixtures.ts";
import type { Plan, PlanRoutePolicy } from "../plan.ts";
import { decodePlan, encodePlan } from "../plan_codec.ts";
import { buildTable } from "../table/build.ts";
import { compile } from "./compile.ts";

function planOf(given: readonly Manifest[]): Plan {
  const { snapshot } = parseManifests([fileOf(given)]);
  const { plan } = compile(expandWorkloads(snapshot));
  const decoded = decodePlan(encodePlan(plan));
  deepEqual(decoded, { ok: true, plan });
  return plan;
}

function portOf(plan: Plan, name: string) {
  const port = plan.services.find((service) => service.name === name)?.ports[0];
  ok(port);
  return port;
}

/** `section=policy` of each section. */
function sourcesOf(policy: PlanRoutePolicy | undefined): string {
  return Object.entries(policy?.sources ?? {}).map(([section, source]) =>
    `${section}=${source.policy.name}`
  ).join(" ");
}

const SPLIT = [
  routeGroup("rg", { name: "one", path: "/one" }, { name: "two", path: "/two" }),
  split("s", { service: "web", matches: ["rg"], backends: { "web-a": 1, "web-b": 1 } }),
];
const GROUP = { kind: "HTTPRouteGroup", name: "rg" };

Deno.test("policies: a match before its group, the group before the Service, section by section", () => {
  const port = portOf(
    planOf([
      ...W_ALL,
      ...SPLIT,
      policy("service", { timeouts: {}, retry: {}, fault: {} }),
      policy("group", { timeouts: {}, retry: {} }, [GROUP]),
      policy("match", { timeouts: {} }, [{ ...GROUP, match: "one" }]),
    ]),
    "web",
  );
  equal(sourcesOf(port.policy), "retry=service timeouts=service fault=service");
  deepEqual(port.rules.map((rule) => [rule.match.name, sourcesOf(rule.policy)]), [
    ["one", "retry=group timeouts=match fault=service"],
    ["two", "retry=group timeouts=group fault=service"],
  ]);
});

Deno.test("policies: of two for one target the oldest counts, whatever the order of the input", () => {
  const older = policy("z", { timeouts: {} }, undefined, "2026-01-01T00:00:00Z");
  const younger = policy("a", { timeouts: {}, retry: {} }, undefined, "2026-02-01T00:00:00Z");
  for (const both of [[older, younger], [younger, older]]) {
    const port = portOf(planOf([...W_ALL, ...both]), "web");
    equal(sourcesOf(port.policy), "retry=a timeouts=z");
  }
});

Deno.test("policies: another namespace's policy has no say", () => {
  const plan = planOf([...W_ALL, policy("other/p", { timeouts: {} })]);
  equal(portOf(plan, "web").policy, undefined);
});

Deno.test("policies: sections about endpoints are the backend's, else the root's", () => {
  const plan = planOf([
    ...W_ALL,
    ...SPLIT,
    policy("root", { slowStart: { window: "1s" }, connectionLimits: {} }),
    policy("own", { slowStart: { window: "2s" } }, [{ kind: "Service", name: "web-b" }]),
  ]);
  deepEqual(Object.keys(plan.endpointPolicies ?? {}), ["app/web-b:80", "app/web:80"]);
  const table = buildTable(plan, { namespace: "app", identity: "", seed: null });
  const route = [...table.services.values()].flatMap(({ routes }) => routes).find(({ plan }) =>
    plan.split?.name === "s"
  );
  deepEqual(
    route?.backends.map(({ plan, policy }) => [
      plan.service,
      policy?.slowStart?.windowMs,
      policy?.connectionLimits?.maxPending,
    ]),
    [["web-a", 1_000, 1_024], ["web-b", 2_000, 1_024]],
  );
  // Asked for by its own name, a backend has nothing from the root.
  const direct = [...table.services.values()].flatMap(({ routes }) => routes).find(({ service }) =>
    service.key === "app/web-a"
  );
  equal(direct?.backends[0].policy, null);
});

Deno.test("policies: a mirror is a group of the same port, and left out where it can take nothing", () => {
  const withMirror = (service: string) =>
    planOf([
      ...W_ALL,
      ...backend("copy"),
      ...backend("far/copy"),
      policy("p", { mirror: { service } }),
    ]);
  deepEqual(portOf(withMirror("copy"), "web").policy?.mirror, {
    namespace: "app",
    service: "copy",
    group: "app/copy:80",
    percent: 100,
  });
  for (const service of ["none", "copy.far", "not a name"]) {
    equal(portOf(withMirror(service), "web").policy, undefined, service);
  }
});

Deno.test("policies: a plan with a policy altered is refused", () => {
  const plan = planOf([...W_ALL, policy("p", { retry: {}, headers: { request: {} } })]);
  const text = encodePlan(plan);
  const alterations: readonly [string, string][] = [
    ['"attempts":2', '"attempts":-1'],
    ['"budgetPercent":20', '"budgetPercent":120'],
    ['"remove":[]', '"remove":["A:"]'],
    ['"add":[]', '"add":[{"name":"a","value":"b\\r\\nc: d"}]'],
    ['"target":"Service app/web"', '"target":5'],
  ];
  for (const [from, to] of alterations) {
    const decoded = decodePlan(text.replace(from, to));
    ok(text.includes(from), from);
    ok(!decoded.ok && decoded.message.includes("policy"), `${to}: ${JSON.stringify(decoded)}`);
  }
});
