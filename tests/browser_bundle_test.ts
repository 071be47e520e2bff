/**
 * The routing core runs where there is no runtime. Goal: prove it, rather than trust the lint rules. Method: bundle
 * the core and a small use of it for a browser, and run the bundle in Node inside an empty context, which has the
 * language, TextEncoder and TextDecoder, and neither Deno nor process nor require.
 */
import assert from "node:assert/strict";
import { ROOT } from "../tools/repository.ts";
import { hasCommand, runCommand } from "./support/commands.ts";

const ENTRY = "tests/support/browser_entry.ts";
const RUNNER = `
const vm = require("node:vm");
const context = { TextEncoder, TextDecoder };
vm.runInNewContext(require("node:fs").readFileSync(0, "utf8"), context);
console.log(JSON.stringify({ deno: typeof Deno, answer: context.answer }));
`;

interface Graph {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly { readonly specifier: string; readonly code?: unknown }[];
  }[];
}

const HAS_NODE = hasCommand("node");

function run(command: string, args: readonly string[], input = "") {
  return runCommand(command, args, input, { cwd: ROOT, env: { NO_COLOR: "1" } });
}

const bundle = await run(Deno.execPath(), [
  ...["bundle", "--quiet", "--platform", "browser", "--format", "iife", ENTRY],
]);
// `deno bundle` fetches its bundler from npm when it first runs; that may be out of reach, the rest may not fail.
const isBundlerMissing = bundle.code !== 0 &&
  /download esbuild|esbuild package/.test(bundle.stderr);
if (isBundlerMissing) console.log("skipped the bundle tests: npm did not give the bundler");
if (!HAS_NODE) console.log("skipped running the bundle: there is no Node");

const ENTRIES = ["table/build.ts", "table/decide.ts", "table/explain.ts", "compile/compile.ts"];

for (const entry of ENTRIES.map((file) => `routing/${file}`)) {
  Deno.test(`${entry} reaches nothing but routing/ and base/ at run time`, async () => {
    const { stdout } = await run(Deno.execPath(), ["info", "--json", entry]);
    const { modules } = JSON.parse(stdout) as Graph;
    const outside = modules.flatMap(({ specifier, dependencies }) =>
      (dependencies ?? [])
        // Types vanish; everything else is there when it runs.
        .filter((dependency) => dependency.code !== undefined)
        .map((dependency) => new URL(dependency.specifier, specifier).href)
        .filter((target) => !/^(routing|base)\//.test(target.slice(ROOT.href.length)))
    );
    assert.ok(modules.length > 10, "The graph is empty");
    assert.deepEqual(outside, []);
  });
}

Deno.test({
  name: "the routing bundle holds everything it needs",
  ignore: isBundlerMissing,
  fn() {
    assert.equal(bundle.code, 0, bundle.stderr);
    const found = bundle.stdout.match(/\bDeno\.|\brequire\(|^\s*import\b|["'`](node|npm):/gm) ?? [];
    assert.deepEqual(found, []);
  },
});

Deno.test({
  name: "the routing bundle compiles and decides in an empty context",
  ignore: isBundlerMissing || !HAS_NODE,
  async fn() {
    const { code, stdout, stderr } = await run("node", ["-e", RUNNER], bundle.stdout);
    assert.equal(code, 0, stderr);
    const { deno, answer } = JSON.parse(stdout);
    assert.equal(deno, "undefined");
    assert.match(answer.hash, /^[0-9a-f]{64}$/);
    assert.deepEqual(answer.backends, [
      "httpbin/httpbin-v1",
      "httpbin/httpbin-v2",
      "httpbin/httpbin-v1",
      "httpbin/httpbin-v1",
    ]);
  },
});
