/**
 * Bindings that are told of a table that takes over what did not change are as those that bind everything anew: the same states with the
 * same endpoints, pools, limits and memories.
 */
import { deepEqual, throws } from "node:assert/strict";
import fc from "fast-check";
import { parseIp } from "../../base/ip.ts";
import { LOCAL_STATE, type StateStore } from "../../base/state_store.ts";
import { buildTable } from "../../routing/table/build.ts";
import {
  type Change,
  CHANGE_KINDS,
  ChangingPlan,
} from "../../routing/table/changing_plan_for_test.ts";
import { servicesOfTable, sharingPlan } from "../../routing/table/plan_for_test.ts";
import type { Table } from "../../routing/table/table.ts";
import { PortableIo } from "../io/portable.ts";
import { Timers } from "../loop/timers.ts";
import type { PoolOwner } from "../pool/pool.ts";
import { Pools } from "../pool/pools.ts";
import { EndpointUses } from "../run/endpoint_uses.ts";
import { Bindings } from "./bindings.ts";

const CLIENT = { namespace: "app", identity: "app/client", seed: 1 };
const io = new PortableIo({ arenaBytes: 64 });

/** A step: the change, whether the plan shares with the one before, and which routes get a request then. */
type Step = readonly [change: Change, isSharing: boolean, asked: number];

const anySteps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.tuple(
    fc.tuple(fc.nat(CHANGE_KINDS - 1), fc.nat(4), fc.nat(31)),
    fc.boolean(),
    fc.nat(1_000),
  ),
  { minLength: 1, maxLength: 25 },
);

/** What one listener has bound. */
class Bound {
  readonly #pools = new Pools(io);
  readonly #owners = new Set<PoolOwner>();
  /** Keys of what is kept elsewhere. */
  readonly #kept = new Map<string, number>();
  readonly #bindings: Bindings;
  readonly #uses = new EndpointUses();
  #table: Table;

  constructor(table: Table) {
    const store: StateStore = {
      ...LOCAL_STATE,
      tally: (key, length, fill) => {
        this.#kept.set(key, (this.#kept.get(key) ?? 0) + 1);
        const tally = LOCAL_STATE.tally(key, length, fill);
        tally.release = () => void this.#kept.set(key, (this.#kept.get(key) ?? 0) - 1);
        return tally;
      },
    };
    const timers = new Timers({ nowMs: 0, wakeBy() {} }, () => {});
    this.#bindings = new Bindings(0, timers, 1, store, {
      of: ({ key, plan: { address, port } }, owner) => {
        if (owner !== null) this.#owners.add(owner);
        return parseIp(address) === null
          ? null
          : this.#pools.of({ key, address, port }, { security: null, owner });
      },
      retainOwn: (owner, kept) => this.#pools.retainOwn(owner, kept),
    });
    this.#table = table;
    this.#bindings.bind(table, 0);
    this.#uses.change([{ gone: [], come: servicesOfTable(table) }]);
  }

  get table(): Table {
    return this.#table;
  }

  rebind(table: Table): void {
    const before = new Set(servicesOfTable(this.#table));
    const after = new Set(servicesOfTable(table));
    const changes = { gone: [...before.difference(after)], come: [...after.difference(before)] };
    this.#table = table;
    this.#bindings.bind(table, 0);
    this.#pools.retain(this.#uses.change([changes]), (key) => this.#uses.has(key));
  }

  /** Requests for every seventh route. */
  ask(asked: number): void {
    let place = 0;
    for (const { routes } of servicesOfTable(this.#table)) {
      for (const route of routes) {
        if (place++ % 7 !== asked % 7) continue;
        for (const backend of route.backends) {
          const state = this.#bindings.backend(backend, route, 0);
          if (asked % 3 > 0) state.pick(backend.endpointSet, asked, null, 0);
          this.#bindings.route(route, backend, 0);
        }
      }
    }
  }

  /** All that can be seen of it. */
  seen(): unknown {
    return {
      samples: Array.from(this.#bindings.samples(), (sample) => JSON.stringify(sample)).sort(),
      kept: [...this.#kept].filter(([, count]) => count !== 0).sort(),
      pools: Array.from(this.#pools.all(), ({ key, isInPlan }) => `${key} ${isInPlan}`).sort(),
    };
  }

  /** Where each backend sends requests, and by which limits; asks for all of them. */
  answers(): unknown {
    return servicesOfTable(this.#table).flatMap(({ routes }) =>
      routes.flatMap((route) =>
        route.backends.map((backend) => {
          const state = this.#bindings.backend(backend, route, 0);
          const picked = Array.from(
            { length: 20 },
            () => state.pick(backend.endpointSet, 0, null, 0)?.key ?? state.emptyReason,
          );
          return [route.plan.id, backend.key, [...new Set(picked)].sort(), state.limits?.isOver];
        })
      )
    );
  }
}

/** @param rebind tells the side that takes over of its next table */
function follow(
  steps: readonly Step[],
  rebind: (bound: Bound, table: Table) => void = (bound, table) => bound.rebind(table),
): void {
  const mesh = new ChangingPlan();
  let plan = mesh.plan();
  const taker = new Bound(buildTable(plan, CLIENT));
  const other = new Bound(buildTable(plan, CLIENT));
  for (const [change, isSharing, asked] of steps) {
    for (const bound of [taker, other]) bound.ask(asked);
    mesh.change(change);
    plan = isSharing ? sharingPlan(plan, mesh.plan()) : mesh.plan();
    rebind(taker, buildTable(plan, CLIENT, { before: taker.table }));
    other.rebind(buildTable(plan, CLIENT));
    deepEqual(taker.seen(), other.seen());
    // To ask for everything binds everything, so that is done at some steps alone.
    if (asked % 4 === 0) deepEqual(taker.answers(), other.answers());
  }
}

Deno.test("bindings that are told what changed are as those that bind everything anew", () => {
  fc.assert(fc.property(anySteps, (steps) => follow(steps)), { numRuns: 300 });
});

Deno.test("bindings that are told what changed: a planted bug is seen: one Service is overlooked", () => {
  throws(() =>
    fc.assert(
      fc.property(anySteps, (steps) => {
        follow(steps, (bound, table) => {
          const kept = servicesOfTable(bound.table).slice(0, 1)
            .filter(({ key }) => table.services.get(key) !== undefined);
          const services = table.services.with(new Map(kept.map((each) => [each.key, each])));
          bound.rebind({ ...table, services });
        });
      }),
      { numRuns: 2_000, endOnFailure: true },
    )
  );
});
