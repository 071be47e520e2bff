/** docs/guard_a_repository.md, command for command, and the jobs for CI that it names, in a repository of their own. */
import assert from "node:assert/strict";
import { parse } from "yaml";

const ROOT = new URL("../", import.meta.url).pathname;

/** `npx -y deno@2 …` is the Deno that runs this: nothing is fetched. */
async function withTools(folder: string): Promise<Record<string, string>> {
  const tools = `${folder}/tools`;
  await Deno.mkdir(tools);
  await Deno.writeTextFile(`${tools}/npx`, `#!/bin/sh\nshift 2\nexec '${Deno.execPath()}' "$@"\n`, {
    mode: 0o755,
  });
  // Not a terminal, so that tables are not folded.
  return { PATH: `${tools}:${Deno.env.get("PATH")}`, WEFT: ROOT, COLUMNS: "" };
}

async function shell(script: string, cwd: string, env: Record<string, string>) {
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-euo", "pipefail", "-c", script],
    cwd,
    env,
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test({
  name: "docs: a repository is guarded as docs/guard_a_repository.md says",
  ignore: Deno.build.os === "windows",
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const env = await withTools(folder);
      const page = await Deno.readTextFile(`${ROOT}docs/guard_a_repository.md`);
      const blocks = [...page.matchAll(/```sh\n([^]*?)```\n(?:```text\n([^]*?)```\n)?/g)];
      assert.ok(blocks.length >= 4);
      // One shell, as a reader has; a line of its own tells where each block's output ends.
      const script = blocks.map(([, commands]) => `${commands}\necho "== end"`).join("\n");
      const { code, stdout, stderr } = await shell(script, folder, env);
      assert.equal(code, 0, stderr);
      const outputs = stdout.split("== end\n");
      for (const [index, [, , expected = ""]] of blocks.entries()) {
        assert.equal(outputs[index], expected);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

const COMMIT = "git add . && git -c user.name=a -c user.email=a@b commit --quiet --message x";

/** The script of a job that compares, from its file. */
async function jobScript(file: string): Promise<string> {
  const document = parse(await Deno.readTextFile(`${ROOT}examples/ci/${file}`));
  if (file.startsWith("gitlab")) {
    const [, script] = document["where-requests-go"].script;
    return script;
  }
  const steps: { name?: string; run?: string }[] = document.jobs.weft.steps;
  return steps.find(({ name }) => name === "Compare")?.run ?? "";
}

for (const file of ["github_actions.yaml", "gitlab_ci.yaml"]) {
  Deno.test({
    name:
      `docs: the job of examples/ci/${file} passes what changes traffic, and fails what is broken`,
    ignore: Deno.build.os === "windows",
    async fn() {
      const folder = await Deno.makeTempDir();
      try {
        const tools = await withTools(folder);
        const repository = `${folder}/repository`;
        await Deno.mkdir(repository);
        await Deno.symlink(ROOT, `${repository}/.weft`);
        const prepare = 'cp -r "$WEFT/examples/canary" manifests && rm -r manifests/steps && ' +
          `git init --quiet && echo .weft > .gitignore && ${COMMIT} && git rev-parse HEAD`;
        const prepared = await shell(prepare, repository, tools);
        assert.equal(prepared.code, 0, prepared.stderr);
        const base = prepared.stdout.trim();
        const env = {
          ...tools,
          MANIFESTS: "manifests",
          BASE: base,
          CI_MERGE_REQUEST_DIFF_BASE_SHA: base,
          GITHUB_STEP_SUMMARY: `${folder}/summary.md`,
        };
        const script = await jobScript(file);
        const change = async (path: string, from: string, to: string) => {
          const text = await Deno.readTextFile(`${repository}/manifests/${path}`);
          assert.ok(text.includes(from));
          await Deno.writeTextFile(`${repository}/manifests/${path}`, text.replace(from, to));
          return shell(script, repository, env);
        };
        const moved = await change("splits.yaml", "weight: 75", "weight: 0");
        assert.equal(moved.code, 0, moved.stderr);
        const comment = await Deno.readTextFile(`${repository}/weft.md`);
        assert.match(comment, /^### Where requests go\n\n1 kind of requests answered otherwise/);
        assert.match(comment, /`GET \/test` .*`httpbin-v2` 25\.0% → \*\*100\.0%\*\*/);
        const broken = await change("splits.yaml", "matches:", "match:");
        assert.notEqual(broken.code, 0);
        assert.match(broken.stdout + broken.stderr, /field-unknown/);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}
