import { deepStrictEqual as same, ok, strictEqual as equal } from "node:assert/strict";
import type { Plan } from "../plan.ts";
import { requestHeadOf } from "../request.ts";
import type { RequestHead } from "../request.ts";
import { explain } from "./explain.ts";
import { decide, decideAt, decideConnection, Decision } from "./decide.ts";
import {
  backendForTest,
  endpointForTest,
  matchForTest,
  planForTest,
  portForTest,
  routeForTest,
  ruleForTest,
  serviceForTest,
  servicesOfTable,
  targetForTest,
} from "./plan_for_test.ts";
import { SplitState } from "./split.ts";
import { buildTable } from "./build.ts";

const CLIENT = { namespace: "client", identity: "app/client", seed: null };

function get(url: string, method = "GET"): RequestHead {
  return requestHeadOf({ method, url });
}

/** Decides requests one after the other with one state. */
function decider(plan: Plan, client = CLIENT) {
  const table = buildTable(plan, client);
  const state = new SplitState(table);
  const decision = new Decision();
  return {
    table,
    decide(head: RequestHead): Decision {
      decide(table, head, 80, state, decision);
      return decision;
    },
    decideAt(head: RequestHead, service: number): Decision {
      decideAt([...table.services.values()][service].ports[0], head, state, decision);
      return decision;
    },
    connect(service: number): Decision {
      decideConnection([...table.services.values()][service].ports[0], state, decision);
      return decision;
    },
  };
}

/** What a decision comes to: the backend's Service, or the reason and status of a refusal. */
function outcomeOf(decision: Decision): string {
  return decision.outcome === "forward"
    ? decision.backend?.plan.service ?? "no backend"
    : `${decision.reason} ${decision.status}`;
}

Deno.test("decide gives the guide's order for 75/25", () => {
  const { decide } = decider(planForTest([serviceForTest({
    fallback: routeForTest("split", { v1: 75, v2: 25 }),
  })]));
  const order = Array.from({ length: 8 }, () => outcomeOf(decide(get("http://web.app/"))));
  equal(order.join(" "), "v1 v2 v1 v1 v1 v2 v1 v1");
});

Deno.test("the first rule that a request satisfies decides, else the fallback", () => {
  const { decide } = decider(planForTest([serviceForTest({
    rules: [
      ruleForTest({ path: "/test", methods: ["GET"] }, "b"),
      ruleForTest({ path: "/t" }, "c"),
    ],
  })]));
  equal(outcomeOf(decide(get("http://web.app/test?x=/no"))), "b");
  equal(outcomeOf(decide(get("http://web.app/test", "HEAD"))), "c");
  equal(outcomeOf(decide(get("http://web.app/demo?next=/test"))), "a");
});

Deno.test("every spelling of the root's name shares one split (case B26)", () => {
  const { decide } = decider(planForTest([serviceForTest({
    fallback: routeForTest("split", { a: 10, b: 90 }),
  })]));
  const hosts = ["web.app", "web.app.svc", "web.app.svc.cluster", "web.app.svc.cluster.local"];
  for (const host of hosts.flatMap((host) => [host, `${host}:80`])) {
    const outcomes = Array.from({ length: 10 }, () => outcomeOf(decide(get(`http://${host}/`))));
    equal(outcomes.filter((it) => it === "a").length, 1, host);
    equal(outcomes.filter((it) => it === "b").length, 9, host);
  }
  equal(outcomeOf(decide(get("http://web/"))), "host-unknown 404");
});

Deno.test("requests are refused with a reason and a status", () => {
  const { decide } = decider(planForTest([
    serviceForTest({
      fallback: {
        ...routeForTest("none", {}),
        backends: [
          backendForTest("a", 1, "missing"),
          backendForTest("b", 0),
          backendForTest("c", 1),
        ],
      },
    }),
    serviceForTest({ protocol: "tcp", fallback: routeForTest("tcp", { a: 1 }) }, { name: "db" }),
  ], { groups: { "app/c:80": [endpointForTest(1, { port: 0 })] } }));
  equal(outcomeOf(decide(get("http://web.app:x/"))), "host-invalid 400");
  equal(outcomeOf(decide(get("http://other.app/"))), "host-unknown 404");
  equal(outcomeOf(decide(get("http://web.app:81/"))), "port-unknown 404");
  equal(outcomeOf(decide(get("http://db.app/"))), "not-http 502");
  const decision = decide(get("http://web.app/"));
  equal(outcomeOf(decision), "no-endpoints 503");
  equal(decision.endpointSet, null);
  same(decision.route?.skipped.map(({ reason }) => reason), [
    "missing",
    "weight-zero",
    "no-endpoints",
  ]);
});

