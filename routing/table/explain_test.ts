import { deepStrictEqual as same, strictEqual as equal } from "node:assert/strict";
import fc from "fast-check";
import type { BackendReadiness, Plan } from "../plan.ts";
import { requestHeadOf } from "../request.ts";
import { decide, decideWhole, Decision } from "./decide.ts";
import { explain, explainAsked } from "./explain.ts";
import type { Explanation } from "./explanation.ts";
import {
  backendForTest,
  endpointForTest,
  matchForTest,
  planForTest,
  routeForTest,
  ruleForTest,
  serviceForTest,
  targetForTest,
} from "./plan_for_test.ts";
import { SplitState } from "./split.ts";
import { buildTable } from "./build.ts";
import type { TableRoute } from "./table.ts";

const CLIENT = { namespace: "client", identity: "app/client", seed: null };

function explained(
  plan: Plan,
  url: string,
  method = "GET",
  headers: [string, string][] = [],
): Explanation {
  const table = buildTable(plan, CLIENT);
  return explain(table, requestHeadOf({ method, url, headers }), 80, new SplitState(table));
}

Deno.test("explain names each rule's first failure, the winner and what was not reached", () => {
  const plan = planForTest([serviceForTest({
    rules: [
      ruleForTest({ path: "/test", methods: ["GET", "PUT"] }, "b", "1"),
      ruleForTest({ path: "/demo" }, "b", "2"),
      ruleForTest({ headers: [{ name: "x-v", pattern: "^2$" }] }, "b", "3"),
      ruleForTest({ headers: [{ name: "x-w", pattern: "" }] }, "b", "4"),
      ruleForTest({ path: "/t" }, "c", "5"),
      ruleForTest({}, "b", "6"),
    ],
  })]);
  const explanation = explained(plan, "http://WEB.app.svc:80/test?q", "POST", [["X-V", "1"], [
    "x-v",
    "2",
  ]]);
  same(
    explanation.rules.map((
      { split, outcome, failed },
    ) => [split, outcome, failed && { ...failed }]),
    [
      ["app/rule 1", "failed", {
        clause: "method",
        header: null,
        expected: "GET,PUT",
        seen: "POST",
      }],
      ["app/rule 2", "failed", { clause: "path", header: null, expected: "/demo", seen: "/test" }],
      ["app/rule 3", "failed", { clause: "header", header: "x-v", expected: "^2$", seen: "1, 2" }],
      ["app/rule 4", "failed", { clause: "header", header: "x-w", expected: "", seen: null }],
      ["app/rule 5", "matched", null],
      ["app/rule 6", "not-reached", null],
    ],
  );
  equal(explanation.rules[4].position, "group.yaml:1:1");
  same(explanation.host, {
    name: "web.app.svc",
    spelling: "service.namespace.svc",
    service: "app/web",
    pod: null,
    outside: null,
  });
  same(explanation.port, {
    asked: 80,
    source: "authority",
    number: 80,
    isKnown: true,
    name: "http",
    protocol: "http",
  });
  same([explanation.route?.kind, explanation.backend, explanation.outcome], [
    "rule",
    "app/c",
    "forward",
  ]);
  same(explanation.endpoints, [{ endpoint: "10.0.0.6:8080", pod: "pod-6", workload: "" }]);
});

Deno.test("explain shows every backend with its share, or why it is skipped", () => {
  const backends = [
    backendForTest("a", 50),
    backendForTest("b", 50, "missing"),
    backendForTest("c", 0),
    backendForTest("d", 150),
  ];
  const plan = planForTest([
    serviceForTest({ fallback: { ...routeForTest("split", {}), backends } }),
  ]);
  const { route } = explained(plan, "http://web.app/");
  same(
    route?.backends.map((
      { service, share, skipped, isChosen },
    ) => [service, share, skipped, isChosen]),
    [
      ["app/a", 0.25, null, false],
      ["app/b", 0, "missing", false],
      ["app/c", 0, "weight-zero", false],
      ["app/d", 0.75, null, true],
    ],
  );
  same([route?.kind, route?.position, route?.weightTotal], ["fallback", "split.yaml:1:1", 4]);
});

