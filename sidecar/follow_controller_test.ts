// What is said of changes, and when: once what waits in the event loop has gone on, and on the connection that told them.
import { deepStrictEqual as same, strictEqual as equal } from "node:assert/strict";
import { createLog } from "../base/log.ts";
import { HeldParts } from "../routing/source/held_parts.ts";
import { planHeaderOf } from "../routing/parts.ts";
import { planForTest } from "../routing/table/plan_for_test.ts";
import { ControllerFollower } from "./follow_controller.ts";

Deno.test("controller follower: the first change is acknowledged at once, each later one on its own connection", async () => {
  const said: string[] = [];
  let connection = "first";
  const follower = new ControllerFollower({
    restore: () => Promise.resolve(),
    acknowledger() {
      const own = connection;
      return (hash) => said.push(`${own} ${hash.length}`);
    },
    keeper: null,
    log: createLog({ level: "error", format: "human", sink() {}, now: () => 0 }),
    report() {},
    where: {},
    onFirst: () => said.push("started"),
    onFailure() {},
  });
  const held = new HeldParts();
  held.take({ header: planHeaderOf(planForTest([])), answers: [], parts: [] });
  follower.changed(held, true);
  same(said.splice(0), ["first 64", "started"]);
  follower.changed(held, true);
  connection = "second";
  follower.changed(held, true);
  follower.changed(held, false);
  same(said, []);
  equal(follower.isWorking, true);
  await follower.stop();
  same(said, ["first 64", "second 64"]);
  equal(follower.isWorking, false);
});
