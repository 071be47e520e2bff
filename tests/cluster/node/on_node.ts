/** What the tests on a real node share: the node that `run_on_node` started, and its command line. */
import assert from "node:assert/strict";

/** The folder of a cluster that runs; undefined: there is none, and its tests are passed over. */
export const NODE = Deno.env.get("WEFT_TEST_NODE");

/** Behind the name of a test. */
export const OFF_NODE = NODE === undefined ? " (run tests/cluster/run_on_node for it)" : "";

/** `kubectl` itself waits at most as long: a release takes minutes. */
const COMMAND_MS = 330_000;

interface Ended {
  readonly code: number;
  /** Both streams, one behind the other. */
  readonly text: string;
  readonly stdout: string;
}

/** A command line, with `weft` and `kubectl` for the cluster of the node. */
export async function runOnNode(command: string, input = ""): Promise<Ended> {
  const child = new Deno.Command("bash", {
    args: ["-c", command],
    env: { KUBECONFIG: `${NODE}/kubeconfig` },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(COMMAND_MS),
  }).spawn();
  const writer = child.stdin.getWriter();
  // What does not read its input may have ended before it is written.
  await writer.write(new TextEncoder().encode(input)).then(() => writer.close()).catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  const printed = decoder.decode(stdout);
  return { code, stdout: printed, text: printed + decoder.decode(stderr) };
}

/** What a command prints, which must end well. */
export async function insist(command: string, input = ""): Promise<string> {
  const { code, stdout, text } = await runOnNode(command, input);
  assert.equal(code, 0, `${command}\n${text}`);
  return stdout;
}

// deno-lint-ignore no-explicit-any -- objects as the API server gives them
export async function get(what: string): Promise<any> {
  return JSON.parse(await insist(`kubectl get ${what} -o json`));
}
