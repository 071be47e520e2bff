/**
 * What the repository promises about itself: tidy texts, exact versions, documents that say what is so. Each check is
 * shown a text that breaks it before it is shown the working tree.
 */
import assert from "node:assert/strict";
import { COMMANDS } from "../cli/commands.ts";
import { checkDockerfile } from "../tools/dockerfile.ts";
import { FINDINGS_PATH, renderFindingsPage } from "../tools/findings.ts";
import { listFiles, readFile, ROOT } from "../tools/repository.ts";
import { checkLock, checkText, checkVersions } from "../tools/tidy.ts";

/** Assembled, so that this file does not break the rules it tests. */
const join = (...parts: string[]) => parts.join("");

const UNTIDY: Record<string, [path: string, text: string]> = {
  "a registry's host": ["docs/x.md", join("See https://www.npm", "js.com/package/yaml\n")],
  "another registry's host": ["Dockerfile", join("FROM g", "cr.io/distroless/base\n")],
  "a path of one machine": [".ci/run", join("cd /wo", "rk/main\n")],
  "a path of one person": ["docs/x.md", join("Open /ho", "me/ada/weft\n")],
  "a vague word": ["docs/x.md", join("It is told to who", "ever asks.\n")],
  "a reminder": ["base/x.ts", join("/** X. */\n// TO", "DO: later\n")],
  "a space at the end of a line": ["docs/x.md", "words \n"],
  "no newline at the end": ["docs/x.md", "words"],
  "a file name in camel case": ["base/xY.ts", "/** X. */\n"],
  "a file without a header": ["base/x.ts", "export const x = 1;\n"],
  "a rule of ours switched off": [
    "base/x.ts",
    join("/** X. */\n// deno-lint-", "ignore weft/pure\n"),
  ],
  "a file that is too long": ["base/x.ts", `/** X. */\n${"//\n".repeat(600)}`],
};

for (const [name, [path, text]] of Object.entries(UNTIDY)) {
  Deno.test(`checkText reports ${name}`, () => {
    assert.equal(checkText(path, text).length, 1);
  });
}

Deno.test("checkText has nothing to say about the working tree", () => {
  const files = listFiles().filter((path) =>
    !/\.(png|ico|woff2)$/.test(path) && path !== "LICENSE"
  );
  assert.ok(files.length > 30, "The walk found too little");
  const problems = files.flatMap((path) => checkText(path, readFile(path)));
  assert.deepEqual(problems, []);
});

Deno.test("checkVersions wants exact versions under their own names", () => {
  const loose = { a: "npm:a@^1.2.3", b: "npm:b@1", c: "npm:d@1.2.3", e: "jsr:@e/e@1.2.3" };
  assert.equal(checkVersions(JSON.stringify({ imports: loose })).length, 4);
  const exact = { "@scope/a": "npm:@scope/a@1.2.3" };
  assert.deepEqual(checkVersions(JSON.stringify({ imports: exact })), []);
  assert.deepEqual(checkVersions(readFile("deno.json")), []);
});

Deno.test("checkLock finds addresses", () => {
  assert.equal(checkLock('{\n  "tarball": "https://example.invalid/a.tgz"\n}\n').length, 1);
  assert.deepEqual(checkLock(readFile("deno.lock")), []);
});

const BROKEN_DOCKERFILES: Record<string, (text: string) => string> = {
  "the user root": (text) => text.replace("USER 1500:1500", "USER root"),
  "no user": (text) => text.replace("USER 1500:1500\n", ""),
  "an image that moves": (text) => text.replace("debian:bookworm-slim", "debian:latest"),
  "an image without a tag": (text) => text.replace("debian:bookworm-slim", "debian"),
  "another entry point": (text) => text.replace('["/usr/local/bin/weft"]', '["/bin/sh"]'),
  "a base with a shell": (text) => text.replace("FROM scratch", "FROM debian:bookworm-slim"),
  "a Deno that moves": (text) => text.replace(/deno@[\d.]+/, "deno@2"),
  "a stage that is not there": (text) => text.replace("--from=build", "--from=builder"),
};

for (const [name, broken] of Object.entries(BROKEN_DOCKERFILES)) {
  Deno.test(`checkDockerfile reports ${name}`, () => {
    const text = readFile("Dockerfile");
    assert.notEqual(broken(text), text);
    assert.equal(checkDockerfile(broken(text)).length, 1);
  });
}

Deno.test("checkDockerfile has nothing to say about the Dockerfile", () => {
  assert.deepEqual(checkDockerfile(readFile("Dockerfile")), []);
});

