/**
 * h2spec, a conformance suite for servers of HTTP/2 (RFC 7540, RFC 7541), through the whole proxy: its inbound listener, in front
 * of an application that speaks HTTP/2. It is built with Go into a folder of its own. Where Go or the module is out of reach the
 * test says so; the cases are then those of tests/protocol/http2/server_test.ts.
 */
import assert from "node:assert/strict";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { DRIVERS, planOf } from "../support/test_proxy.ts";
import { PATIENT_TIMEOUTS } from "../support/timeouts.ts";
import { NodeOrigin } from "./node_peers.ts";
import { NodePackages } from "./node_packages.ts";
import { HAS_NODE, NodeProcess } from "./node_process.ts";

/** The newest version that module proxies have under its own path. */
const H2SPEC = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible";
/** Cases of that version, the strict ones too. */
const CASES = 146;
/** The port speaks HTTP/1.1 as well: a client that begins in neither is told so in HTTP/1.1, which h2spec takes for a bad frame. */
const EXCUSED = ["Sends invalid connection preface"];

/** Returns why it could not be built into `folder`, or nothing. */
async function install(folder: string): Promise<string> {
  try {
    const go = new Deno.Command("go", {
      args: ["install", H2SPEC],
      env: { GOBIN: folder, GOFLAGS: "-mod=mod" },
      stdout: "null",
      stderr: "piped",
      signal: AbortSignal.timeout(180_000),
    });
    const { success, stderr } = await go.output();
    return success ? "" : new TextDecoder().decode(stderr).trim().split("\n").at(-1) ?? "go failed";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Wants every case to pass against the server on this port of 127.0.0.1, but for those that are excused. */
async function check(folder: string, port: number): Promise<void> {
  const run = await new Deno.Command(`${folder}/h2spec`, {
    args: ["--strict", "--timeout", "30", "--host", "127.0.0.1", "--port", String(port)],
  }).output();
  const report = new TextDecoder().decode(run.stdout);
  // Each failure is told twice: in its place, and at the end.
  const failed = new Set(report.matchAll(/× \d+: (.*)/g).map(([, name]) => name));
  assert.deepEqual([...failed], EXCUSED, report);
  const counts = `${CASES} tests, ${CASES - EXCUSED.length} passed, 0 skipped, `;
  assert.ok(report.includes(`${counts}${EXCUSED.length} failed`), report);
}

const folder = HAS_NODE ? await Deno.makeTempDir({ prefix: "weft-h2spec-" }) : "";
const obstacle = HAS_NODE ? await install(folder) : "no Node";
if (HAS_NODE && obstacle !== "") await Deno.remove(folder, { recursive: true });

Deno.test({
  name: `HTTP/2 through the proxy passes h2spec, strict cases too${
    obstacle === "" ? "" : ` (skipped: ${obstacle})`
  }`,
  ignore: obstacle !== "",
  async fn(test) {
    await using packages = await NodePackages.install([]);
    await using node = new NodeProcess(packages.path);
    await using origin = await NodeOrigin.start(node, "h2");
    const application = { address: "127.0.0.1", port: origin.port };
    for (const driver of DRIVERS) {
      await test.step(driver, async () => {
        const proxy = await startProxy({
          driver,
          workers: 1,
          outbound: [],
          inbound: [{ address: "127.0.0.1", port: 0, application }],
          admin: null,
          timeouts: PATIENT_TIMEOUTS,
          bodyBytesMax: Infinity,
          reportRequests: false,
        }, planOf([]));
        try {
          await check(folder, proxy.inbound[0].port);
        } finally {
          await proxy.stop();
        }
      });
    }
    await Deno.remove(folder, { recursive: true });
  },
});