Deno.test("a request without a port means the default one, or the only one", () => {
  const ports = [portForTest({ port: 8080 }), portForTest({ port: 9090 })];
  const { decide } = decider(planForTest([
    serviceForTest({ port: 8080 }),
    serviceForTest({}, { name: "two", ports }),
  ]));
  equal(decide(get("http://web.app/")).port?.port, 8080);
  equal(outcomeOf(decide(get("http://web.app:80/"))), "port-unknown 404");
  equal(outcomeOf(decide(get("http://two.app/"))), "port-unknown 404");
  equal(decide(get("http://two.app:9090/")).port?.port, 9090);
});

Deno.test("backends that can take nothing are left out and their share goes to the others", () => {
  const { decide, table } = decider(planForTest([serviceForTest({
    fallback: {
      ...routeForTest("split", {}),
      backends: [
        backendForTest("a", 50),
        backendForTest("b", 50, "no-endpoints"),
        backendForTest("c", 100),
      ],
    },
  })], { groups: { "app/b:80": [] } }));
  same(
    servicesOfTable(table)[0].routes[0].backends.map(({ plan, weight }) => [plan.service, weight]),
    [[
      "a",
      1,
    ], [
      "c",
      2,
    ]],
  );
  const outcomes = Array.from({ length: 6 }, () => outcomeOf(decide(get("http://web.app/"))));
  equal(outcomes.toSorted().join(""), "aacccc");
});

Deno.test("a pod of a headless Service is reached past rules and splits", () => {
  const groups = { "app/web:80": [1, 2].map((n) => endpointForTest(n, { hostname: `web-${n}` })) };
  const { decide } = decider(planForTest([serviceForTest(
    { rules: [ruleForTest({}, "b")] },
    { podHosts: ["web-1", "web-2", "web-3"] },
  )], { groups }));
  for (let i = 0; i < 3; i++) {
    const decision = decide(get("http://web-2.web.app/"));
    same(decision.endpointSet?.endpoints.map(({ key }) => key), ["10.0.0.2:8080"]);
  }
  equal(outcomeOf(decide(get("http://web-3.web.app/"))), "no-endpoints 503");
  equal(outcomeOf(decide(get("http://web.app/"))), "b");
});

Deno.test("connections go by the fallback, past every rule (case G21)", () => {
  const { connect } = decider(planForTest([serviceForTest({
    protocol: "tcp",
    rules: [ruleForTest({ path: "/x" }, "c")],
    fallback: routeForTest("split", { a: 50, b: 50 }),
  })]));
  const outcomes = Array.from({ length: 20 }, () => outcomeOf(connect(0)));
  equal(outcomes.filter((it) => it === "a").length, 10);
  equal(outcomes.filter((it) => it === "b").length, 10);
});

Deno.test("endpoints without an address are told apart by their pods", () => {
  const nowhere = [1, 2].map((n) => endpointForTest(n, { address: "" }));
  const { table } = decider(planForTest([serviceForTest()], { groups: { "app/a:80": nowhere } }));
  const [{ endpointSet }] = servicesOfTable(table)[0].routes[0].backends;
  same(endpointSet.endpoints.map(({ key }) => key), ["pod-1:8080", "pod-2:8080"]);
});

// Access (smi-facts 3.11).

const server = { identity: "app/server" };

function guardedPlan(more: Partial<Plan>): Plan {
  return planForTest([serviceForTest({ fallback: routeForTest("split", { a: 1, b: 1 }) })], {
    permissive: false,
    groups: {
      "app/a:80": [endpointForTest(1, server)],
      "app/b:80": [endpointForTest(2, { identity: "app/other" })],
    },
    ...more,
  });
}

Deno.test("without a target nothing is reachable; in permissive mode everything is", () => {
  equal(outcomeOf(decider(guardedPlan({})).decide(get("http://web.app/"))), "access-denied 403");
  equal(outcomeOf(decider(guardedPlan({ permissive: true })).decide(get("http://web.app/"))), "b");
});

