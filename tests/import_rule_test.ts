/**
 * The repository's lint rules, on fixtures that break each of them and on the whole working tree. A rule that
 * stopped reporting would fail here, and so would a commit that breaks one.
 */
import assert from "node:assert/strict";
import { layerOf } from "../tools/layers.ts";
import plugin from "../tools/lint_plugin.ts";
import { listFiles, readFile, ROOT } from "../tools/repository.ts";

const FIXTURES = new URL("tools/testdata/rules/", ROOT);

/** The first two lines of a fixture say which file it stands for and which rule must report it. */
function readFixture(name: string): { path: string; expected: string; source: string } {
  const source = Deno.readTextFileSync(new URL(name, FIXTURES));
  const [, path, expected] = /^\/\/ path: (\S+)\n\/\/ expect: (\S+)\n/.exec(source) ?? [];
  assert.ok(path !== undefined && expected !== undefined, `${name} lacks its two header lines`);
  return { path, expected, source };
}

const fixtures = [...Deno.readDirSync(FIXTURES)].map((entry) => entry.name).sort();

for (const name of fixtures) {
  const { path, expected, source } = readFixture(name);
  Deno.test(`lint rules on ${name.replace(".ts", "")}: ${expected}`, () => {
    const reported = Deno.lint.runPlugin(plugin, path, source).map((report) => report.id);
    assert.deepEqual([...new Set(reported)], expected === "nothing" ? [] : [expected]);
  });
}

Deno.test("lint rules: every rule has a fixture that breaks it", () => {
  const broken = new Set(fixtures.map((name) => readFixture(name).expected));
  for (const rule of Object.keys(plugin.rules)) assert.ok(broken.has(`weft/${rule}`), rule);
});

Deno.test("lint rules: the working tree breaks none", () => {
  const sources = listFiles().filter((path) => /\.tsx?$/.test(path));
  assert.ok(sources.length > 10, "The walk found no sources");
  const problems = sources.flatMap((path) =>
    Deno.lint.runPlugin(plugin, path, readFile(path)).map((report) =>
      `${path}: ${report.message} (${report.id})`
    )
  );
  assert.deepEqual(problems, []);
});

Deno.test("layers: every source file belongs to one", () => {
  const homeless = listFiles().filter((path) => /\.tsx?$/.test(path) && layerOf(path) === null);
  assert.deepEqual(homeless, []);
});
