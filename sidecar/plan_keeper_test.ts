// Tests of PlanKeeper with real files: what is written, when, and what happens where it cannot be.
import assert from "node:assert/strict";
import type { Finding } from "../base/finding.ts";
import type { Plan } from "../routing/plan.ts";
import { hashPlan } from "../routing/parts.ts";
import { planForTest } from "../routing/table/plan_for_test.ts";
import { PlanKeeper } from "./plan_keeper.ts";

/** A plan with a hash that is its own. */
function planNamed(name: string): Plan {
  const plan = planForTest([], { clusterDomain: `${name}.local` });
  return { ...plan, hash: hashPlan(plan) };
}

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync();
  try {
    await test(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function keeperOf(folder: string) {
  const findings: Finding[] = [];
  return { keeper: new PlanKeeper(folder, (finding) => findings.push(finding)), findings };
}

Deno.test("plan keeper: of plans that come faster than the disk, the last one is saved", () =>
  inFolder(async (folder) => {
    const { keeper, findings } = keeperOf(`${folder}/new`);
    assert.equal(await keeper.read(), null);
    const plans = Array.from({ length: 20 }, (_, i) => planNamed(`web-${i}`));
    for (const plan of plans) keeper.accepted({ hash: plan.hash, plan });
    assert.equal(keeper.keeping.savedAtMs, null, "not the one in force");
    await keeper.settled();
    assert.deepEqual((await keeper.read())?.plan, plans[19]);
    assert.ok(keeper.keeping.savedAtMs !== null);
    assert.deepEqual(findings, []);
  }));

Deno.test("plan keeper: the same plan is not written again, one from before is", () =>
  inFolder(async (folder) => {
    const { keeper } = keeperOf(folder);
    const [one, two] = [planNamed("one"), planNamed("two")];
    const inodeAfter = async (plan: Plan) => {
      keeper.accepted({ hash: plan.hash, plan });
      await keeper.settled();
      return Deno.statSync(`${folder}/plan.json`).ino;
    };
    const first = await inodeAfter(one);
    assert.equal(await inodeAfter(one), first);
    await inodeAfter(two);
    await inodeAfter(one);
    assert.deepEqual((await keeper.read())?.plan, one);
  }));

Deno.test("plan keeper: what an interrupted run left behind is replaced, links and all", () =>
  inFolder(async (folder) => {
    const victim = `${folder}/victim`;
    Deno.writeTextFileSync(victim, "untouched");
    Deno.mkdirSync(`${folder}/state`);
    Deno.symlinkSync(victim, `${folder}/state/plan.json.${Deno.pid}.new`);
    const { keeper } = keeperOf(`${folder}/state`);
    keeper.accepted({ hash: "web", plan: planNamed("web") });
    await keeper.settled();
    assert.equal(Deno.readTextFileSync(victim), "untouched");
    assert.deepEqual(
      [...Deno.readDirSync(`${folder}/state`)].map(({ name, isFile }) => [name, isFile]),
      [
        ["plan.json", true],
      ],
    );
  }));

Deno.test("plan keeper: a plan that cannot be saved is told of, and the next one is tried", () =>
  inFolder(async (folder) => {
    const { keeper, findings } = keeperOf(folder);
    // A rename cannot replace a folder that something is in.
    Deno.mkdirSync(`${folder}/plan.json/inside`, { recursive: true });
    keeper.accepted({ hash: "one", plan: planNamed("one") });
    await keeper.settled();
    assert.deepEqual(findings.map(({ code, severity }) => [code, severity]), [
      ["plan-not-saved", "warning"],
    ]);
    assert.deepEqual([keeper.keeping.failures, keeper.keeping.savedAtMs], [1, null]);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["plan.json"]);
    Deno.removeSync(`${folder}/plan.json`, { recursive: true });
    keeper.accepted({ hash: "one", plan: planNamed("one") });
    await keeper.settled();
    assert.deepEqual((await keeper.read())?.plan, planNamed("one"));
    assert.equal(keeper.keeping.failures, 1);
  }));
