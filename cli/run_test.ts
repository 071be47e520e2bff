// Tests of run.ts: exit codes and complaints of the command line itself, version, help, completion.
import assert from "node:assert/strict";
import { COMMANDS } from "./commands.ts";
import { run } from "./run.ts";
import { testEnvironment } from "../console/testing.ts";

/** Runs a command line and hands back all that can be seen of it. */
async function outcome(argv: string[]) {
  const environment = testEnvironment();
  const code = await run(argv, environment);
  return { code, stdout: environment.stdout.text(), stderr: environment.stderr.text() };
}

Deno.test("version prints one line, the same with its short spellings", async () => {
  const { code, stdout, stderr } = await outcome(["version"]);
  assert.equal(code, 0);
  assert.equal(stderr, "");
  assert.match(stdout, /^weft \d+\.\d+\.\d+ \(commit \S+, Deno \S+, V8 \S+, \S+\)\n$/);
  assert.ok(stdout.includes(Deno.version.deno) && stdout.includes(Deno.version.v8));
  assert.equal((await outcome(["--version"])).stdout, stdout);
  // Through the parser: the fast way must not print anything else.
  assert.equal((await outcome(["version", "-o", "text"])).stdout, stdout);
});

Deno.test("version -o json is one object", async () => {
  const { code, stdout } = await outcome(["version", "-o", "json"]);
  assert.equal(code, 0);
  assert.deepEqual(Object.keys(JSON.parse(stdout)), [
    "version",
    "commit",
    "deno",
    "v8",
    "platform",
  ]);
});

Deno.test("help lists every command with a summary and ends with 0", async () => {
  const { code, stdout } = await outcome(["help"]);
  assert.equal(code, 0);
  for (const name of Object.keys(COMMANDS)) {
    assert.match(stdout, new RegExp(`^  ${name} .*\\b[a-z]+`, "m"), `"${name}" is not explained`);
  }
});

Deno.test("help of a command and its --help are the same", async () => {
  const help = await outcome(["help", "dry-run"]);
  assert.equal(help.code, 0);
  assert.match(help.stdout, /--filename/);
  assert.deepEqual(await outcome(["dry-run", "--help"]), help);
});

for (
  const { argv, complaint } of [
    { argv: ["dry-runn"], complaint: /unknown command 'dry-runn'[^]*Did you mean dry-run\?/ },
    { argv: ["dry-run"], complaint: /takes manifests.*weft dry-run manifests\//s },
    { argv: ["dry-run", "-f", "a.yaml", "--outptu", "json"], complaint: /Did you mean --output\?/ },
    { argv: ["dry-run", "-f", "a.yaml", "-o", "xml"], complaint: /table, json, yaml, plan/ },
    { argv: ["dry-run", "-f", "a.yaml", "--count", "0", "--request", "GET a"], complaint: /"0"/ },
    { argv: ["dry-run", "-f", "a.yaml", "--count", "4"], complaint: /Add --request/ },
    { argv: ["dry-run", "-f", "a.yaml", "--request", "GET"], complaint: /METHOD URL/ },
    { argv: ["explain", "GET", "http://a.b/"], complaint: /-f PATH.*--admin/s },
    { argv: ["explain", "-f", "a.yaml"], complaint: /METHOD URL/ },
    { argv: ["proxy"], complaint: /-f PATH.*--plan/ },
    { argv: ["proxy", "-f", "a.yaml", "--inbound", ":15003"], complaint: /--app/ },
    {
      argv: ["status", "--insecure-skip-tls-verify=true"],
      complaint: /is always verified.*--cert/s,
    },
    { argv: ["status", "--tls-server-name", "a"], complaint: /--tls-server-name is not there/ },
    { argv: ["status", "--as-uid", "7"], complaint: /give that too/ },
    { argv: ["status", "--as", "a", "--as-user-extra", "b"], complaint: /"b".*KEY=VALUE/s },
    { argv: ["completion", "csh"], complaint: /bash, zsh, fish, powershell/ },
    { argv: [], complaint: /Usage: weft/ },
  ]
) {
  Deno.test(`usage: weft ${argv.join(" ")} ends with 2 and a complaint on stderr`, async () => {
    const { code, stdout, stderr } = await outcome(argv);
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(stderr, complaint);
    assert.doesNotMatch(stderr, /^\s+at /m, "a stack trace");
  });
}
