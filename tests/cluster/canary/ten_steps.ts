/**
 * One promotion by Flagger in ten steps, with its least intervals, on a node that does nothing else: `tests/cluster/run_on_node
 * tests/cluster/canary/ten_steps.ts`, as `deno task bench --workload metrics` does. What it took is its line of JSON.
 */
import { parse } from "yaml";
import { until } from "../../support/until.ts";
import { insist } from "../node/on_node.ts";
import {
  CANARY_TOOLS,
  guideParts,
  OFF_CANARY,
  PATIENCE,
  readRepository,
  walk,
} from "./canary_lab.ts";
import { FLAGGER_GUIDE, FlaggerCanary } from "./flagger.ts";
import { ReleaseWatch } from "./release_watch.ts";

export interface TenSteps {
  /** From the new version until Flagger says that it succeeded. */
  readonly seconds: number;
  readonly requests: number;
  /** Without an answer of the application. */
  readonly wrong: number;
}

Deno.test({
  name: `Flagger: a promotion in ten steps${OFF_CANARY}`,
  ignore: CANARY_TOOLS === undefined,
  async fn() {
    const say = (what: string) => console.log(`ten steps: ${what}`);
    say("Weft is installed");
    await insist("weft install --image localhost/weft:test --timeout 120s");
    say("Prometheus and Flagger are installed");
    await walk(guideParts(FLAGGER_GUIDE)[0]);
    const canary = parse(readRepository("examples/flagger/canary.yaml"));
    canary.spec.analysis.maxWeight = 100;
    const watch = await ReleaseWatch.start("Canary");
    try {
      const release = await FlaggerCanary.start("osm", watch);
      say("Flagger takes the application over");
      await release.initialise(canary);
      const [startMs, before] = [performance.now(), release.client.sum];
      const phase = () => watch.object("Canary", release.namespace).status.phase;
      const ended = until("Succeeded", phase, (now) => now === "Succeeded", PATIENCE)
        .then(() => performance.now());
      say("the new version is there");
      await release.promote((weight) => {
        say(`${weight} percent, all sidecars have it`);
        return undefined;
      });
      const seconds = (await ended - startMs) / 1_000;
      const { sum, losses } = release.client;
      const wrong = losses.values().reduce((all, count) => all + count, 0);
      const took: TenSteps = { seconds, requests: sum - before, wrong };
      console.log(JSON.stringify(took));
    } finally {
      await watch.stop();
    }
  },
});
