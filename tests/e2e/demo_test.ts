// `weft demo`, run as a newcomer does, on both drivers.
import assert from "node:assert/strict";
import { runWeft } from "./weft_process.ts";

for (const driver of ["native", "portable"]) {
  Deno.test({
    name: `demo: every answer is the guide's (${driver} driver)`,
    ignore: driver === "native" && Deno.build.os !== "linux",
    async fn() {
      const { code, stdout, stderr } = await runWeft(["demo", "--driver", driver]);
      assert.equal(code, 0, stdout + stderr);
      assert.equal(stderr, "");
      assert.match(stdout, new RegExp(`${driver} driver`));
      assert.match(stdout, /20 of 20 answers as in the guide/);
      assert.match(stdout, /unmatched-reaches-backends/);
      assert.match(stdout, /Rule httpbin\/httpbin-test "test" at \S+routes\.yaml:\d+:\d+ takes it/);
      // Nothing is taken on trust from the demo's own verdict: the answers stand in this order.
      const answers = [...stdout.matchAll(/^ {3}Hi, I am (v\d)! +as in the guide$/gm)]
        .map(([, version]) => version);
      const expected = "v1 v1 v1 v1 " + "v1 v1 v1 v1 " + "v1 v2 v1 v1 " + "v1 v2 v1 v1 " +
        "v1 v1 v1 v1";
      assert.equal(answers.join(" "), expected);
    },
  });
}

Deno.test("demo: a driver that does not exist is a usage error", async () => {
  const { code, stderr } = await runWeft(["demo", "--driver", "fast"]);
  assert.equal(code, 2);
  assert.match(stderr, /native, portable/);
});