Deno.test("a client gets only the backends whose identity it may reach (case F17)", () => {
  const { decide } = decider(guardedPlan({
    targets: [targetForTest({ destination: "app/other", http: [matchForTest()] })],
  }));
  for (let i = 0; i < 5; i++) equal(outcomeOf(decide(get("http://web.app/"))), "b");
});

Deno.test("clients of another or of no identity are refused", () => {
  const plan = guardedPlan({ targets: [targetForTest({ http: [matchForTest()] })] });
  for (const identity of ["app/stranger", ""]) {
    const { decide } = decider(plan, { ...CLIENT, identity });
    equal(outcomeOf(decide(get("http://web.app/"))), "access-denied 403");
  }
});

Deno.test("the destination's targets must allow the request (cases F3, F7 to F9)", () => {
  const { decide } = decider(guardedPlan({
    targets: [
      targetForTest({ http: [matchForTest({ path: "/api", methods: ["GET"] })] }),
      targetForTest({
        http: [matchForTest({ headers: [{ name: "authorized", pattern: "t|True" }] })],
      }),
    ],
  }));
  equal(outcomeOf(decide(get("http://web.app/api"))), "a");
  equal(outcomeOf(decide(get("http://web.app/api", "POST"))), "access-denied 403");
  equal(outcomeOf(decide(get("http://web.app/"))), "access-denied 403");
  const allowed = {
    method: "POST",
    url: "http://web.app/",
    headers: [["Authorized", "true"]] as const,
  };
  equal(outcomeOf(decide(requestHeadOf(allowed))), "a");
});

Deno.test("a target without rules makes a backend known and allows nothing", () => {
  const { decide, table } = decider(guardedPlan({ targets: [targetForTest()] }));
  equal(servicesOfTable(table)[0].routes[0].backends.length, 1);
  equal(outcomeOf(decide(get("http://web.app/"))), "access-denied 403");
});

Deno.test("TCP rules allow any request and any connection, on their ports (case F11)", () => {
  for (const [tcpPorts, isAllowed] of [[[], true], [[8080], true], [[80], false]] as const) {
    const { decide, connect } = decider(guardedPlan({ targets: [targetForTest({ tcpPorts })] }));
    equal(decide(get("http://web.app/")).outcome, isAllowed ? "forward" : "refuse");
    equal(connect(0).outcome, isAllowed ? "forward" : "refuse");
  }
  const http = decider(guardedPlan({ targets: [targetForTest({ http: [matchForTest()] })] }));
  equal(outcomeOf(http.connect(0)), "access-denied 403", "HTTP rules allow no plain connection");
});

Deno.test("a target for one port does not count for others", () => {
  for (const [port, isAllowed] of [[8080, true], [80, false]] as const) {
    const { decide } = decider(guardedPlan({
      targets: [targetForTest({ port, http: [matchForTest()] })],
    }));
    equal(decide(get("http://web.app/")).outcome, isAllowed ? "forward" : "refuse");
  }
});

Deno.test("of several identities behind a backend those that allow the request are left", () => {
  const { decide, table } = decider(planForTest([serviceForTest()], {
    permissive: false,
    groups: {
      "app/a:80": [1, 2, 3, 4].map((n) =>
        endpointForTest(n, { identity: ["app/x", "app/y", "app/x", "app/z"][n - 1] })
      ),
    },
    targets: [
      targetForTest({ destination: "app/x", http: [matchForTest({ methods: ["GET"] })] }),
      targetForTest({ destination: "app/y", http: [matchForTest({ path: "/y" })] }),
    ],
  }));
  const lasts = (head: RequestHead) =>
    decide(head).endpointSet?.endpoints.map(({ plan }) => plan.address.slice(-1)).toSorted().join(
      "",
    );
  const [{ endpointSet }] = servicesOfTable(table)[0].routes[0].backends;
  equal(endpointSet.endpoints.length, 3, "app/z is not reachable at all");
  equal(lasts(get("http://web.app/y")), "123");
  equal(lasts(get("http://web.app/")), "13");
  equal(lasts(get("http://web.app/y", "POST")), "2");
  equal(outcomeOf(decide(get("http://web.app/", "POST"))), "access-denied 403");
  ok(decide(get("http://web.app/")).endpointSet === decide(get("http://web.app/")).endpointSet);
});

