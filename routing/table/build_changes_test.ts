/**
 * A table that takes over what a plan left as it was, and all that goes from plan to plan with it, is as one that is built of the plan
 * alone: it decides, explains and carries over the same. A plan in these tests shares all, some or none of its objects with the one before.
 */
import { deepEqual, equal, notEqual, ok, throws } from "node:assert/strict";
import fc from "fast-check";
import { VersionedMap } from "../../base/versioned_map.ts";
import {
  composePlan,
  groupsNamedBy,
  type Part,
  type PartKey,
  partsOf,
  planHeaderOf,
} from "../parts.ts";
import type { Plan, PlanService } from "../plan.ts";
import { groupOf, type PlanView, policyOf, servicesOf } from "../plan_view.ts";
import { requestHeadOf } from "../request.ts";
import { HeldPlan } from "../source/held_plan.ts";
import { AddressIndex } from "./address_index.ts";
import { buildTable } from "./build.ts";
import { type Change, CHANGE_KINDS, ChangingPlan } from "./changing_plan_for_test.ts";
import { decide, decideConnection, Decision } from "./decide.ts";
import { DirectEndpoints } from "./direct_endpoints.ts";
import { explain } from "./explain.ts";
import {
  differentParts,
  endpointForTest,
  planForTest,
  serviceForTest,
  servicesOfTable,
  sharingPlan,
} from "./plan_for_test.ts";
import { SplitState } from "./split.ts";
import type { Table, TableRoute } from "./table.ts";

const CLIENTS = [
  { namespace: "app", identity: "app/client", seed: null },
  { namespace: "elsewhere", identity: "app/other", seed: 7 },
];

const HOSTS = [
  "web",
  "web.app:81",
  "a.app",
  "b.app.svc.cluster.local",
  "c.app",
  "db.app",
  "pod-1.db.app",
  "pod-2.db",
  "pod-3.web.app",
  "10.96.0.1",
  "10.96.0.4",
  "[fd00::2]",
  "alias-0",
  "alias-1.app",
  "alias-2.app.svc",
];

const HEADS = HOSTS.flatMap((host) =>
  ["/x", "/y", "/z"].flatMap((path) =>
    ["GET", "POST"].map((method) =>
      requestHeadOf({
        method,
        url: `http://${host}${path}`,
        headers: [["x-user-2", `${path}${method}`]],
      })
    )
  )
);

/** A step: the change, how much of the plan before is shared (bits), and how many requests come in between. */
type Step = readonly [change: Change, sharing: number, requests: number];

const anySteps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.tuple(
    fc.tuple(fc.nat(CHANGE_KINDS - 1), fc.nat(4), fc.nat(31)),
    fc.constantFrom(15, 15, 15, 0, 7, 11),
    fc.nat(20),
  ),
  { minLength: 1, maxLength: 25 },
);

/** What a plan has in common with the one before: by bit its Services, groups, targets, and policies. */
function sharingSome(before: Plan, plan: Plan, bits: number): Plan {
  const { endpointPolicies, ...shared } = sharingPlan(before, plan);
  const policies = (bits & 8) === 0 ? plan.endpointPolicies : endpointPolicies;
  return {
    ...shared,
    services: (bits & 1) === 0 ? plan.services : shared.services,
    groups: (bits & 2) === 0 ? plan.groups : shared.groups,
    targets: (bits & 4) === 0 ? plan.targets : shared.targets,
    ...(policies === undefined ? {} : { endpointPolicies: policies }),
  };
}

/** What goes from table to table for one client. */
class Proxy {
  table: Table;
  readonly splits: SplitState;
  readonly direct: DirectEndpoints;

  constructor(table: Table) {
    this.table = table;
    this.splits = new SplitState(table);
    this.direct = new DirectEndpoints(table);
  }

  rebind(table: Table): void {
    this.table = table;
    this.splits.rebind(table);
    this.direct.rebind(table);
  }

  decide(at: number): unknown {
    const decision = new Decision();
    decide(this.table, HEADS[at], 80, this.splits, decision);
    return textOf(decision);
  }

