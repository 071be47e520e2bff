/**
 * What the imports of all files together keep to: no circles, no exports that no other file uses, no name for two
 * things, and the order of rooms. Each rule is shown files that break it before it is shown the working tree.
 */
import assert from "node:assert/strict";
import { findCircles, findSharedNames, findUnusedExports } from "../tools/import_graph.ts";
import { importProblem, resolveImport, ROOMS } from "../tools/layers.ts";
import { readModule } from "../tools/modules.ts";
import { listFiles, readFile } from "../tools/repository.ts";

type Files = Readonly<Record<string, string>>;

function modulesOf(files: Files) {
  return Object.entries(files).map(([path, source]) => readModule(path, source));
}

const CIRCULAR: readonly (readonly [how: string, files: Files, circles: string[][]])[] = [
  ["two files", {
    "a.ts": `import { b } from "./b.ts";`,
    "b.ts": `import { a } from "./a.ts";`,
  }, [["a.ts", "b.ts"]]],
  ["types alone", {
    "a.ts": `import type { B } from "./b.ts";`,
    "b.ts": `import type { A } from "./a.ts";`,
  }, [["a.ts", "b.ts"]]],
  ["a type in place", {
    "a.ts": `export type A = import("./b.ts").B;`,
    "b.ts": `import type { A } from "./a.ts";`,
  }, [["a.ts", "b.ts"]]],
  ["a long way round, through folders", {
    "x/a.ts": `import "../y/b.ts";`,
    "y/b.ts": `export { c } from "./z/c.ts";`,
    "y/z/c.ts": `export * from "../../x/a.ts";`,
  }, [["x/a.ts", "y/b.ts", "y/z/c.ts"]]],
  ["a lazy import", {
    "a.ts": `const { b } = await import("./b.ts");`,
    "b.ts": `import { a } from "./a.ts";`,
  }, [["a.ts", "b.ts"]]],
  ["a worker", {
    "a.ts": `new Worker(new URL("./b.ts", import.meta.url));`,
    "b.ts": `import { a } from "./a.ts";`,
  }, [["a.ts", "b.ts"]]],
  ["itself", { "a.ts": `import { a } from "./a.ts";` }, [["a.ts"]]],
  ["two circles", {
    "a.ts": `import { b } from "./b.ts"; import { c } from "./c.ts";`,
    "b.ts": `import { a } from "./a.ts";`,
    "c.ts": `import { d } from "./d.ts";`,
    "d.ts": `import { c } from "./c.ts";`,
  }, [["a.ts", "b.ts"], ["c.ts", "d.ts"]]],
  ["none: two ways to one file", {
    "a.ts": `import { b } from "./b.ts"; import { c } from "./c.ts";`,
    "b.ts": `import { c } from "./c.ts";`,
    "c.ts": `import { d } from "node:d";`,
  }, []],
];

for (const [how, files, circles] of CIRCULAR) {
  Deno.test(`findCircles: ${how}`, () => {
    assert.deepEqual(findCircles(modulesOf(files)), circles);
  });
}

const EXPORTING: readonly (readonly [what: string, files: Files, unused: string[]])[] = [
  ["each kind of declaration", {
    "a.ts": `
      export const a = 1, b = 2;
      export const { c, d: e } = f();
      export function g() {}
      export class H {}
      export interface I {}
      export type J = I;
      export enum K { L }
      const m = 1;
      export { m as n };
    `,
    "b.ts": `import "./a.ts";`,
  }, ["H", "I", "J", "K", "a", "b", "c", "e", "g", "n"].map((name) => `a.ts ${name}`)],
  ["its own unit test alone uses it", {
    "a.ts": `export const a = 1;`,
    "a_test.ts": `import { a } from "./a.ts";`,
  }, ["a.ts a"]],
  ["passed on, then used by no file", {
    "a.ts": `export const a = 1;`,
    "b.ts": `export { a as b } from "./a.ts";`,
  }, ["b.ts b"]],
  ["a lazy import takes some names", {
    "a.ts": `export const a = 1; export const b = 2;`,
    "b.ts": `const { a } = await import("./a.ts");`,
  }, ["a.ts b"]],
  ["an import of everything uses its members", {
    "a.ts": `export const a = 1; export interface B {} export const c = 2;`,
    "b.ts": `import * as all from "./a.ts"; export const x: all.B = all.a;`,
    "c.ts": `import { x } from "./b.ts";`,
  }, ["a.ts c"]],
  ["none: a lazy import hands the module on", {
    "a.ts": `export const a = 1;`,
    "b.ts": `const all = { a: () => import("./a.ts") };`,
  }, []],
  ["none: a tool of tests that its own test uses", {
    "tests/a.ts": `export const a = 1;`,
    "tests/a_test.ts": `import { a } from "./a.ts";`,
  }, []],
  ["none: another name, a type, another's unit test", {
    "a.ts": `export const a = 1; export interface B {} export const c = 2;`,
    "b.ts": `import { a as x } from "./a.ts"; import { type B } from "./a.ts";`,
    "c_test.ts": `import { c } from "./a.ts";`,
  }, []],
];

for (const [what, files, unused] of EXPORTING) {
  Deno.test(`findUnusedExports: ${what}`, () => {
    assert.deepEqual(findUnusedExports(modulesOf(files)), unused);
  });
}