Deno.test("explain says how a host and a port were understood", () => {
  const web = serviceForTest({ port: 8080 }, { clusterIps: ["10.96.0.1"], podHosts: ["web-0"] });
  const plan = planForTest([web], {
    groups: { "app/a:80": [endpointForTest(1, { hostname: "web-0" })] },
  });
  const spellings = ["web.app", "web.app.svc.cluster.local.", "10.96.0.1", "web-0.web.app.svc"];
  same(spellings.map((host) => explained(plan, `http://${host}/`).host.spelling), [
    "service.namespace",
    "service.namespace.svc.cluster.local",
    "cluster-ip",
    "pod.service.namespace.svc",
  ]);
  same(explained(plan, "http://web.app/").port?.source, "only-port");
  equal(explained(plan, "http://web-0.web.app/").route?.kind, "pod");
  const unknown = explained(plan, "http://web.app:81/");
  same([unknown.reason, unknown.port?.number, unknown.port?.isKnown], ["port-unknown", 81, false]);
  same(explained(plan, "http://web/").host, {
    name: "web",
    spelling: null,
    service: null,
    pod: null,
    outside: null,
  });
  const aliases = [
    { namespace: "app", name: "shop", host: "web.app.svc" },
    { namespace: "app", name: "api", host: "example.test" },
  ];
  const aliased = (name: string) => explained({ ...plan, aliases }, `http://${name}.app:8080/`);
  same([aliased("shop").host.service, aliased("shop").host.spelling], ["app/web", "external-name"]);
  same([aliased("api").host.outside, aliased("api").reason], ["example.test", "alias-outside"]);
});

Deno.test("explain names the target that allowed the request, or those that did not", () => {
  const plan = planForTest([serviceForTest()], {
    permissive: false,
    groups: { "app/a:80": [endpointForTest(1, { identity: "app/server" })] },
    targets: [
      targetForTest({
        ref: { kind: "TrafficTarget", namespace: "app", name: "get" },
        http: [matchForTest({ methods: ["GET"] })],
      }),
      targetForTest({
        ref: { kind: "TrafficTarget", namespace: "app", name: "api" },
        http: [matchForTest({ path: "/api" })],
      }),
    ],
  });
  same(explained(plan, "http://web.app/api", "POST").access, {
    isEnforced: true,
    isAllowed: true,
    guards: [{
      endpoints: ["10.0.0.1:8080"],
      targets: ["app/get", "app/api"],
      isAllowed: true,
      allowedBy: "app/api",
      match: "group/match",
      position: "target.yaml:1:1",
    }],
  });
  const denied = explained(plan, "http://web.app/", "POST");
  same([denied.reason, denied.status, denied.backend], ["access-denied", 403, "app/a"]);
  same(denied.access?.guards[0].allowedBy, null);
});

const conditions = fc.record({
  path: fc.option(fc.constantFrom("/", "/a", "/a/b", "/[ab]", ".*b$", "/a|/c")),
  methods: fc.option(fc.subarray(["GET", "POST"], { minLength: 1 })),
  headers: fc.array(
    fc.record({
      name: fc.constantFrom("x-a", "x-b", "host"),
      pattern: fc.constantFrom("1", "^1$", "2$", "", "app", "1, 2"),
    }),
    { maxLength: 2 },
  ),
});

const routes = fc.dictionary(
  fc.constantFrom("a", "b", "c", "d"),
  fc.record({
    weight: fc.constantFrom(0, 1, 2, 25, 75),
    state: fc.constantFrom<BackendReadiness>("ready", "ready", "ready", "missing", "no-port"),
  }),
  { noNullPrototype: true },
);

const identities = fc.constantFrom("app/x", "app/y", "");

const targets = fc.record({
  destination: identities,
  sources: fc.constantFrom(["app/client"], ["app/stranger"], ["app/stranger", "app/client"]),
  port: fc.constantFrom(null, null, 8080, 9090),
  http: fc.array(conditions.map((it) => matchForTest(it)), { maxLength: 2 }),
  tcpPorts: fc.constantFrom(null, null, [], [8080]),
});

