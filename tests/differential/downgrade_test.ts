import assert from "node:assert/strict";
import { startHaproxy, startNghttpx, startNginx, startWeft, versionOf } from "./contenders.ts";
import {
  describeDowngrade,
  type DowngradeObservation,
  isKept,
  observeDowngrades,
} from "./downgrade.ts";
import { downgradeCorpus } from "./downgrade_corpus.ts";

const corpus = downgradeCorpus();
const versions = {
  nginx: versionOf("nginx"),
  haproxy: versionOf("haproxy"),
  nghttpx: versionOf("nghttpx"),
};
let ofWeft: Promise<DowngradeObservation[]> | undefined;
const weft = () => ofWeft ??= observeDowngrades(corpus, startWeft);
const shared = { sanitizeOps: false, sanitizeResources: false };

Deno.test("downgrade: the corpus has over a hundred cases, each once", () => {
  assert.ok(corpus.length > 100, `${corpus.length}`);
  assert.equal(new Set(corpus.map(({ name }) => name)).size, corpus.length);
});

Deno.test({
  name: "downgrade: the origin behind Weft sees the requests that are meant, and nothing else",
  ...shared,
  async fn() {
    const problems: string[] = [];
    for (const [i, observation] of (await weft()).entries()) {
      const { name, meant } = corpus[i];
      const cases = observation.seen.filter(({ target }) => target !== "/after");
      // What turns out to be malformed only later is cut short, so that it cannot be taken for whole.
      const isWhole = ({ rest }: { rest: string }) =>
        rest === "between" || (meant === null && rest === "within");
      const isRight = observation.isNextAnswered && observation.readings.every(isWhole) &&
        JSON.stringify(cases) === JSON.stringify(meant === null ? [] : [meant]);
      if (!isRight) problems.push(`${name}: ${describeDowngrade(observation)}`);
    }
    assert.deepEqual(problems, []);
  },
});

const missing = Object.entries(versions).filter(([, version]) => version === null)
  .map(([name]) => name);

Deno.test({
  name: missing.length === 0
    ? "downgrade: what nghttpx, HAProxy and nginx all refuse, Weft refuses"
    : `downgrade: compared with others (skipped: no ${missing.join(", no ")} here)`,
  ignore: missing.length > 0,
  ...shared,
  async fn() {
    const [ours, ...others] = await Promise.all([
      weft(),
      observeDowngrades(corpus, (port) => startNghttpx(port, versions.nghttpx ?? "")),
      observeDowngrades(corpus, (port) => startHaproxy(port, versions.haproxy ?? "", "http2")),
      observeDowngrades(corpus, (port) => startNginx(port, versions.nginx ?? "", "http2")),
    ]);
    for (const other of others) assert.ok(other.some((one) => !isKept(one)), "Passes nothing on");
    const weaker = corpus.filter((_, i) =>
      others.every((other) => isKept(other[i])) && !isKept(ours[i])
    );
    assert.deepEqual(weaker.map(({ name }) => name), []);
  },
});
