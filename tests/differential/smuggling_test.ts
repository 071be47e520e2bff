import assert from "node:assert/strict";
import { type SmugglingCase, smugglingCorpus, SUFFIX } from "./corpus.ts";
import { startHaproxy, startNginx, startWeft, versionOf } from "./contenders.ts";
import { describeObservation, isRefused, type Observation, observeAll } from "./observe.ts";
import { readRequests, type SeenRequest } from "./recording_origin.ts";

const corpus = smugglingCorpus();
const [nginx, haproxy] = [versionOf("nginx"), versionOf("haproxy")];
let ofWeft: Promise<Observation[]> | undefined;
const weft = () => ofWeft ??= observeAll(corpus, startWeft);

/** What the origin may see: every request of the case that names it as its host, read strictly, in order. */
function expectedOf({ text }: SmugglingCase): readonly SeenRequest[] {
  return readRequests(text + SUFFIX, true).requests;
}

/** Cases whose host is not the origin's, so that Weft routes them nowhere. */
function isElsewhere({ name }: SmugglingCase): boolean {
  return /^host (Host|$)/.test(name) && !name.startsWith("host Host: app:80\\r");
}

const shared = { sanitizeOps: false, sanitizeResources: false };

Deno.test("smuggling: the corpus has over a hundred cases, each once", () => {
  assert.ok(corpus.length > 150, `${corpus.length}`);
  assert.equal(new Set(corpus.map(({ name }) => name)).size, corpus.length);
});

Deno.test({
  name: "smuggling: the origin behind Weft sees exactly the requests that a strict reader finds",
  ...shared,
  async fn() {
    const problems: string[] = [];
    for (const [i, observation] of (await weft()).entries()) {
      const one = corpus[i];
      const expected = isElsewhere(one)
        ? expectedOf(one).filter(({ target }) => target === "/after")
        : expectedOf(one);
      const answered = observation.statuses.filter((status) => status === 200).length;
      const isStrange = observation.readings.some(({ rest }) => rest === "not");
      if (
        isStrange || answered !== expected.length ||
        JSON.stringify(observation.seen) !== JSON.stringify(expected)
      ) {
        problems.push(
          `${one.name}: ${describeObservation(observation)} (${observation.statuses}), not ${
            JSON.stringify(expected)
          }: ${JSON.stringify(observation.readings)}`,
        );
      }
    }
    assert.deepEqual(problems, []);
  },
});

const missing = [...(nginx === null ? ["nginx"] : []), ...(haproxy === null ? ["HAProxy"] : [])];

Deno.test({
  name: missing.length === 0
    ? "smuggling: what nginx and HAProxy both refuse, Weft refuses"
    : `smuggling: compared with nginx and HAProxy (skipped: no ${missing.join(", no ")} here)`,
  ignore: missing.length > 0,
  ...shared,
  async fn() {
    const [ours, ofNginx, ofHaproxy] = await Promise.all([
      weft(),
      observeAll(corpus, (port) => startNginx(port, nginx ?? "")),
      observeAll(corpus, (port) => startHaproxy(port, haproxy ?? "")),
    ]);
    assert.ok(ofNginx.some((one) => !isRefused(one)) && ofHaproxy.some((one) => !isRefused(one)));
    const weaker = corpus.filter((_, i) =>
      isRefused(ofNginx[i]) && isRefused(ofHaproxy[i]) && !isRefused(ours[i])
    );
    assert.deepEqual(weaker.map(({ name }) => name), []);
  },
});
