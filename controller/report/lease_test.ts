// Never two leaders, whatever clocks say and calls do; and always one again before long.
import { deepEqual, equal, ok } from "node:assert/strict";
import { createLog } from "../../base/log.ts";
import { Random } from "../../base/random.ts";
import { KubeError } from "../kube/client.ts";
import { fieldsOf } from "../kube/fields.ts";
import { LEASE_LEAD_MS, LEASE_LOOK_MS, LEASE_SECONDS } from "../limits.ts";
import { Lease } from "./lease.ts";

/** The one object that an API server keeps. */
class FakeApi {
  spec: Record<string, unknown> | null = null;
  version = 0;
  /** Of the next calls: lost before they are made, or after. */
  fails: "no" | "before" | "after" = "no";

  call = (method: string, _path: string, options?: { body?: unknown }): Promise<unknown> =>
    Promise.try(() => {
      if (this.fails === "before") throw new Error("away");
      const answer = this.#answer(method, fieldsOf(options?.body));
      if (this.fails === "after") throw new Error("away");
      return answer;
    });

  #answer(method: string, body: Readonly<Record<string, unknown>>): unknown {
    const object = () => ({
      metadata: { resourceVersion: String(this.version) },
      spec: structuredClone(this.spec),
    });
    if (method === "GET") {
      if (this.spec === null) throw new KubeError(404, "not found");
      return object();
    }
    const asked = fieldsOf(body["metadata"])["resourceVersion"];
    const isFree = method === "POST" ? this.spec === null : asked === String(this.version);
    if (!isFree) throw new KubeError(409, "conflict");
    this.spec = { ...fieldsOf(body["spec"]) };
    this.version++;
    return object();
  }
}

const log = createLog({ level: "error", format: "json", sink: () => {}, now: () => 0 });

function contender(
  api: FakeApi,
  identity: string,
  now: () => number,
  onLead = () => {},
): Lease {
  const parts = { client: api as never, namespace: "weft-system", name: "l", identity, log };
  return new Lease({ ...parts, now, onLead });
}

Deno.test("lease: the first takes it, another waits for a term without news by its own clock", async () => {
  const api = new FakeApi();
  let timeMs = 0;
  const a = contender(api, "a", () => timeMs);
  // Its clock is hours away, and started elsewhere.
  const b = contender(api, "b", () => timeMs - 7_200_000);
  await a.look();
  await b.look();
  deepEqual([a.isLeader, b.isLeader], [true, false]);
  timeMs = LEASE_LEAD_MS;
  equal(a.isLeader, false, "without a renewal it stops by itself");
  await b.look();
  equal(b.isLeader, false);
  timeMs = LEASE_SECONDS * 1_000;
  await b.look();
  equal(b.isLeader, true);
  await a.look();
  equal(a.isLeader, false);
  equal(api.spec?.["leaseTransitions"], 1);
});

Deno.test("lease: one that ends lets another lead at once", async () => {
  const api = new FakeApi();
  let timeMs = 0;
  const a = contender(api, "a", () => timeMs);
  const b = contender(api, "b", () => timeMs);
  await a.look();
  await b.look();
  await a.stop();
  timeMs = LEASE_LOOK_MS;
  await b.look();
  deepEqual([a.isLeader, b.isLeader], [false, true]);
});

Deno.test("lease: one that was stopped for a while leads no more when it goes on", async () => {
  const api = new FakeApi();
  let timeMs = 0;
  const a = contender(api, "a", () => timeMs);
  await a.look();
  timeMs = 3_600_000;
  equal(a.isLeader, false);
});

Deno.test("lease: one that lapsed and has it again leads anew: what was to be written meanwhile is looked at", async () => {
  const api = new FakeApi();
  let timeMs = 0;
  let leads = 0;
  const a = contender(api, "a", () => timeMs, () => leads++);
  await a.look();
  timeMs += LEASE_LOOK_MS;
  await a.look();
  equal(leads, 1);
  timeMs += LEASE_LEAD_MS;
  await a.look();
  deepEqual([a.isLeader, leads], [true, 2]);
});

Deno.test("lease: never two leaders, in thousands of random runs", async () => {
  for (let seed = 1; seed <= 2_000; seed++) {
    const random = new Random(seed, "lease");
    const api = new FakeApi();
    let timeMs = 0;
    let led = false;
    const leases = ["a", "b", "c"].map((identity) => {
      const skewMs = (random.below(1_000_000) - 500_000) * 60;
      return contender(api, identity, () => timeMs + skewMs);
    });
    for (let step = 0; step < 60; step++) {
      timeMs += random.below(2) === 0 ? LEASE_LOOK_MS : random.below(20_000);
      api.fails = (["no", "no", "no", "before", "after"] as const)[random.below(5)];
      await leases[random.below(3)].look();
      const leaders = leases.filter(({ isLeader }) => isLeader).length;
      ok(leaders <= 1, `seed ${seed}, step ${step}`);
      led ||= leaders === 1;
    }
    api.fails = "no";
    timeMs += 2 * LEASE_SECONDS * 1_000;
    for (let round = 0; round < 2; round++) {
      for (const lease of leases) await lease.look();
      timeMs += LEASE_SECONDS * 1_000;
    }
    for (const lease of leases) await lease.look();
    ok(led || leases.some(({ isLeader }) => isLeader), `seed ${seed}`);
  }
});
