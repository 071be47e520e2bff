// Tests of the guide's manifests: the steps add up to the final state, and say what the guide says.
import assert from "node:assert/strict";
import { basename } from "node:path";
import { filesAfter, GUIDE, guideDirectory } from "./guide.ts";

Deno.test("guide: the steps over each other are the files of examples/canary", async () => {
  const steps = await filesAfter(GUIDE.length - 1);
  const final = (await Array.fromAsync(Deno.readDir(guideDirectory())))
    .map(({ name }) => name).filter((name) => name.endsWith(".yaml"));
  assert.deepEqual(steps.map((path) => basename(path)).sort(), final.sort());
  for (const path of steps) {
    assert.equal(
      await Deno.readTextFile(path),
      await Deno.readTextFile(`${guideDirectory()}/${basename(path)}`),
      basename(path),
    );
  }
});

Deno.test("guide: at 75 to 25, four requests give exactly three v1 and one v2", () => {
  const canary = GUIDE.flatMap(({ requests }) => requests)
    .filter(({ answers }) => answers.includes("Hi, I am v2!"));
  assert.equal(canary.length, 2);
  for (const { answers } of canary) {
    assert.equal(answers.filter((answer) => answer === "Hi, I am v1!").length, 3);
    assert.equal(answers.length, 4);
  }
});
