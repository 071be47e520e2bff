/**
 * The guides with Flagger and with Argo Rollouts, word for word, and both tools themselves in each way in which they can use Weft, all at once
 * on one real node; half way all controllers of Weft are killed.
 */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { insist } from "../node/on_node.ts";
import { rolloutReleases } from "./argo_rollouts.ts";
import {
  ARGO_INSTALLED_BY,
  CANARY_TOOLS,
  guideCommands,
  guideParts,
  OFF_CANARY,
  programmedTimes,
  readRepository,
  Turns,
  walk,
} from "./canary_lab.ts";
import { FLAGGER_GUIDE, flaggerReleases } from "./flagger.ts";
import { ReleaseWatch } from "./release_watch.ts";

/** Of some sixty weights in all: on a slow machine the next one comes before forty requests have been seen under one. */
const EXACT_MIN = 20;

const ARGO_GUIDE = readRepository("docs/argo_rollouts.md");

Deno.test("guides with Flagger and Argo Rollouts: they have their commands, in two parts", () => {
  for (const guide of [FLAGGER_GUIDE, ARGO_GUIDE]) {
    const [tools, releases] = guideParts(guide).map(guideCommands);
    assert.match(tools[0], /^kubectl apply -k examples\/prometheus$/);
    assert.ok(tools.length >= 4 && releases.length >= 11, `${tools.length}, ${releases.length}`);
  }
  assert.ok(guideCommands(ARGO_GUIDE).some((command) => command.endsWith(ARGO_INSTALLED_BY)));
});

Deno.test("Argo Rollouts: the failing version differs in nothing but what it answers", () => {
  const [good, bad] = ["rollout.yaml", "rollout-failing.yaml"].map((file) =>
    parse(readRepository(`examples/argo_rollouts/${file}`))
  );
  bad.spec.template.spec.containers[0].command = good.spec.template.spec.containers[0].command;
  assert.deepEqual(bad, good);
});

Deno.test({
  name:
    `Flagger and Argo Rollouts: their guides, and releases under load, all at once${OFF_CANARY}`,
  ignore: CANARY_TOOLS === undefined,
  async fn(t) {
    const startMs = performance.now();
    const seconds = () => ((performance.now() - startMs) / 1_000).toFixed(0);
    const guides = [FLAGGER_GUIDE, ARGO_GUIDE].map(guideParts);
    await t.step("what the guides install", async () => {
      await insist("weft install --image localhost/weft:test --timeout 120s");
      for (const [tools] of guides) await walk(tools);
      await insist("kubectl apply -f examples/flagger/metric_templates.yaml");
      console.log(`installed after ${seconds()} s`);
    });
    const watch = await ReleaseWatch.start("Canary", "Rollout");
    try {
      await t.step("the guides, and releases under load", async () => {
        const starts = new Turns();
        let exact = 0;
        const releases = [...flaggerReleases(watch, starts), ...rolloutReleases(watch, starts)];
        const all = [
          ...guides.map(([, releases]) => walk(releases)),
          ...releases.map(async (release) => {
            const story = await release;
            console.log(`${story.text}; ${seconds()} s`);
            exact += story.exact;
          }),
        ].map(async (each) => {
          // The others go on, and a failure is said when it comes.
          await each.catch((error) => {
            console.log(`failed after ${seconds()} s: ${error}`);
            throw error;
          });
        });
        const ended = await Promise.allSettled(all);
        const failures = ended.flatMap((each) => each.status === "rejected" ? [each.reason] : []);
        if (failures.length > 0) throw new AggregateError(failures);
        assert.ok(exact >= EXACT_MIN, `${exact} shares were seen`);
        console.log(await programmedTimes());
      });
    } finally {
      await watch.stop();
    }
  },
});
