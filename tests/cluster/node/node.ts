/**
 * The node that `tests/cluster/run_on_node` started, for the tests that need one. Its folder is in `WEFT_TEST_NODE`; without it they are
 * passed over.
 */
import assert from "node:assert/strict";
import { runCommand } from "../../support/commands.ts";

/** The folder of the cluster. */
export const NODE = Deno.env.get("WEFT_TEST_NODE") ?? "";
/** Of the image of the compiled file, as the node has it. */
const IMAGE = "localhost/weft:test";
/** Of one command, the longest of which wait for pods. */
const COMMAND_MS_MAX = 240_000;

/** Runs a command on the cluster to its end, which has to be a good one; what it printed. */
export async function run(command: string, args: readonly string[], input = ""): Promise<string> {
  const { code, stdout, stderr } = await runCommand(command, args, input, {
    env: { KUBECONFIG: `${NODE}/kubeconfig` },
    signal: AbortSignal.timeout(COMMAND_MS_MAX),
  });
  assert.equal(code, 0, `${command} ${args.join(" ")}\n${stdout}${stderr}`);
  return stdout;
}

export async function kubectl(args: readonly string[], input = ""): Promise<string> {
  return await run("kubectl", args, input);
}

/** A test on the node, with the mesh installed. */
export function nodeTest(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  Deno.test({
    name: name + (NODE === "" ? " (run tests/cluster/run_on_node for it)" : ""),
    ignore: NODE === "",
    async fn(t) {
      await run("weft", ["install", "--image", IMAGE, "--timeout", "120s"]);
      try {
        await fn(t);
      } catch (error) {
        console.error(await kubectl(["get", "pods,events", "-A", "-o", "wide"]));
        throw error;
      }
    },
  });
}
