/** Runs versions_lab.ts, where `WEFT_OLD_EXECUTABLE` names the compiled file of an earlier commit. */
import { HAS_LAB_NETWORK, runLab } from "./lab_network.ts";

const HAS_OLD = (Deno.env.get("WEFT_OLD_EXECUTABLE") ?? "") !== "";
if (HAS_LAB_NETWORK && !HAS_OLD) {
  console.warn("Tests of two versions are passed over: WEFT_OLD_EXECUTABLE names none");
}

Deno.test({
  name: "versions: controllers and proxies of two versions, an upgrade and the way back",
  ignore: !HAS_LAB_NETWORK || !HAS_OLD,
  async fn() {
    const printed = await runLab("tests/cluster/versions_lab.ts");
    for (const [line] of printed.matchAll(/^\d+ requests$/gm)) console.log(line);
  },
});
