// Tests of route_state.ts: what a plan's numbers mean to a proxy.
import { deepEqual } from "node:assert/strict";
import type { Timeouts } from "../../base/policy.ts";
import { LOCAL_STATE } from "../../base/state_store.ts";
import { RouteMemory } from "./route_memory.ts";
import { RouteState } from "./route_state.ts";

function timeoutsOf(timeouts?: Timeouts) {
  const policy = timeouts === undefined ? { sources: {} } : { sources: {}, timeouts };
  const memory = new RouteMemory(
    "fault",
    { listener: "0", service: "app/web", port: "80", target: "" },
    LOCAL_STATE,
  );
  const { requestMs, idleMs } = new RouteState(policy, () => memory, null);
  return { requestMs, idleMs };
}

Deno.test("a timeout that a policy sets to none differs from one that it does not name", () => {
  deepEqual(timeoutsOf(), { requestMs: null, idleMs: null });
  deepEqual(timeoutsOf({ requestMs: 0, idleMs: null }), { requestMs: Infinity, idleMs: null });
  deepEqual(timeoutsOf({ requestMs: 5, idleMs: 0 }), { requestMs: 5, idleMs: Infinity });
});
