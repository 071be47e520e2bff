/** What two plans are said to do otherwise, against what their tables decide, request by request, on random manifests. */
import assert from "node:assert/strict";
import { Random, randomSeed } from "../../base/random.ts";
import { comparePlans } from "../../routing/algebra/compare_plans.ts";
import type { Plan, PlanRule } from "../../routing/plan.ts";
import { DEFAULT_PORT, requestHeadOf } from "../../routing/request.ts";
import { compile } from "../../routing/compile/compile.ts";
import { buildTable } from "../../routing/table/build.ts";
import { decide, Decision } from "../../routing/table/decide.ts";
import { SplitState } from "../../routing/table/split.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import { randomMatch, randomSample } from "./random_rules.ts";
import { matchItem, serviceWithEndpoint } from "./rule_objects.ts";
import { witnessTarget } from "../../routing/algebra/witness.ts";

const BACKENDS = ["v1", "v2", "v3"];

/** Splits of Service `web`: all but perhaps the last have matches. */
function randomPlan(random: Random, matches: readonly ReturnType<typeof randomMatch>[]): Plan {
  const objects: unknown[] = ["web", ...BACKENDS].flatMap((name) =>
    serviceWithEndpoint({ name, namespace: "app" }, { address: "192.0.2.1", port: 80 })
  );
  const count = 1 + random.below(3);
  for (let i = 0; i < count; i++) {
    const own = matches.filter(() => random.below(3) > 0);
    const isPlain = i === count - 1 && random.below(3) === 0;
    objects.push({
      apiVersion: "specs.smi-spec.io/v1alpha4",
      kind: "HTTPRouteGroup",
      metadata: { name: `g${i}`, namespace: "app" },
      spec: {
        matches: own.map((match, index) => matchItem(`m${index}`, match)),
      },
    }, {
      apiVersion: "split.smi-spec.io/v1alpha4",
      kind: "TrafficSplit",
      metadata: { name: `s${i}`, namespace: "app" },
      spec: {
        service: "web",
        ...(isPlain ? {} : { matches: [{ kind: "HTTPRouteGroup", name: `g${i}` }] }),
        backends: BACKENDS.map((each) => ({ service: each, weight: random.below(3) })),
      },
    });
  }
  const text = objects.map((object) => JSON.stringify(object)).join("\n---\n");
  return compile(parseManifests([{ name: "in.json", text }]).snapshot).plan;
}

interface Answer {
  readonly rule: PlanRule | null;
  readonly shares: string;
}

function answersOf(plan: Plan): (request: Parameters<typeof requestHeadOf>[0]) => Answer {
  const table = buildTable(plan, { namespace: "app", identity: "", seed: null });
  const state = new SplitState(table);
  const decision = new Decision();
  return (request) => {
    decide(table, requestHeadOf(request), DEFAULT_PORT, state, decision);
    const route = decision.route;
    assert.ok(route !== null);
    const shares = route.backends.map(({ key, weight }) => `${key} ${weight}`).sort().join();
    return { rule: route.rule, shares };
  };
}

Deno.test("diff: what it names is decided otherwise, and what it does not name is decided alike", () => {
  const seed = randomSeed() % 2 ** 31;
  const random = new Random(seed, "diff");
  let changed = 0;
  let asked = 0;
  for (let round = 0; round < 100; round++) {
    const shared = Array.from({ length: 2 + random.below(3) }, () => randomMatch(random));
    const plans = [0, 1].map(() => randomPlan(random, [...shared, randomMatch(random)]));
    const compared = comparePlans(plans[0], plans[1]);
    assert.ok(compared.isComplete);
    const changes = compared.ports.filter(({ service }) => service === "app/web")
      .flatMap((port) => port.changes);
    const answers = plans.map(answersOf);
    for (let i = 0; i < 1000; i++) {
      const { method, path, headers } = randomSample(random);
      const request = { method, url: `http://web.app${path}`, headers: Object.entries(headers) };
      const [before, after] = answers.map((answer) => answer(request));
      asked++;
      const isNamed = changes.some((change) =>
        change.before.rule === before.rule && change.after.rule === after.rule
      );
      const isOther = before.shares !== after.shares;
      if (isOther) changed++;
      assert.equal(
        isNamed,
        isOther,
        `seed ${seed}, ${JSON.stringify(request)} ${JSON.stringify(plans)}`,
      );
    }
    for (const { witness } of changes) {
      assert.ok(witness !== null);
      if (witness.isForeignHost || !witness.path.startsWith("/")) continue;
      const url = `http://${witness.authority}${witnessTarget(witness)}`;
      const [before, after] = answers.map((answer) => answer({ ...witness, url }));
      assert.notEqual(before.shares, after.shares, `seed ${seed}, ${JSON.stringify(witness)}`);
    }
  }
  assert.ok(asked === 100_000 && changed > asked / 20, `${changed} of ${asked}`);
});