Deno.test("docs/findings.md is what `deno task findings` makes", () => {
  assert.equal(readFile(FINDINGS_PATH), renderFindingsPage(readFile("base/finding.ts")));
});

Deno.test("every relative link of a document leads somewhere", () => {
  const dead = listFiles().filter((path) => path.endsWith(".md")).flatMap((path) =>
    [...readFile(path).matchAll(/\]\((?!https?:|#)([^)\s#]+)[^)]*\)/g)]
      .filter(([, target]) => !exists(new URL(target, new URL(path, ROOT))))
      .map(([, target]) => `${path}: ${target}`)
  );
  assert.deepEqual(dead, []);
});

function exists(url: URL): boolean {
  try {
    Deno.statSync(url);
    return true;
  } catch {
    return false;
  }
}

Deno.test("every path that a document names in code exists", () => {
  const folders = "base|bench|cli|docs|examples|proxy|routing|schemas|tests|tools|\\.ci";
  const named = new RegExp(`\`((?:${folders})/[\\w./-]+)\``, "g");
  const dead = listFiles().filter((path) => path.endsWith(".md")).flatMap((path) =>
    [...readFile(path).matchAll(named)]
      .filter(([, target]) => !exists(new URL(target, ROOT)))
      .map(([, target]) => `${path}: ${target}`)
  );
  assert.deepEqual(dead, []);
});

interface DocumentedCommand {
  /** The words of the command, quotes removed. */
  readonly words: readonly string[];
  /** As written, without the comment. */
  readonly text: string;
}

/** Every command line of the `sh` blocks of a Markdown text. */
function extractCommands(markdown: string): DocumentedCommand[] {
  const commands: DocumentedCommand[] = [];
  for (const [, block] of markdown.matchAll(/^```sh\n(.*?)^```$/gms)) {
    for (const line of block.split("\n")) {
      const text = line.replace(/\s+#.*$/, "").trim();
      if (text !== "" && !text.startsWith("#")) commands.push({ words: splitWords(text), text });
    }
  }
  return commands;
}

/** Splits at spaces as a shell does, for the quotes that our documents use. */
function splitWords(text: string): string[] {
  const words = text.match(/'[^']*'|"[^"]*"|\S+/g) ?? [];
  return words.map((word) => /^(['"]).*\1$/.test(word) ? word.slice(1, -1) : word);
}

const { tasks } = JSON.parse(readFile("deno.json")) as { tasks: Record<string, string> };

const documented = ["README.md", "docs/hacking.md", "examples/canary/README.md"].flatMap((path) =>
  extractCommands(readFile(path)).map((command) => ({ path, ...command }))
);

Deno.test("documents: every command is real", () => {
  assert.ok(documented.length > 8, "No commands were found");
  for (const { path, words, text } of documented) {
    const task = /^(?:npx -y deno@2|deno) task (\S+)/.exec(text)?.[1];
    if (task !== undefined) assert.ok(Object.hasOwn(tasks, task), `${path}: no task "${task}"`);
    if (words[0] === "weft" || words[0] === "dist/weft") {
      assert.ok(
        words[1] === "help" || Object.hasOwn(COMMANDS, words[1]),
        `${path}: no command in "${text}"`,
      );
    }
    for (const word of words.filter((word) => /^[a-z]+\/[\w./-]*$/.test(word))) {
      const isThere = exists(new URL(word, ROOT)) || word.startsWith("dist/");
      assert.ok(isThere, `${path}: "${word}" does not exist`);
    }
  }
});

Deno.test("docs/hacking.md shows every task", () => {
  const text = readFile("docs/hacking.md");
  const missing = Object.keys(tasks).filter((task) => !text.includes(`deno task ${task}`));
  assert.deepEqual(missing, []);
});

// These read files and answer; the others run a mesh, a build or all the tests.
const fast = documented.filter(({ words, path }) =>
  path === "README.md" && words[0] === "weft" &&
  ["dry-run", "explain", "version"].includes(words[1])
);

for (const { words, text } of fast) {
  Deno.test(`README: \`${text}\` works with read permission alone`, async () => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-prompt", "--allow-read", "main.ts", ...words.slice(1)],
      cwd: ROOT,
    }).output();
    const decoder = new TextDecoder();
    assert.equal(code, 0, decoder.decode(stderr));
    assert.ok(stdout.length > 0);
  });
}

Deno.test("README names every command that a user starts with", () => {
  const text = readFile("README.md");
  for (const command of Object.keys(COMMANDS).filter((name) => name !== "version")) {
    assert.ok(text.includes(`weft ${command}`), command);
  }
});