  /** All that can be seen of it without taking a turn. */
  seen(): unknown {
    return {
      services: servicesOfTable(this.table).map(({ key, plan, ports }) => ({
        key,
        plan,
        ports: ports.map((port) =>
          [...port.rules, port.fallback, ...port.pods].map((route) => this.#seenOf(route))
        ),
      })),
      explained: HEADS.filter((_, i) => i % 5 === 0)
        .map((head) => explain(this.table, head, 80, this.splits)),
    };
  }

  #seenOf(route: TableRoute): unknown {
    const { plan, rule, weightTotal, refusal, policy, affinity, mirror, skipped } = route;
    equal(route.port.service, route.service);
    const backends = route.backends.map((backend) => {
      const { guarded, endpointSet } = backend;
      return {
        plan: backend.plan,
        weight: backend.weight,
        policy: backend.policy,
        set: [endpointSet.key, endpointSet.endpoints],
        tcp: guarded === null ? null : [guarded.tcp?.key, guarded.tcp?.endpoints],
        guards: guarded?.profiles.map(({ name, targets }) => [name, targets]),
      };
    });
    const kept = [plan, rule, weightTotal, refusal, policy, affinity === null, skipped];
    const set = mirror?.endpointSet;
    return [
      ...kept,
      mirror?.percent,
      set?.key,
      set?.endpoints,
      backends,
      this.splits.peek(route)?.key,
    ];
  }

  /** A whole connection to each port. */
  connect(): unknown {
    const decision = new Decision();
    return servicesOfTable(this.table).flatMap(({ ports }) =>
      ports.map((port) => {
        decideConnection(port, this.splits, decision);
        return textOf(decision);
      })
    );
  }
}

function textOf(
  { service, port, route, backend, endpointSet, reason, isPinned }: Decision,
): unknown {
  const endpoints = endpointSet?.endpoints.map(({ key }) => key);
  const place = [service?.key, port?.port, route?.plan.id, backend?.key];
  return [...place, endpointSet?.key, endpointSet?.whole?.key, endpoints, reason, isPinned];
}

/** Each number once, and not many more than there are. */
function checkNumbers(table: Table): void {
  const { routeNumbers, backendNumbers } = table;
  const routes = servicesOfTable(table).flatMap((service) => service.routes);
  const backends = routes.flatMap((route) => route.backends);
  for (const [numbers, all] of [[routeNumbers, routes], [backendNumbers, backends]] as const) {
    equal(new Set(all.map(({ index }) => index)).size, all.length);
    ok(all.every(({ index }) => index < numbers.size));
  }
}

const ADDRESSES = [
  ...[1, 2, 3, 4, 5].map((last) => `10.0.0.${last}`),
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((last) => `10.96.0.${last}`),
  "fd00::1",
];

/** How the side that takes over does so. */
interface Taking {
  /** The plan that it is given. */
  given(plan: Plan, before: Plan): PlanView;
  table(plan: PlanView, at: number, before: Table, beside: Table | undefined): Table;
  rebind(proxy: Proxy, table: Table): void;
}

const TAKING: Taking = {
  given: (plan) => plan,
  table: (plan, at, before, beside) => buildTable(plan, CLIENTS[at], { before, beside }),
  rebind: (proxy, table) => proxy.rebind(table),
};

/** Whether a version says of a Service that it may be different. */
type Says = (key: string, before: PlanView, after: PlanView) => boolean;

/** Gives what is held of the plan, as it goes from version to version. */
function holding(says: Says = () => true): Taking {
  const held = new HeldPlan();
  let before = held.take({ ...NO_CHANGE, header: planHeaderOf(planForTest([])) }).plan;
  let parts: ReadonlyMap<PartKey, Part> = new Map();
  return {
    ...TAKING,
    given(plan) {
      const next = partsOf(plan);
      const { hash } = plan;
      const header = planHeaderOf(plan);
      const change = { ...NO_CHANGE, header, hash, parts: differentParts(parts, next) };
      // One that was taken back leaves nothing behind.
      held.take(change).undo();
      const view = held.take(change).plan;
      sayOnly(view, says, before);
      before = view;
      parts = next;
      return view;
    },
  };
}

const NO_CHANGE = { hash: "", parts: [], answered: [], forgotten: [] };

