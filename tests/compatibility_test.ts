/** docs/compatibility.md names the versions that are built for the tests, and tests that there are, which name what it says. */
import assert from "node:assert/strict";
import { readFile } from "../tools/repository.ts";

interface Row {
  readonly program: string;
  readonly version: string;
  readonly how: string;
  readonly test: string;
}

/** Where the version of each program is pinned. */
const PINNED: Readonly<Record<string, readonly [file: string, pattern: RegExp]>> = {
  Kubernetes: ["tests/cluster/get", /^version=(\S+)$/m],
  kubectl: ["tests/cluster/get", /^version=(\S+)$/m],
  Helm: ["tests/cluster/helm/go.mod", /helm\.sh\/helm\/v3 v(\S+)/],
  Prometheus: ["tests/cluster/prometheus/go.mod", /prometheus\/prometheus v(\S+)/],
  Flagger: ["tests/cluster/flagger/go.mod", /fluxcd\/flagger v(\S+)/],
  "Argo Rollouts": ["tests/cluster/argo/go.mod", /argoproj\/argo-rollouts v(\S+)/],
};

function rowsOf(text: string): Row[] {
  const lines = text.split("\n").filter((line) => line.startsWith("| ")).slice(2);
  return lines.map((line) => {
    const [, program, version, how, , by] = line.split("|").map((cell) => cell.trim());
    return { program, version, how, test: by.split(",")[0].replaceAll("`", "") };
  });
}

/** A test's text, and that of what it imports from its own folder. */
function withImports(path: string): string {
  const text = readFile(path);
  const beside = [...text.matchAll(/from "\.\/([^"]+)"/g)].map(([, name]) => name);
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  return [text, ...beside.map((name) => readFile(folder + name))].join("\n");
}

Deno.test("compatibility: versions are those that are built, and each row names a test that has its word", () => {
  const rows = rowsOf(readFile("docs/compatibility.md"));
  assert.ok(rows.length >= 10);
  for (const { program, version, how, test } of rows) {
    // A row about several has the versions that their own rows have.
    if (version !== "") {
      const [file, pattern] = PINNED[program];
      assert.equal(pattern.exec(readFile(file))?.[1], version, program);
    }
    const source = withImports(`tests/cluster/${test}`);
    const [, provider] = /provider `([^`]+)`/.exec(how) ?? [];
    const [, split] = /^(v1alpha\d)/.exec(how) ?? [];
    for (const word of [provider, split]) {
      if (word !== undefined) assert.ok(source.includes(`"${word}"`), `${test}: ${word}`);
    }
  }
});
