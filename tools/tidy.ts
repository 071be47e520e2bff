/**
 * What every committed text keeps to, beyond what a linter of code sees. Pure: text in, violations out;
 * tests/repository_test.ts feeds it the working tree.
 */
import { isTestFile } from "./layers.ts";

interface Violation {
  readonly path: string;
  /** From 1; 0 if the whole file is meant. */
  readonly line: number;
  readonly message: string;
}

const TYPESCRIPT_LINES_MAX = 600;

/** Escaped dots keep the names themselves out of this file. */
const REGISTRY_HOST = new RegExp(
  [
    String.raw`npmjs\.(org|com)`,
    String.raw`jsr\.io`,
    String.raw`\bdeno\.land`,
    String.raw`\bcrates\.io`,
    String.raw`\bpypi\.org`,
    String.raw`proxy\.golang\.org`,
    String.raw`\bdocker\.io`,
    String.raw`\b(gcr|ghcr|quay)\.io`,
    String.raw`deb\.debian\.org`,
    String.raw`yarnpkg\.com`,
  ].join("|"),
);

/** Paths that exist on the machine of one person or one runner. */
const MACHINE_PATH = /(?<![\w.])(\/root\/\.|\/work\/(main|shared)\b|\/home\/[a-z]+\/|\/Users\/\w)/;
/** Where every byte is part of what a test says. */
const TEST_DATA = /^tests\/(golden|protocol)\//;
/** Words that name no one thing: say who is meant, or that there is none. */
const VAGUE = /\b(who(?:)ever|no(?:)body|some(?:)body|any(?:)body|every(?:)body)\b/i;
const REMINDER = /\b(TO(?:)DO|FIX(?:)ME|XX(?:)X)\b/;

/** Checks one file. `path` is from the top of the repository. */
export function checkText(path: string, text: string): Violation[] {
  const violations: Violation[] = [];
  const report = (line: number, message: string) => violations.push({ path, line, message });
  const lines = text.split("\n");
  const isData = TEST_DATA.test(path);

  lines.forEach((line, index) => {
    if (REGISTRY_HOST.test(line)) report(index + 1, "A registry's host name");
    if (MACHINE_PATH.test(line)) report(index + 1, "A path of one machine");
    if (VAGUE.test(line)) report(index + 1, "A vague word: say who or what is meant");
    if (REMINDER.test(line)) report(index + 1, "A reminder: do it, or file an issue");
    if (/[ \t]$/.test(line) && !isData) report(index + 1, "Space at the end of a line");
  });
  if (text !== "" && !text.endsWith("\n") && !isData) report(lines.length, "No newline at the end");

  const name = path.slice(path.lastIndexOf("/") + 1);
  if (/\.tsx?$/.test(name)) {
    if (!/^[a-z0-9_]+(\.d)?\.tsx?$/.test(name)) report(0, "File names are snake_case");
    const isProduct = !isTestFile(path) && !path.startsWith("tests/");
    if (isProduct && lines.length > TYPESCRIPT_LINES_MAX) {
      report(0, `More than ${TYPESCRIPT_LINES_MAX} lines: split it by reason to change`);
    }
    if (!isTestFile(path) && !/^(#!.*\n)?\/[*/]/.test(text)) {
      report(1, "A file opens with what it owns");
    }
    if (/deno-lint-ignore(-file)?\s+weft\//.test(text)) {
      report(0, "Our own rules are not switched off");
    }
  }
  return violations;
}

/** Versions in deno.json are exact, so that the same commit is the same program. */
export function checkVersions(denoJson: string): Violation[] {
  const { imports } = JSON.parse(denoJson) as { imports: Record<string, string> };
  return Object.entries(imports)
    .filter(([name, target]) =>
      !target.startsWith(`npm:${name}@`) ||
      !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(target.slice(`npm:${name}@`.length))
    )
    .map(([name, target]) => ({
      path: "deno.json",
      line: 0,
      message: `"${name}" is "${target}": want "npm:${name}@MAJOR.MINOR.PATCH"`,
    }));
}

/** The lock file names packages and their hashes, never where one machine got them. */
export function checkLock(denoLock: string): Violation[] {
  return denoLock.split("\n").flatMap((line, index) =>
    /https?:|"tarball"|"redirects"|"remote"/.test(line)
      ? [{ path: "deno.lock", line: index + 1, message: `An address: ${line.trim()}` }]
      : []
  );
}