function sayOnly(view: PlanView, says: Says, before: PlanView): void {
  const { services } = view;
  if (!(services instanceof VersionedMap)) return;
  const changedSince = (other: VersionedMap<PlanService>) => {
    const changed = VersionedMap.prototype.changedSince.call(services, other);
    return changed && new Map([...changed].filter(([key]) => says(key, before, view)));
  };
  Object.assign(services, { changedSince });
}

/** Something that a version can say a Service is different by. */
const isOther: Says = (key, before, after) =>
  servicesOf(before).get(key) !== servicesOf(after).get(key);
const leadsElsewhere: Says = (key, before, after) => {
  const service = servicesOf(after).get(key);
  return service !== undefined &&
    [...groupsNamedBy(service)].some((id) => groupOf(before, id) !== groupOf(after, id));
};
const hasOtherEndpoints: Says = (key, before, after) =>
  [80, 81].some((port) =>
    groupOf(before, `${key}:${port}`) !== groupOf(after, `${key}:${port}`) ||
    policyOf(before, `${key}:${port}`) !== policyOf(after, `${key}:${port}`)
  );

/** With its lists in the order of a compiled plan. */
function inOrder(plan: Plan): Plan {
  return composePlan(planHeaderOf(plan), partsOf(plan), plan.hash);
}

/** Takes two proxies through the steps, one that takes over and one that does not, and compares them. */
function follow(steps: readonly Step[], taking: Taking): void {
  const mesh = new ChangingPlan();
  let plan = inOrder(mesh.plan());
  const takers = CLIENTS.map((client) => new Proxy(buildTable(plan, client)));
  const others = CLIENTS.map((client) => new Proxy(buildTable(plan, client)));
  const addresses = new AddressIndex(plan);
  for (const [change, sharing, requests] of steps) {
    mesh.change(change);
    const before = plan;
    plan = sharingSome(before, inOrder(mesh.plan()), sharing);
    const given = taking.given(plan, before);
    const tables: Table[] = [];
    for (const [at, { table }] of takers.entries()) {
      tables.push(taking.table(given, at, table, tables.at(-1)));
    }
    for (const [at, proxy] of takers.entries()) taking.rebind(proxy, tables[at]);
    for (const [at, proxy] of others.entries()) proxy.rebind(buildTable(plan, CLIENTS[at]));
    addresses.rebind(given);
    compareAddresses(addresses, new AddressIndex(plan));
    for (const [at, proxy] of takers.entries()) {
      checkNumbers(proxy.table);
      deepEqual(proxy.seen(), others[at].seen());
      for (let i = 0; i < requests; i++) {
        const place = (i * 37 + change[2]) % HEADS.length;
        deepEqual(proxy.decide(place), others[at].decide(place));
      }
      deepEqual(proxy.connect(), others[at].connect());
      for (const endpoint of Object.values(plan.groups).flat()) {
        const head = HEADS[requests];
        equal(
          proxy.direct.decide(endpoint, head).reason,
          others[at].direct.decide(endpoint, head).reason,
        );
      }
    }
  }
}

function compareAddresses(some: AddressIndex, other: AddressIndex): void {
  for (const address of ADDRESSES) {
    for (const port of [80, 81, 8080]) {
      deepEqual(some.find(address, port), other.find(address, port));
    }
  }
}

Deno.test("a table that takes over what did not change is as one that is built of its plan alone", () => {
  fc.assert(fc.property(anySteps, (steps) => follow(steps, TAKING)), { numRuns: 60 });
});

Deno.test("the same where what is held of a plan goes from version to version", () => {
  fc.assert(fc.property(anySteps, (steps) => follow(steps, holding())), { numRuns: 60 });
});

const OVERLOOKED: Readonly<Record<string, readonly Says[]>> = {
  "a Service that is another object": [leadsElsewhere, hasOtherEndpoints],
  "a Service whose own endpoints are different": [isOther],
  "a Service whose routes lead to different endpoints": [isOther, hasOtherEndpoints],
  "a Service whose endpoints are guarded otherwise": [isOther, leadsElsewhere, hasOtherEndpoints],
};

