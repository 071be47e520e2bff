/** The algebra against RE2JS and V8's linear engine on random rules; and that the comparison sees what is wrong. */
import assert from "node:assert/strict";
import { PLANTED } from "./random_rules.ts";

const PROGRAM = new URL("random_rules.ts", import.meta.url).pathname;

/** In a process of its own: V8 has its linear engine only if it is started with it. */
async function compare(...options: string[]) {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--v8-flags=--enable-experimental-regexp-engine", PROGRAM, ...options],
  }).output();
  return { code, text: new TextDecoder().decode(stdout) };
}

Deno.test("algebra: on random rules it says what the engines find", async () => {
  const { code, text } = await compare("--runs", "1500");
  assert.equal(code, 0, text);
  const [, decided, ofV8] = /(\d+) decided, (\d+) answers of V8/.exec(text) ?? [];
  // Nearly all: what is undecided is not compared.
  assert.ok(Number(decided) > 1400 && Number(ofV8) > 100_000, text);
});

for (const name of Object.keys(PLANTED)) {
  Deno.test(`algebra: a planted bug is seen: ${name}`, async () => {
    const { code, text } = await compare("--runs", "300", "--seed", "1", "--planted", name);
    assert.equal(code, 1, text);
    assert.match(text, /Again: deno run .* --seed \d+/);
  });
}
