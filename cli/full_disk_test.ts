// Where nothing can be written any more: one line and an exit code, never a stack trace. Nor does Deno give its own advice.
import assert from "node:assert/strict";
import { CommandFailure } from "../console/exit.ts";
import { renderFindings } from "../console/findings.ts";
import { memoryOutput } from "../console/testing.ts";
import { withoutFlagAdvice } from "../base/text.ts";
import { run } from "./run.ts";
import { testEnvironment } from "../console/testing.ts";

const ROOT = new URL("../", import.meta.url);
const WEFT = [Deno.execPath(), "run", "--no-prompt", "--no-check", "--allow-read", "main.ts"];

/** Runs a command line of weft in a shell, which says where its output goes. */
function inShell(line: string) {
  const { code, stderr } = new Deno.Command("sh", {
    args: ["-c", `${WEFT.map((word) => `'${word}'`).join(" ")} ${line}`],
    cwd: ROOT,
  }).outputSync();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

Deno.test({
  name: "a full disk behind standard output is one line and 1; behind both it is 1",
  ignore: Deno.build.os !== "linux",
  fn() {
    const complaint = "weft: Cannot write to standard output: No space left on device\n";
    for (
      const command of [
        "dry-run examples/canary",
        "dry-run examples/canary -o json",
        "explain GET http://httpbin.httpbin:8080/ -f examples/canary",
        "version",
        "help",
        "completion bash",
        "proxy-init --dry-run",
      ]
    ) {
      assert.deepEqual(inShell(`${command} >/dev/full`), { code: 1, stderr: complaint }, command);
    }
    assert.equal(inShell("dry-run examples/canary >/dev/full 2>/dev/full").code, 1);
    // What cannot be complained of does not change what the work came to.
    assert.equal(inShell("dry-run nothing -o json 2>/dev/full").code, 1);
    assert.equal(inShell("dry-run 2>/dev/full").code, 2);
  },
});

Deno.test("a reader who leaves early changes no exit code, and is no complaint", () => {
  const command = WEFT.map((word) => `'${word}'`).join(" ");
  const bash = (line: string) => {
    const args = ["-c", `set -o pipefail; ${line}`];
    const { code, stderr } = new Deno.Command("bash", { args, cwd: ROOT }).outputSync();
    return { code, stderr: new TextDecoder().decode(stderr) };
  };
  const good = bash(`${command} dry-run examples/canary | true`);
  assert.deepEqual(good, { code: 0, stderr: "" });
  const bad = bash(`${command} dry-run no/such/file | true`);
  assert.deepEqual(bad, { code: 1, stderr: "" });
});

Deno.test("what the system refuses is one line, without Deno's advice; a defect is thrown", async () => {
  const said = async (error: unknown) => {
    const environment = testEnvironment();
    const line = () => {
      throw error;
    };
    const stdout = { ...environment.stdout, line };
    const code = await run(["version"], { ...environment, stdout });
    return [code, environment.stderr.text()];
  };
  const advice = 'Requires net access to "127.0.0.1:80", run again with the --allow-net flag';
  const plain = 'Requires net access to "127.0.0.1:80"';
  assert.deepEqual(await said(new Deno.errors.NotCapable(advice)), [1, `weft: ${plain}\n`]);
  assert.deepEqual(await said(new CommandFailure(`Cannot listen: ${advice}`)), [
    1,
    `weft: Cannot listen: ${plain}\n`,
  ]);
  assert.deepEqual(await said(new Error("Read-only file system (os error 30)")), [
    1,
    "weft: Read-only file system\n",
  ]);
  await assert.rejects(() => said(new TypeError("x is not a function")), TypeError);
  const finding = {
    code: "plan-not-saved",
    severity: "warning",
    message: advice,
    hint: "",
  } as const;
  assert.ok(!renderFindings(memoryOutput(), [finding]).includes("--allow"));
  const all = 'Requires all access to "/dev/x", run again with the --allow-all flag';
  assert.equal(withoutFlagAdvice(all), 'Requires all access to "/dev/x"');
});
