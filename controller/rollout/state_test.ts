// What replicas say of a split together: who is waited for, who is not, and when nothing can be said.
import { deepEqual, equal, match } from "node:assert/strict";
import { SILENT_WAIT_MS } from "../limits.ts";
import { type ReplicaState, rolloutState } from "./state.ts";

const LIVE = { uid: "u", generation: 3 };

function replica(proxies: ReplicaState["proxies"], more: Partial<ReplicaState> = {}): ReplicaState {
  return { replica: crypto.randomUUID(), ...LIVE, isNew: false, proxies, ...more };
}

const PROGRAMMED = { state: "programmed", forMs: 0 } as const;
const BEHIND = { state: "behind", forMs: 10 } as const;
const SILENT = { state: "silent", forMs: 10 } as const;
const LOST = { state: "silent", forMs: SILENT_WAIT_MS } as const;
const UNREADY = { state: "unready", forMs: 10 } as const;

Deno.test("rollout: ready once each proxy that is reached has it in force", () => {
  const { isReady, reason } = rolloutState(LIVE, [replica({ a: PROGRAMMED, b: PROGRAMMED })], 0);
  deepEqual([isReady, reason], [true, "2 of 2 proxies have generation 3"]);
  equal(rolloutState(LIVE, [replica({})], 0).isReady, true);
});

Deno.test("rollout: one that is behind, or was lost a moment ago, is waited for", () => {
  for (const state of [BEHIND, SILENT]) {
    const { isReady, reason } = rolloutState(LIVE, [replica({ a: PROGRAMMED, b: state })], 0);
    deepEqual([isReady, reason], [false, "1 of 2 proxies have generation 3"]);
  }
});

Deno.test("rollout: lost ones are not waited for for ever, and those that are not ready never are", () => {
  const state = rolloutState(LIVE, [replica({ a: PROGRAMMED, b: LOST, c: UNREADY })], 0);
  deepEqual([state.isReady, state.programmed, state.proxies], [true, 1, 1]);
  equal(state.reason, "1 of 1 proxies have generation 3, 1 lost are not waited for");
  deepEqual(state.others, { behind: [], silent: ["b"], unready: ["c"] });
});

Deno.test("rollout: a proxy that one replica lost and another has is where it is now", () => {
  const both = [replica({ a: SILENT }), replica({ a: PROGRAMMED })];
  equal(rolloutState(LIVE, both, 0).isReady, true);
  deepEqual(rolloutState(LIVE, [replica({ a: SILENT }), replica({ a: BEHIND })], 0).others.behind, [
    "a",
  ]);
});

Deno.test("rollout: nothing is ready while a replica is away, late, or new", () => {
  const good = replica({ a: PROGRAMMED });
  const cases: [ReplicaState[], number, RegExp][] = [
    [[good], 1, /^1 of 2 controllers did not answer; 1 of 1 proxies/],
    [
      [good, replica({}, { generation: 2 })],
      0,
      /^1 of 2 controllers have not read generation 3 yet/,
    ],
    [[good, replica({}, { uid: "earlier" })], 0, /^1 of 2 controllers have not read/],
    [[good, replica({}, { isNew: true })], 0, /^a controller has just started/],
  ];
  for (const [replicas, missing, expected] of cases) {
    const { isReady, reason } = rolloutState(LIVE, replicas, missing);
    equal(isReady, false);
    match(reason, expected);
  }
});
