// Tests of what is computed when, and of what is not.
import { deepEqual as same, equal, throws } from "node:assert/strict";
import type { Finding } from "../../base/finding.ts";
import { Derived, Incremental, Inputs } from "./incremental.ts";

function findingOf(message: string): Finding {
  return { code: "policy-empty", severity: "warning", message, hint: "" };
}

/** Two inputs; `half` of `a` is read by `report`, which also reads `b` if the half is odd. */
function example() {
  const incremental = new Incremental();
  const inputs = new Inputs<number>(incremental);
  const computed: string[] = [];
  const told: string[] = [];
  const half = new Derived(incremental, (key) => {
    computed.push(`half ${key}`);
    return Math.trunc((inputs.get(key) ?? 0) / 2);
  });
  const report = new Derived(incremental, (key) => {
    computed.push(`report ${key}`);
    const value = half.get(key);
    if (value % 2 === 1) incremental.report(findingOf(`odd, and b is ${inputs.get("b")}`));
    return value % 2;
  }, { onChange: (key, value) => told.push(`${key} ${value}`) });
  const refresh = () => {
    incremental.refresh();
    const { came, went } = incremental.takeFindingChanges();
    const result = {
      computed: computed.splice(0),
      told: told.splice(0),
      came: came.map(({ message }) => message),
      went: went.map(({ message }) => message),
    };
    return result;
  };
  return { incremental, inputs, half, report, refresh };
}

const QUIET = { computed: [], told: [], came: [], went: [] };

Deno.test("incremental: what is kept is computed once, and again only if something that it read has changed", () => {
  const { inputs, report, refresh } = example();
  inputs.set("a", 8);
  report.keep("a");
  same(refresh(), { ...QUIET, computed: ["report a", "half a"], told: ["a 0"] });
  inputs.set("b", 1);
  same(refresh(), QUIET, "not read");
  inputs.set("a", 9);
  same(refresh(), { ...QUIET, computed: ["half a"] }, "its half is the same");
  inputs.set("a", 10);
  same(refresh(), {
    computed: ["half a", "report a"],
    told: ["a 1"],
    came: ["odd, and b is 1"],
    went: [],
  });
  inputs.set("b", 2);
  same(refresh(), {
    computed: ["report a"],
    told: [],
    came: ["odd, and b is 2"],
    went: ["odd, and b is 1"],
  }, "read by now; the value is the same, and so no one is told");
  inputs.set("a", 12);
  same(refresh(), {
    computed: ["half a", "report a"],
    told: ["a 0"],
    came: [],
    went: ["odd, and b is 2"],
  });
  inputs.set("b", 3);
  same(refresh(), QUIET, "read no longer");
});

Deno.test("incremental: what changes and changes back is looked at, and changes nothing", () => {
  const { inputs, report, refresh } = example();
  inputs.set("a", 8);
  report.keep("a");
  refresh();
  inputs.set("a", 2);
  inputs.set("a", 8);
  same(refresh(), { ...QUIET, computed: ["half a"] });
});

Deno.test("incremental: what is released is forgotten with its Findings, unless something reads it", () => {
  const { incremental, inputs, half, report, refresh } = example();
  inputs.set("a", 2);
  half.keep("a");
  report.keep("a");
  same(refresh().came, ["odd, and b is undefined"]);
  half.release("a");
  same(refresh(), QUIET);
  report.release("a");
  same(refresh(), { ...QUIET, told: ["a undefined"], went: ["odd, and b is undefined"] });
  same([...incremental.findings()], []);
  inputs.set("a", 4);
  same(refresh(), QUIET, "nothing is left that would be computed");
  report.keep("a");
  same(refresh().told, ["a 0"]);
});

Deno.test("incremental: the same Finding of two values counts once, and stands until both are gone", () => {
  const { incremental, inputs, report, refresh } = example();
  for (const key of ["a", "c"]) {
    inputs.set(key, 2);
    report.keep(key);
  }
  same(refresh().came.length, 1);
  equal([...incremental.findings()].length, 1);
  report.release("a");
  same(refresh().went, []);
  report.release("c");
  same(refresh().went.length, 1);
});

Deno.test("incremental: a Finding outside of a computation is a defect", () => {
  throws(() => new Incremental().report(findingOf("")));
});
