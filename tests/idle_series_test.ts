/** What is not asked for costs no series, however large the mesh. */
import assert from "node:assert/strict";
import { compile } from "../routing/compile/compile.ts";
import { largeMesh } from "../routing/compile/mesh_for_test.ts";
import { DRIVERS, TestProxy } from "./support/test_proxy.ts";

const SERIES_MAX = 100;

for (const driver of DRIVERS) {
  Deno.test({
    name:
      `metrics (${driver}): a proxy with a thousand Services that are not used has no series of them`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using proxy = await TestProxy.start(driver);
      const before = (await proxy.samples()).length;
      await proxy.proxy.apply(compile(largeMesh(1_000, 10, 200)).plan);
      const after = (await proxy.samples()).length;
      assert.equal(after, before);
      assert.ok(after < SERIES_MAX, String(after));
    },
  });
}