const SHARING: readonly (readonly [what: string, files: Files, shared: string[]])[] = [
  ["two kinds of declaration", {
    "a.ts": `export const x = 1; export class Y {}`,
    "b/a.ts": `export function x() {}`,
    "c_test.ts": `export interface Y {}`,
  }, ["Y: a.ts c_test.ts", "x: a.ts b/a.ts"]],
  ["passed on", {
    "a.ts": `export const x = 1;`,
    "b.ts": `export { x } from "./a.ts";`,
  }, ["x: a.ts b.ts"]],
  ["none: renamed, not exported, alike because they are taken whole", {
    "a.ts": `const x = 1; export { x as z };`,
    "b.ts": `export const x = 1;`,
    "c.ts": `export const register = 1;`,
    "d.ts": `export const register = 1;`,
    "e.ts": `const all = [() => import("./c.ts"), () => import("./d.ts")];`,
  }, []],
];

for (const [what, files, shared] of SHARING) {
  Deno.test(`findSharedNames: ${what}`, () => {
    assert.deepEqual(findSharedNames(modulesOf(files)), shared);
  });
}

const ROOM_PROBLEMS: readonly (readonly [path: string, specifier: string, isAllowed: boolean])[] = [
  ["proxy/run/engine.ts", "../accept/acceptor.ts", true],
  ["proxy/accept/acceptor.ts", "../run/engine.ts", false],
  ["proxy/http1/upstream.ts", "../http2/stream.ts", false],
  ["proxy/http2/stream.ts", "../http1/upstream.ts", false],
  ["proxy/relay/upstream.ts", "../http1/upstream.ts", false],
  ["proxy/http1/upstream.ts", "../exchange/sides.ts", true],
  ["proxy/exchange/exchange.ts", "../http1/upstream.ts", false],
  ["proxy/route/router.ts", "../pool/pool.ts", true],
  ["proxy/pool/pool.ts", "../policy/policy_run.ts", false],
  ["proxy/protocol/mod.ts", "../io/io.ts", false],
  ["proxy/balance/ring.ts", "../config.ts", true],
  ["proxy/io/io.ts", "../config.ts", false],
  ["proxy/config.ts", "./balance/ring.ts", false],
  ["proxy/limits.ts", "./config.ts", false],
  ["proxy/exchange/exchange_test.ts", "../run/engine.ts", true],
];

for (const [path, specifier, isAllowed] of ROOM_PROBLEMS) {
  Deno.test(`rooms: ${path} ${isAllowed ? "may" : "may not"} import ${specifier}`, () => {
    for (const kind of ["value", "type", "lazy"] as const) {
      assert.equal(importProblem(path, specifier, kind) === null, isAllowed);
    }
  });
}

const modules = listFiles()
  .filter((path) => /\.tsx?$/.test(path))
  .map((path) => readModule(path, readFile(path)));

Deno.test("imports: no file stands in a circle", () => {
  assert.ok(modules.length > 10, "The walk found no sources");
  assert.deepEqual(findCircles(modules), []);
});

Deno.test("imports: every export is used by another file", () => {
  assert.deepEqual(findUnusedExports(modules), []);
});

Deno.test("imports: every exported name is exported once", () => {
  assert.deepEqual(findSharedNames(modules), []);
});

Deno.test("imports: rooms import those below them", () => {
  const against = modules.flatMap(({ path, imports }) =>
    imports
      .filter(({ specifier, kind }) => importProblem(path, specifier, kind) !== null)
      .map(({ specifier }) => `${path} -> ${resolveImport(path, specifier) ?? specifier}`)
  );
  assert.deepEqual(against, []);
});

/** The bounds of a file that no code of the product uses, beyond importing them, and those without a reason. */
function idleBounds(path: string, files: ReadonlyMap<string, string>): string[] {
  const source = files.get(path) ?? "";
  const names = [...source.matchAll(/(?<=^(.*)\n)export const (\w+)/gm)];
  return names
    .filter(([, above, name]) => !above.endsWith("*/") || !isUsed(name, files))
    .map(([, , name]) => name);
}

function isUsed(name: string, files: ReadonlyMap<string, string>): boolean {
  const use = new RegExp(`\\b${name}\\b`, "g");
  for (const [path, source] of files) {
    const isTest = path.startsWith("tests/") || /_(test|bench)\.ts$/.test(path);
    if (!isTest && (source.match(use)?.length ?? 0) > 1) return true;
  }
  return false;
}

Deno.test("idleBounds: one that is only imported, only tested, or has no reason is told", () => {
  const files = new Map([
    [
      "limits.ts",
      "/** Why. */\nexport const A = 1;\n/** Why. */\nexport const B = 2;\nexport const C = 3;\n",
    ],
    ["a.ts", `import { A, B, C } from "./limits.ts";\nuse(A, C);\n`],
    ["a_test.ts", `import { B } from "./limits.ts";\nuse(B);\n`],
  ]);
  assert.deepEqual(idleBounds("limits.ts", files), ["B", "C"]);
});

Deno.test("limits: every bound has its reason beside it, and is kept somewhere", () => {
  const sources = listFiles().filter((path) => /\.tsx?$/.test(path));
  const files = new Map(sources.map((path) => [path, readFile(path)]));
  const limits = sources.filter((path) => path.endsWith("/limits.ts"));
  assert.ok(limits.length > 2, "The walk found no limits");
  for (const path of limits) assert.deepEqual(idleBounds(path, files), [], path);
});

Deno.test("docs: architecture.md has the rooms of proxy/ in their order", () => {
  const [, list] = readFile("docs/architecture.md").split("The rooms of `proxy/`, from the top");
  const lines = [...list.split("`tools/layers.ts`")[0].matchAll(/^ {4}(.+?)( {3,}|$)/gm)];
  const rooms = lines.map(([, names]) => names.split("  "));
  assert.deepEqual(rooms.map((line) => line.join(" ").split(" ")), ROOMS);
});
