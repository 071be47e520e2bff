/**
 * Runs controller_lab.ts in a network of its own: the API server takes no endpoints on loopback addresses, so applications are at
 * another one, which no other process of this machine can reach.
 */
import assert from "node:assert/strict";
import { runCommand } from "../support/commands.ts";
import { labObstacle } from "../support/network_lab.ts";
import { HAS_API_SERVER, LAB_ADDRESS } from "./api_server.ts";

const obstacle = HAS_API_SERVER ? labObstacle(["unshare"]) : null;
if (obstacle !== null) console.warn(`Tests of the controller are passed over: ${obstacle}`);

Deno.test({
  name: "controller: what is in a cluster reaches a proxy, whatever is down in between",
  ignore: !HAS_API_SERVER || obstacle !== null,
  async fn() {
    const prepare =
      `ip link set lo up && ip address add ${LAB_ADDRESS}/32 dev lo && exec "$0" "$@"`;
    const { code, stdout, stderr } = await runCommand("unshare", [
      ...["--net", "sh", "-c", prepare, Deno.execPath()],
      ...["test", "--no-prompt", "--no-check", "--allow-all", "tests/cluster/controller_lab.ts"],
    ]);
    assert.equal(code, 0, stdout + stderr);
    for (const [line] of stdout.matchAll(/^.* ms from change to request$/gm)) console.log(line);
  },
});