const plans = fc.record({
  permissive: fc.boolean(),
  rules: fc.array(fc.tuple(conditions, routes), { maxLength: 6 }),
  fallback: routes,
  protocol: fc.constantFrom("http", "http", "http", "grpc", "tcp") as fc.Arbitrary<
    "http" | "grpc" | "tcp"
  >,
  identities: fc.array(fc.array(identities, { maxLength: 3 }), { minLength: 4, maxLength: 4 }),
  targets: fc.array(targets, { maxLength: 4 }),
}).map((shape): Plan => {
  const routeOf = (id: string, weights: (typeof shape)["fallback"]) => ({
    ...routeForTest(id, {}),
    backends: Object.entries(weights).map(([service, { weight, state }]) =>
      backendForTest(service, weight, state)
    ),
  });
  const rules = shape.rules.map(([match, weights], i) => ({
    match: matchForTest(match),
    route: routeOf(`rule ${i}`, weights),
  }));
  let last = 0;
  const groups = Object.fromEntries(shape.identities.map((list, i) => [
    `app/${"abcd"[i]}:80`,
    list.map((identity) => endpointForTest(++last, { identity, hostname: `web-${last}` })),
  ]));
  const { protocol, permissive, targets } = shape;
  const service = serviceForTest(
    { rules, fallback: routeOf("fallback", shape.fallback), protocol },
    { podHosts: ["web-1"], clusterIps: ["10.96.0.1"] },
  );
  return planForTest([service], {
    permissive,
    groups,
    targets: permissive ? [] : targets.map((target) => targetForTest(target)),
  });
});

const requests = fc.record({
  method: fc.constantFrom("GET", "POST", "BREW", "CONNECT"),
  isWhole: fc.boolean(),
  host: fc.constantFrom(
    "web.app",
    "WEB.app.svc.",
    "web.app:80",
    "10.96.0.1",
    "web-1.web.app",
    "web.app:81",
    "no",
    ":",
  ),
  path: fc.constantFrom("/", "/a", "/a/b", "/c", "/b?a"),
  headers: fc.array(
    fc.tuple(fc.constantFrom("x-a", "X-A", "x-b", "x-c"), fc.constantFrom("1", "2", "12")),
    { maxLength: 3 },
  ),
});

Deno.test("explain and decide agree on random plans, requests and connections", () => {
  fc.assert(
    fc.property(
      plans,
      fc.array(requests, { minLength: 1, maxLength: 8 }),
      fc.option(fc.nat()),
      (plan, sent, seed) => {
        const table = buildTable(plan, { ...CLIENT, seed });
        const state = new SplitState(table);
        const decision = new Decision();
        /** Requests by route id. */
        const taken = new Map<string, number>();
        for (const { method, host, path, headers, isWhole } of sent) {
          const head = requestHeadOf({ method, url: `http://${host}${path}`, headers });
          const asked = { head, isWhole, unrouted: null };
          const explanation = explainAsked(table, asked, 80, state);
          same(explainAsked(table, asked, 80, state), explanation, "explaining changes nothing");
          if (isWhole) decideWhole(table, head, state, decision);
          else decide(table, head, 80, state, decision);
          same({
            outcome: explanation.outcome,
            reason: explanation.reason,
            status: explanation.status,
            service: explanation.host.service,
            route: explanation.route?.id ?? null,
            backend: explanation.backend,
            position: explanation.route?.sequencePosition ?? 0,
            endpoints: explanation.endpoints.map((it) => it.endpoint).toSorted(),
          }, {
            outcome: decision.outcome,
            reason: decision.reason,
            status: isWhole ? 0 : decision.status,
            service: decision.service?.key ?? null,
            route: decision.route?.plan.id ?? null,
            backend: decision.backend?.key ?? null,
            position: decision.route === null ? 0 : placeOf(decision.route, taken),
            endpoints: (decision.endpointSet?.endpoints ?? []).map((it) => it.key).toSorted(),
          });
          same(
            JSON.parse(JSON.stringify(explanation)),
            explanation,
            "an explanation is plain data",
          );
        }
      },
    ),
    { numRuns: 400 },
  );
});

