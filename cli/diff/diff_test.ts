// Tests of `weft diff`: transcripts of every form, exit codes, git revisions, and input that tries to be more than text.
import assert from "node:assert/strict";
import { testEnvironment } from "../../console/testing.ts";
import { run } from "../run.ts";
import { assertGolden } from "../testing.ts";
import type { DiffReport } from "./report.ts";

const ROOT = new URL("../../", import.meta.url);
Deno.chdir(ROOT);

const SIDES = ["cli/testdata/diff/old.yaml", "cli/testdata/diff/new.yaml"];

async function diff(argv: readonly string[], stdin = "") {
  const environment = testEnvironment({ stdin });
  const code = await run(["diff", ...argv], environment);
  return { code, stdout: environment.stdout.text(), stderr: environment.stderr.text() };
}

async function reportOf(argv: readonly string[], stdin = ""): Promise<DiffReport> {
  return JSON.parse((await diff([...argv, "-o", "json"], stdin)).stdout);
}

for (
  const [format, file] of [["text", "txt"], ["markdown", "md"], ["sarif", "sarif.json"], [
    "json",
    "json",
  ]]
) {
  Deno.test(`diff -o ${format}: everything that can differ`, async () => {
    const { code, stdout, stderr } = await diff([...SIDES, "-o", format]);
    assert.equal(code, 1);
    assert.equal(stderr, "");
    assert.doesNotMatch(stdout, / $/m);
    assertGolden(`diff.${file}`, stdout);
  });
}

Deno.test("diff: the other way round everything that opened closes", async () => {
  const there = await reportOf(SIDES);
  const back = await reportOf(SIDES.toReversed());
  const holes = (report: DiffReport, hole: string) =>
    report.requests.filter((each) => each.hole === hole).map(({ request }) => request?.text);
  assert.deepEqual(holes(back, "closed"), holes(there, "opened"));
  assert.deepEqual(holes(back, "opened"), holes(there, "closed"));
  assert.deepEqual(back.deadRules, [], "a rule that goes is not dead");
  assert.deepEqual(
    back.requests.map(({ request }) => request?.text),
    there.requests.map(({ request }) => request?.text),
  );
});

Deno.test("diff: alike is 0, also where rules are written otherwise", async () => {
  const { code, stdout } = await diff([SIDES[0], SIDES[0]]);
  assert.deepEqual([code, stdout], [0, "All requests are answered alike\n"]);
  const text = await Deno.readTextFile(SIDES[0]);
  const written = text.replace("weight: 3", "weight: 300").replace("weight: 1}", "weight: 100}")
    .replace("pathRegex: /items,", "pathRegex: '/i[t]ems|/items/x',");
  assert.notEqual(written, text);
  assert.equal((await diff([SIDES[0], "-"], written)).code, 0);
});

Deno.test("diff: a witness is what `weft explain` is given, on both sides", async () => {
  const { requests } = await reportOf(SIDES);
  for (const { request, before, after } of requests) {
    if (request === null) continue;
    for (const [file, { rule }] of [[SIDES[0], before], [SIDES[1], after]] as const) {
      const environment = testEnvironment();
      await run(["explain", ...request.explain, "-f", file, "-o", "json"], environment);
      const { rules } = JSON.parse(environment.stdout.text());
      const won = rules.find(({ outcome }: { outcome: string }) => outcome === "matched");
      assert.equal(won === undefined ? null : `${won.group}#${won.match}`, rule, request.text);
    }
  }
});

Deno.test("diff: errors of the new side are told and end with 3; of the old side they are the way it was", async () => {
  const text = await Deno.readTextFile(SIDES[0]);
  const broken = text.replace("  matches: [{kind", "  match: [{kind");
  const now = await diff([SIDES[0], "-"], broken);
  assert.equal(now.code, 3);
  assert.match(now.stderr, /^-:\d+:3 error field-unknown/);
  assert.match(now.stdout, /hole opened/);
  const before = await diff(["-", SIDES[0]], broken);
  assert.equal(before.code, 1);
  assert.match(
    before.stderr,
    /^weft: - has errors; what they leave out is compared as left out\n$/,
  );
});

