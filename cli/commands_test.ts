// The grammar of a command costs next to nothing to load: everything heavier is imported when the command runs.
import assert from "node:assert/strict";
import { COMMANDS } from "./commands.ts";

const HERE = new URL("./", import.meta.url);

/** What importing a module loads: our files by path from here, packages by name. Types load nothing. */
function loadedBy(path: string, seen = new Set<string>()): Set<string> {
  if (seen.has(path)) return seen;
  seen.add(path);
  if (!path.endsWith(".ts")) return seen;
  const file = new URL(path, HERE);
  const text = Deno.readTextFileSync(file).replace(/^(import|export) type [^;]*;/gm, "");
  for (const [, target] of text.matchAll(/^(?:import|export)\b[^;]*?from "([^"]+)"/gm)) {
    loadedBy(target.startsWith(".") ? new URL(target, file).href : target, seen);
  }
  return seen;
}

Deno.test("loadedBy follows imports, so the tests below can fail", () => {
  const loaded = [...loadedBy(new URL("../sidecar/compile_input.ts", HERE).href)];
  assert.ok(loaded.includes("yaml"), "compile_input.ts reads YAML");
});

for (const name of Object.keys(COMMANDS)) {
  Deno.test(`the grammar of "${name}" loads no package and no other folder's code but constants`, () => {
    const path = new URL(`./commands/${name.replaceAll("-", "_")}.ts`, HERE).href;
    const loaded = [...loadedBy(path)];
    const packages = loaded.filter((each) => !each.startsWith("file:"));
    assert.deepEqual(packages, []);
    assert.ok(loaded.length <= 12, `it loads ${loaded.length} modules: ${loaded.join(" ")}`);
  });
}

Deno.test("main.ts loads no package before it knows the command", () => {
  const packages = [...loadedBy(new URL("../main.ts", HERE).href)]
    .filter((each) => !each.startsWith("file:"));
  assert.deepEqual(packages, []);
});

Deno.test("a sidecar with a compiled plan loads no package at all", () => {
  const packages = [...loadedBy(new URL("../sidecar/sidecar.ts", HERE).href)]
    .filter((each) => !each.startsWith("file:") && !each.startsWith("node:"));
  assert.deepEqual(packages, []);
});