for (const [what, said] of Object.entries(OVERLOOKED)) {
  Deno.test(`what is held of a plan: a planted bug is seen: a version does not say: ${what}`, () => {
    const says: Says = (...of) => said.some((each) => each(...of));
    throws(() =>
      fc.assert(fc.property(anySteps, (steps) => follow(steps, holding(says))), {
        numRuns: 5_000,
        endOnFailure: true,
      })
    );
  });
}

const PLANTED: Readonly<Record<string, Partial<Taking>>> = {
  "changed groups are not noticed": {
    given: (plan, before) => ({ ...plan, groups: { ...plan.groups, ...before.groups } }),
  },
  "changed targets are not noticed": {
    given: (plan, before) => plan.permissive ? plan : { ...plan, targets: before.targets },
  },
  "changed Services are not noticed": {
    given: (plan, before) => ({ ...plan, services: before.services }),
  },
  "changed policies of endpoints are not noticed": {
    given: ({ endpointPolicies: _, ...plan }, { endpointPolicies }) =>
      endpointPolicies === undefined ? plan : { ...plan, endpointPolicies },
  },
  "changed aliases are not noticed": {
    given: ({ aliases: _, ...plan }, { aliases }) =>
      aliases === undefined ? plan : { ...plan, aliases },
  },
  "names stand for Services of the table before": {
    table: (plan, at, before, beside) => ({
      ...buildTable(plan, CLIENTS[at], { before, beside }),
      hosts: before.hosts,
    }),
  },
  "one client's Services are taken over for another's": {
    table: (plan, at, before, beside) =>
      buildTable(plan, CLIENTS[at], { before: beside ?? before }),
  },
  "sequences are not carried over": {
    rebind: (proxy, table) => Object.assign(proxy, { splits: new SplitState(table), table }),
  },
  "sequences of Services that changed are not carried over": {
    rebind(proxy, table) {
      proxy.splits.rebind({ ...table, services: VersionedMap.empty() });
      proxy.rebind(table);
    },
  },
};

for (const [name, planted] of Object.entries(PLANTED)) {
  Deno.test(`tables that take over: a planted bug is seen: ${name}`, () => {
    throws(() =>
      fc.assert(fc.property(anySteps, (steps) => follow(steps, { ...TAKING, ...planted })), {
        numRuns: 5_000,
        endOnFailure: true,
      })
    );
  });
}

Deno.test("a Service that a plan leaves as it was is the same object in the next table", () => {
  const services = ["a", "b"].map((name) => serviceForTest({}, { name }));
  const plan = planForTest(services, { groups: { "app/a:80": [endpointForTest(1)] } });
  const [client] = CLIENTS;
  const before = buildTable(plan, client);
  const same = buildTable({ ...plan, services: [...services] }, client, { before });
  deepEqual(servicesOfTable(same).map((each, i) => each === servicesOfTable(before)[i]), [
    true,
    true,
  ]);
  const groups = { ...plan.groups, "app/a:80": [endpointForTest(1)] };
  const other = buildTable({ ...plan, groups }, client, { before });
  notEqual(servicesOfTable(other)[0], servicesOfTable(before)[0]);
});

Deno.test("numbers of routes are given out again, however often plans change", () => {
  const mesh = new ChangingPlan();
  const [client] = CLIENTS;
  let table = buildTable(mesh.plan(), client);
  const first = table.routeNumbers.size;
  for (let i = 0; i < 100; i++) {
    mesh.change([0, i, i]);
    table = buildTable(mesh.plan(), client, { before: table });
  }
  equal(table.routeNumbers.size, first);
});

Deno.test("a plan that cannot be executed leaves the table before as it was", () => {
  const mesh = new ChangingPlan();
  const [client] = CLIENTS;
  const plan = mesh.plan();
  const proxy = new Proxy(buildTable(plan, client));
  const before = JSON.stringify(proxy.seen());
  mesh.change([0, 0, 9]);
  const { groups, ...next } = sharingPlan(plan, mesh.plan());
  const { "app/b:80": _, ...broken } = groups;
  throws(
    () => buildTable({ ...next, groups: broken }, client, { before: proxy.table }),
    /no group/,
  );
  equal(JSON.stringify(proxy.seen()), before);
  proxy.rebind(buildTable({ ...next, groups }, client, { before: proxy.table }));
  deepEqual(proxy.seen(), new Proxy(buildTable({ ...next, groups }, client)).seen());
});
