/**
 * The server against h2spec, a conformance suite for RFC 7540 and RFC 7541. It is built with Go into a folder of its own;
 * where Go or the module is out of reach the test is skipped, and its cases are those of server_test.ts.
 */
import assert from "node:assert/strict";
import { LoopbackServer } from "./loopback.ts";

/** The newest version that module proxies have under its own path. */
const H2SPEC = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible";
/** Cases of that version, the strict ones too. */
const CASES = 146;

const folder = await Deno.makeTempDir();
const reason = await build(folder);
if (reason !== "") console.log(`h2spec is skipped: ${reason}`);

/** Builds h2spec; returns why it cannot be, or nothing. */
async function build(folder: string): Promise<string> {
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

Deno.test({
  name: "Server passes h2spec, strict cases too",
  ignore: reason !== "",
  fn: async () => {
    const server = new LoopbackServer();
    try {
      const run = await new Deno.Command(`${folder}/h2spec`, {
        args: ["--strict", "--host", "127.0.0.1", "--port", String(server.port)],
      }).output();
      const report = new TextDecoder().decode(run.stdout);
      const all = new RegExp(`${CASES} tests, ${CASES} passed, 0 skipped, 0 failed`);
      assert.match(report, all, report);
    } finally {
      await server.stop();
      await Deno.remove(folder, { recursive: true });
    }
  },
});
