// Tests of completion.ts through the commands that use it: scripts that shells accept, answers to TAB.
import assert from "node:assert/strict";
import { run } from "./run.ts";
import { testEnvironment } from "../console/testing.ts";

async function printed(argv: string[]): Promise<string> {
  const environment = testEnvironment();
  assert.equal(await run(argv, environment), 0);
  assert.equal(environment.stderr.text(), "");
  return environment.stdout.text();
}

/** Candidates, without their descriptions, and the directive, for the words after `weft`. */
async function complete(...words: string[]) {
  const lines = (await printed(["complete", "--", ...words])).trimEnd().split("\n");
  const directive = lines.pop();
  return { candidates: lines.map((line) => line.split("\t")[0]), directive };
}

const NO_FILES = ":4";
const FILES = ":0";

Deno.test("bash accepts its script, also when it is loaded twice", async () => {
  const script = await printed(["completion", "bash"]);
  const bash = new Deno.Command("bash", {
    args: ["-euc", 'eval "$1"; eval "$1"; complete -p weft', "bash", script],
    stdout: "piped",
    stderr: "piped",
  }).outputSync();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert.equal(text(bash.stderr), "");
  assert.equal(bash.code, 0);
  // `default`: where we ask for files, bash offers files.
  assert.equal(text(bash.stdout), "complete -o default -F __weft_complete weft\n");
});

for (const shell of ["zsh", "fish", "powershell"]) {
  Deno.test(`the script for ${shell} asks weft at each TAB`, async () => {
    const script = await printed(["completion", shell]);
    assert.match(script, /\bweft complete .?--/);
    assert.ok(script.split("\n").length > 100);
  });
}

Deno.test("commands complete by prefix; the one that scripts call is not offered", async () => {
  assert.deepEqual(await complete("d"), {
    candidates: ["demo", "dry-run", "diff"],
    directive: NO_FILES,
  });
  assert.ok(!(await complete("")).candidates.includes("complete"));
});

Deno.test("options complete by prefix, and their choices after them", async () => {
  assert.deepEqual(await complete("dry-run", "--n"), {
    candidates: ["--namespace"],
    directive: NO_FILES,
  });
  assert.deepEqual((await complete("dry-run", "-o", "")).candidates, [
    "table",
    "json",
    "yaml",
    "plan",
  ]);
  assert.deepEqual((await complete("completion", "f")).candidates, ["fish"]);
});

Deno.test("files are left to the shell where an option takes a path, and nowhere else", async () => {
  assert.equal((await complete("dry-run", "-f", "")).directive, FILES);
  assert.equal((await complete("dry-run", "-f", "a.yaml", "b")).directive, FILES);
  assert.equal((await complete("proxy", "--plan", "")).directive, FILES);
  assert.equal((await complete("proxy", "--plan", "a.json", "")).directive, NO_FILES);
  assert.equal((await complete("dry-run", "-n", "")).directive, NO_FILES);
  assert.equal((await complete("dry-run", "")).directive, FILES);
  assert.equal((await complete("dry-run", "--enforce-access", "a.yaml", "")).directive, FILES);
  assert.equal((await complete("dry-run", "-n", "app", "")).directive, FILES);
  assert.equal((await complete("version", "")).directive, NO_FILES);
});

Deno.test("commands within commands complete, and their options", async () => {
  assert.deepEqual((await complete("namespace", "a")).candidates, ["add"]);
  assert.deepEqual((await complete("mesh", "upgrade", "--rese")).candidates, ["--reset-values"]);
  assert.deepEqual((await complete("proxy", "get", "cl")).candidates, ["clusters"]);
  assert.equal((await complete("install", "-f", "")).directive, FILES);
});

Deno.test("without a cluster no names are offered, and nothing is said", async () => {
  const none = { candidates: [], directive: NO_FILES };
  assert.deepEqual(await complete("namespace", "add", "--kubeconfig", "/missing", ""), none);
});
