/** Runs controller_lab.ts in a network that no other process of this machine can reach. */
import { HAS_LAB_NETWORK, runLab } from "./lab_network.ts";

Deno.test({
  name: "controller: what is in a cluster reaches a proxy, whatever is down in between",
  ignore: !HAS_LAB_NETWORK,
  async fn() {
    const printed = await runLab("tests/cluster/controller_lab.ts");
    for (const [line] of printed.matchAll(/^.* ms from change to request$/gm)) console.log(line);
  },
});
