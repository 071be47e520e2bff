/** The README's walk on Kubernetes, line by line, on a real node. */
import assert from "node:assert/strict";
import { until } from "../../support/until.ts";
import { insist, NODE, OFF_NODE, runOnNode } from "./on_node.ts";

/** The commands of the section's first block; those that make the image have been run before. */
function commandsOf(readme: string): string[] {
  const [, section = ""] = readme.split(/^## On Kubernetes$/m);
  const [, block = ""] = /```sh\n([^]*?)```/.exec(section) ?? [];
  return block.split("\n").map((line) => line.replace(/ +#.*/, "").trim())
    .filter((line) => line !== "" && !line.startsWith("deno task"));
}

const COMMANDS = commandsOf(Deno.readTextFileSync(new URL("../../../README.md", import.meta.url)));

Deno.test("README: the walk on Kubernetes has its commands", () => {
  assert.match(COMMANDS[0], /^weft install /);
  assert.ok(COMMANDS.some((command) => command.startsWith("weft namespace add ")));
  assert.ok(COMMANDS.length >= 5);
});

Deno.test({
  name: `README: every command of the walk on a real node${OFF_NODE}`,
  ignore: NODE === undefined,
  async fn() {
    // The guide may have been walked before.
    await insist("kubectl delete ns httpbin curl --ignore-not-found --timeout 120s");
    for (const command of COMMANDS) {
      await insist(command.replace("YOUR/weft:0.1.0", "localhost/weft:test"));
    }
    await insist("kubectl wait --for=condition=ready pod --all -n curl --timeout 100s");
    const ask = () =>
      runOnNode("kubectl exec -n curl deploy/curl -c curl -- curl -s httpbin.httpbin:8080/demo");
    await until("the canary answers", ask, ({ stdout }) => stdout === "Hi, I am v1!\n");
  },
});