Deno.test("diff: manifests without workloads are compared as if each backend had pods", async () => {
  const text = (await Deno.readTextFile(SIDES[0])).split("---\n")
    .filter((document) => !document.includes("kind: Deployment")).join("---\n");
  const folder = await Deno.makeTempDir();
  const old = `${folder}/old.yaml`;
  await Deno.writeTextFile(old, text);
  assert.deepEqual(await diff([old, "-"], text), {
    code: 0,
    stdout: "All requests are answered alike\n",
    stderr: "",
  });
  const moved = await diff([old, "-"], text.replace("weight: 3", "weight: 1"));
  assert.equal(moved.code, 1);
  assert.match(
    moved.stdout,
    /web-v1 +75\.0% +50\.0%[^]*every backend counts as if it had endpoints/,
  );
  // Backends that are not there are no matter of pods.
  const broken = await diff([old, "-"], text.replace(/service: web-v\d/g, "service: none"));
  assert.equal(broken.code, 3);
  assert.match(broken.stderr, /split-no-backend/);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("diff: pods that run as another account are others to traffic targets", async () => {
  const text = await Deno.readTextFile(SIDES[0]);
  const now = text.replaceAll("spec: {containers", "spec: {serviceAccountName: web, containers");
  const { code, stdout } = await diff([SIDES[0], "-"], now);
  assert.equal(code, 1);
  assert.match(stdout, /^ {2}Endpoints of shop\/web:80: run as shop\/web \(was shop\/default\)$/m);
});

Deno.test("diff: what cannot be read is one line and 3, and a wrong command line 2", async () => {
  const cases: [argv: string[], code: number, complaint: RegExp][] = [
    [[SIDES[0]], 2, /takes two sides/],
    [[...SIDES, SIDES[0]], 2, /takes two sides/],
    [["-", "-"], 2, /Standard input/],
    [["--git", "HEAD"], 2, /takes paths/],
    [[SIDES[0], "no/such/file"], 3, /no such file or directory: "no\/such\/file"/],
    [["no-such-revision:x", SIDES[0]], 3, /git knows no revision "no-such-revision" here/],
    [["--git", "--upload-pack=x", SIDES[0]], 3, /git knows no revision "--upload-pack=x" here/],
    [["--git=--help", SIDES[0]], 3, /git knows no revision/],
  ];
  for (const [argv, code, complaint] of cases) {
    const result = await diff(argv);
    assert.equal(result.code, code, argv.join(" "));
    assert.match(result.stderr, complaint);
    assert.doesNotMatch(result.stderr, /\n\s+at /);
  }
});

/** Runs in a repository of its own, where `files` are committed one list after the other. */
async function inRepository(
  commits: readonly Readonly<Record<string, string>>[],
  test: () => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const git = async (...args: string[]) => {
    const as = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"];
    const command = new Deno.Command("git", { args: [...as, ...args], cwd: folder });
    const { success, stderr } = await command.output();
    assert.ok(success, new TextDecoder().decode(stderr));
  };
  try {
    await git("init", "--quiet");
    for (const files of commits) {
      for (const [path, text] of Object.entries(files)) {
        await Deno.mkdir(new URL(".", `file://${folder}/${path}`), { recursive: true });
        await Deno.writeTextFile(`${folder}/${path}`, text);
      }
      await git("add", ".");
      await git("commit", "--quiet", "--message", "x");
    }
    Deno.chdir(folder);
    await test();
  } finally {
    Deno.chdir(ROOT);
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("diff: revisions of git, from the top and from where it runs, directories as on a disk", async () => {
  const [old, now] = await Promise.all(SIDES.map((file) => Deno.readTextFile(file)));
  const commits = [
    { "a/m/all.yaml": old, "a/m/below/rest.yaml": "kind: [", "a/m/notes.txt": "kind: [" },
    { "a/m/all.yaml": now },
  ];
  await inRepository(commits, async () => {
    const expected = await reportOf([`HEAD~1:a/m`, "HEAD:a/m"]);
    assert.equal(expected.requests.length, 12);
    const place = expected.requests.find(({ before }) => before.rule !== null)?.before.position;
    assert.match(`${place?.file}`, /^HEAD~1:a\/m\/all\.yaml$/);
    Deno.chdir("a");
    for (
      const sides of [["HEAD~1:./m", "m"], ["--git", "HEAD~1", "m"], ["--git", "HEAD~1", "./m/"], [
        "HEAD~1:a/m/all.yaml",
        "m",
      ]]
    ) {
      const { requests } = await reportOf(sides);
      assert.deepEqual(
        requests.map(({ request }) => request),
        expected.requests.map(({ request }) => request),
      );
    }
    // As on a disk, what is below needs -R.
    assert.match((await diff(["-R", "HEAD~1:./m", "HEAD:a/m"])).stderr, /yaml-syntax/);
    const all = await reportOf(["HEAD:other", "m"]);
    assert.ok(all.ports.every(({ change }) => change === "added"), "a path that is new");
    assert.equal((await diff(["HEAD:other", "m"])).stderr, "");
  });
});

Deno.test("diff --log: each change with how much of real traffic it is about, the most first", async () => {
  const line = (method: string, path: string, service = "shop/web:80") =>
    JSON.stringify({
      method,
      path,
      authority: "web.shop",
      source: "",
      service,
      rule: "",
      backend: "",
    });
  const log = await Deno.makeTempFile();
  const lines = [
    ...Array.from({ length: 6 }, () => line("GET", "/items/1?x=y")),
    ...["/abc", "/abc/d"].map((path) => line("GET", path)),
    line("HEAD", "/items"),
    // Inbound, and out of the mesh.
    line("GET", "/items", ""),
  ];
  await Deno.writeTextFile(log, lines.join("\n"));
  const report = await reportOf([...SIDES, "--log", log]);
  assert.deepEqual(
    report.requests.filter(({ traffic }) => traffic !== 0).map((
      { request, traffic },
    ) => [request?.text, traffic]),
    [["GET /items", 6], ["GET /abc", 2], ["HEAD /items", 1]],
  );
  // The record says that no rule took them: without the header that one asks for.
  assert.deepEqual(report.log, {
    format: "weft json",
    requests: 9,
    changed: 9,
    lost: 0,
    undecided: 0,
  });
  const { stdout } = await diff([...SIDES, "--log", log]);
  assert.match(stdout, /^ +6 of the log, 66\.7%$/m);
  assert.match(stdout, /of 9 requests of the log 9 are answered otherwise \(100\.0%\)\n$/);
  const gone = await Deno.readTextFile(SIDES[1]);
  const without = await reportOf(
    [SIDES[0], "-", "--log", log],
    gone.replaceAll("name: web,", "name: other,"),
  );
  assert.equal(without.log?.lost, 9);
  assert.equal((await diff([...SIDES, "--host", "x"])).code, 2);
  await Deno.writeTextFile(log, "what is this");
  assert.equal((await diff([...SIDES, "--log", log])).code, 3);
  await Deno.remove(log);
});

Deno.test("diff: names and patterns cannot forge markup, shell words or control characters", async () => {
  const text = await Deno.readTextFile(SIDES[0]);
  const evil = "/a|b`c</td><script>$(touch x)'\\u001b[2J";
  const now = text.replace(
    "pathRegex: /old",
    `pathRegex: ${JSON.stringify(`\\Q${evil}\\E`).replace("\\\\u001b", "\\u001b")}`,
  );
  const { stdout } = await diff([SIDES[0], "-", "-o", "markdown"], now);
  assert.doesNotMatch(stdout, /^[^`]*<script>/m);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(stdout, /\x1b/);
  const shown = await diff([SIDES[0], "-"], now);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(shown.stdout, /\x1b/);
});