/** How far the route's sequence had got before this request, by what was counted here; counts the request. */
function placeOf(route: TableRoute, taken: Map<string, number>): number {
  if (route.backends.length < 2) return 0;
  const before = taken.get(route.plan.id) ?? 0;
  taken.set(route.plan.id, before + 1);
  return before % route.weightTotal;
}

Deno.test("explain says which target came nearest to allowing a refused request, and what of it does not hold", () => {
  const read = matchForTest({ name: "read", path: "/read", methods: ["GET"] });
  const named = matchForTest({ name: "named", headers: [{ name: "x-user", pattern: "ann" }] });
  const nearestOf = (
    targets: readonly Parameters<typeof targetForTest>[0][],
    { url = "http://web.app/other", isWhole = false } = {},
  ) => {
    const plan = planForTest([serviceForTest()], {
      permissive: false,
      targets: targets.map((target) => targetForTest(target)),
      groups: { "app/a:80": [endpointForTest(1, { identity: "app/server" })] },
    });
    const table = buildTable(plan, CLIENT);
    const asked = { head: requestHeadOf({ method: "POST", url }), isWhole, unrouted: null };
    const { access } = explainAsked(table, asked, 80, new SplitState(table));
    const { clause, header, expected, seen } = access?.nearest?.failed ??
      { clause: "", header: null, expected: "", seen: null };
    return [clause, header, expected, seen];
  };
  same(nearestOf([{ destination: "app/other" }]), ["destination", null, "app/other", "app/server"]);
  same(nearestOf([{ destination: "app/other" }, { sources: ["app/a", "app/b"] }]), [
    "source",
    null,
    "app/a, app/b",
    "app/client",
  ]);
  same(nearestOf([{ sources: [] }, { port: 9 }]), ["port", null, "9", "8080"]);
  same(nearestOf([{ port: 9 }, { tcpPorts: [9, 10] }]), ["port", null, "9", "8080"]);
  same(nearestOf([{ tcpPorts: [9, 10] }]), ["port", null, "9, 10", "8080"]);
  same(nearestOf([{ tcpPorts: [9] }, { http: [read] }]), ["path", null, "/read", "/other"]);
  const url = "http://web.app/read";
  same(nearestOf([{ http: [read] }], { url }), ["method", null, "GET", "POST"]);
  same(nearestOf([{ http: [read, named] }], { url }), ["header", "x-user", "ann", null]);
  same(nearestOf([{ http: [named] }], { isWhole: true })[0], "rules");
  same(nearestOf([{}])[0], "rules");
  same(nearestOf([{ destination: "app/other", sources: ["app/x"] }])[0], "");
});

Deno.test("explain says of what the mesh does not know which Egress lets it out, where egress is off", () => {
  const egress = {
    ref: { kind: "Egress", namespace: "app", name: "e" },
    position: { file: "in.yaml", line: 3, column: 1 },
    source: CLIENT.identity,
    hosts: ["api.example"],
    ranges: ["192.0.2.0/24"],
    ports: [{ port: 80, protocol: "http" }],
    http: [matchForTest({ path: "/public" })],
  } as const;
  const plan = planForTest([serviceForTest({})]);
  const off: Plan = { ...plan, egressOff: true, egress: { [CLIENT.identity]: [egress] } };
  const egressOf = (url: string, of: Plan = off) => explained(of, url).egress;
  same(egressOf("http://API.example/public"), { allowedBy: "app/e", position: "in.yaml:3:1" });
  const nothing = { allowedBy: null, position: null };
  for (const url of ["api.example/x", "api.example:81/public", "other.example/public"]) {
    same(egressOf(`http://${url}`), nothing, url);
  }
  same(egressOf("http://api.example/public", { ...off, egress: {} }), nothing);
  equal(egressOf("http://api.example/public", plan), undefined);
});
