/** Runs a lab in a network of its own: the API server takes no endpoints on loopback addresses, so applications are at another one. */
import assert from "node:assert/strict";
import { runCommand } from "../support/commands.ts";
import { labObstacle } from "../support/network_lab.ts";
import { HAS_API_SERVER, LAB_ADDRESS } from "./api_server.ts";

const obstacle = HAS_API_SERVER ? labObstacle(["unshare"]) : null;
if (obstacle !== null) console.warn(`Tests of the controller are passed over: ${obstacle}`);

/** False: labs are passed over, and that has been said. */
export const HAS_LAB_NETWORK = HAS_API_SERVER && obstacle === null;

/** @returns what it has printed. Fails where a test of it does. */
export async function runLab(file: string): Promise<string> {
  const prepare = `ip link set lo up && ip address add ${LAB_ADDRESS}/32 dev lo && exec "$0" "$@"`;
  const { code, stdout, stderr } = await runCommand("unshare", [
    ...["--net", "sh", "-c", prepare, Deno.execPath()],
    ...["test", "--no-prompt", "--no-check", "--allow-all", file],
  ]);
  assert.equal(code, 0, stdout + stderr);
  return stdout;
}