Deno.test("decideAt: rules and splits of a port count whatever the authority says", () => {
  const plan = planForTest([
    serviceForTest({
      rules: [ruleForTest({ path: "/admin" }, "admin")],
      fallback: routeForTest("split", { v1: 75, v2: 25 }),
    }),
    serviceForTest({ protocol: "tcp" }, { name: "db" }),
  ]);
  const { decideAt } = decider(plan);
  equal(outcomeOf(decideAt(get("http://10.96.0.7/admin"), 0)), "admin");
  const order = Array.from({ length: 4 }, () => outcomeOf(decideAt(get("http://elsewhere/"), 0)));
  equal(order.join(" "), "v1 v2 v1 v1");
  equal(outcomeOf(decideAt(get("http://10.96.0.8/"), 1)), "not-http 502");
});

Deno.test("decideAt: traffic targets count", () => {
  const plan = guardedPlan({
    targets: [targetForTest({ http: [matchForTest({ path: "/api" })] })],
  });
  const { decideAt } = decider(plan);
  equal(outcomeOf(decideAt(get("http://10.96.0.7/api"), 0)), "a");
  equal(outcomeOf(decideAt(get("http://10.96.0.7/other"), 0)), "access-denied 403");
});

Deno.test("backends that keep their shares are answered for; rules that take nothing are said", () => {
  const kept = {
    ...routeForTest("kept", { a: 1, gone: 1, empty: 2 }),
    keepsShares: true as const,
    backends: [
      backendForTest("a", 1),
      backendForTest("gone", 1, "missing"),
      backendForTest("empty", 2, "no-endpoints"),
    ],
  };
  const noBackend = { ...routeForTest("noBackend", {}), keepsShares: true as const };
  const none = { ...routeForTest("none", {}), answer: { kind: "no-rule" } as const };
  const elsewhere = {
    ...routeForTest("elsewhere", {}),
    answer: {
      ...{ kind: "redirect", status: 308, scheme: null } as const,
      ...{ host: "x", port: null, path: null },
    },
  };
  const { decide, table } = decider(planForTest([serviceForTest({
    rules: [
      { match: matchForTest({ path: "/kept" }), route: kept },
      { match: matchForTest({ path: "/unserved" }), route: noBackend },
      { match: matchForTest({ path: "/elsewhere" }), route: elsewhere },
    ],
    fallback: none,
  })], { groups: { "app/gone:80": [], "app/empty:80": [] } }));
  const ask = (path: string) => outcomeOf(decide(get(`http://web.app${path}`)));
  const kinds = Array.from({ length: 8 }, () => ask("/kept"));
  same(
    Object.fromEntries(Map.groupBy(kinds, (it) => it).entries().map(([k, v]) => [k, v.length])),
    {
      "a": 2,
      "route-invalid 500": 2,
      "no-endpoints 503": 4,
    },
  );
  equal(ask("/unserved"), "route-invalid 500");
  equal(ask("/elsewhere"), "redirected 308");
  equal(ask("/"), "no-rule 404");
  const state = new SplitState(table);
  const explained = ["/unserved", "/elsewhere?a", "/"].map((path) => {
    const { reason, status, location } = explain(table, get(`http://web.app${path}`), 80, state);
    return [reason, status, location];
  });
  same(explained, [
    ["route-invalid", 500, undefined],
    ["redirected", 308, "http://x/elsewhere?a"],
    ["no-rule", 404, undefined],
  ]);
});

Deno.test("clients of a namespace with routes of its own get those, others the Service's", () => {
  const plan = planForTest([serviceForTest({
    rules: [ruleForTest({ path: "/a" }, "a")],
    fallback: routeForTest("fallback", { b: 1 }),
    consumers: {
      client: {
        rules: [ruleForTest({ path: "/c" }, "c")],
        fallback: { ...routeForTest("none", {}), answer: { kind: "no-rule" } },
      },
    },
  })], { groups: { "app/c:80": [endpointForTest(9)] } });
  const ask = (namespace: string) => {
    const { decide } = decider(plan, { ...CLIENT, namespace });
    return ["/a", "/c", "/"].map((path) => outcomeOf(decide(get(`http://web.app${path}`)))).join();
  };
  equal(ask("client"), "no-rule 404,c,no-rule 404");
  equal(ask("toString"), "a,b,b");
});
