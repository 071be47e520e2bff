/**
 * The guide, word for word, on a real node: installed, injected, discovered and split by the compiled file, through iptables, asked by
 * `kubectl exec`. `tests/cluster/run_on_node` builds what it needs and sets `WEFT_TEST_NODE`, the folder of a cluster that runs.
 */
import assert from "node:assert/strict";
import { until } from "../../support/until.ts";
import { NODE, OFF_NODE, runOnNode } from "./on_node.ts";

const GUIDE = new URL("guide.md", import.meta.url);
const ASKED = /kubectl exec .* -- curl/;

interface Step {
  /** As the guide has it, with `weft` for `fsm`. */
  readonly command: string;
  /** The answers that the guide shows, sorted: whose turn is first is drawn by each proxy. */
  readonly answers: readonly string[];
}

/** Shell blocks of the guide in their order. What a block prints is in it, or is the next one. */
function stepsOf(guide: string): Step[] {
  const blocks = [...guide.matchAll(/```shell\n([^]*?)```/g)].map(([, text]) => text);
  return blocks.flatMap((text, i) => {
    const answersOf = (block = "") => block.split("\n").filter((line) => line.startsWith("Hi, "));
    const command = text.split("\n").filter((line) => !line.startsWith("Hi, ")).join("\n").trim();
    // The download, and what the block before it prints.
    if (command === "" || command.includes("curl -L")) return [];
    const own = answersOf(text);
    const next = own.length > 0 ? own : command.match(ASKED) ? answersOf(blocks[i + 1]) : [];
    return [{ command: command.replaceAll(/\bfsm\b/g, "weft"), answers: next.toSorted() }];
  });
}

Deno.test("guide: its commands are found, with their answers", () => {
  const steps = stepsOf(Deno.readTextFileSync(GUIDE));
  assert.deepEqual(steps.filter(({ answers }) => answers.length > 0).length, 5);
  assert.match(steps[0].command, /^weft install --timeout 120s$/);
  assert.match(steps[1].command, /weft namespace add httpbin curl$/);
});

Deno.test({
  name: `guide: every command on a real node, and every answer${OFF_NODE}`,
  ignore: NODE === undefined,
  async fn() {
    const startedMs = performance.now();
    let client = "";
    for (const { command, answers } of stepsOf(Deno.readTextFileSync(GUIDE))) {
      if (command.startsWith("curl_client=")) client = command.split("\n")[0];
      // The Deployment's pods come a moment after it, and a change takes its time to be known everywhere.
      const mayTakeLong = command.startsWith("kubectl wait") || answers.length > 0;
      const image = command.startsWith("weft install") ? " --image localhost/weft:test" : "";
      const ask = () => runOnNode(`${client}\n${command}${image}`);
      const isRight = ({ code, text }: { code: number; text: string }) =>
        code === 0 && (answers.length === 0 ||
          JSON.stringify(text.trim().split("\n").toSorted()) === JSON.stringify(answers));
      const result = mayTakeLong ? await until(command, ask, isRight) : await ask();
      assert.ok(isRight(result), `${command}\n${result.text}`);
    }
    console.log(`The guide took ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
  },
});
