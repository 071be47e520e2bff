/**
 * What follows from all imports of the repository together: circles of files, exports that no other file uses, and names that are
 * exported twice.
 * Pure: modules in, findings out; tests/import_graph_test.ts feeds it the working tree.
 */
import { resolveImport } from "./layers.ts";
import type { Module } from "./modules.ts";

/** Files that import each other, on whatever way and be it for a type; each circle sorted. */
export function findCircles(modules: readonly Module[]): string[][] {
  const targets = new Map(modules.map((module) => [module.path, targetsOf(module)]));
  const circles: string[][] = [];
  // Tarjan's strongly connected components.
  const order = new Map<string, number>();
  const open: string[] = [];
  function visit(path: string): number {
    const mine = order.size;
    order.set(path, mine);
    open.push(path);
    let low = mine;
    for (const target of targets.get(path) ?? []) {
      if (!order.has(target)) low = Math.min(low, visit(target));
      else if (open.includes(target)) low = Math.min(low, order.get(target) ?? low);
    }
    if (low === mine) {
      const circle = open.splice(open.indexOf(path));
      const isCircle = circle.length > 1 || targets.get(path)?.has(path) === true;
      if (isCircle) circles.push(circle.sort());
    }
    return low;
  }
  for (const { path } of modules) if (!order.has(path)) visit(path);
  return circles.sort();
}

/**
 * Exports that no other file uses, as `path name`. The file's own unit test does not count: what only it needs is tested
 * through what others use. Under tests/ it counts, because all that is there was made for tests.
 */
export function findUnusedExports(modules: readonly Module[]): string[] {
  const used = new Set<string>();
  for (const module of modules) {
    for (const { specifier, names } of module.imports) {
      const target = resolveImport(module.path, specifier);
      if (target === null || isUnitTestOf(module.path, target)) continue;
      for (const name of names) used.add(`${target} ${name}`);
    }
  }
  return modules
    .filter(({ path }) => !used.has(`${path} *`))
    .flatMap(({ path, exports }) => exports.map((name) => `${path} ${name}`))
    .filter((name) => !used.has(name))
    .sort();
}

/**
 * Names that several files export, as `name: path path`: one name is to mean one thing. Modules that are taken whole by a lazy import are
 * known by their file, and all export the same.
 */
export function findSharedNames(modules: readonly Module[]): string[] {
  const whole = new Set(modules.flatMap(({ path, imports }) =>
    imports
      .filter(({ kind, names }) => kind === "lazy" && names.includes("*"))
      .map(({ specifier }) => resolveImport(path, specifier))
  ));
  const places = new Map<string, string[]>();
  for (const { path, exports } of modules) {
    if (whole.has(path)) continue;
    for (const name of exports) places.set(name, [...places.get(name) ?? [], path]);
  }
  return [...places]
    .filter(([, paths]) => paths.length > 1)
    .map(([name, paths]) => `${name}: ${paths.sort().join(" ")}`)
    .sort();
}

function isUnitTestOf(path: string, target: string): boolean {
  return path === target.replace(/\.ts$/, "_test.ts") && !target.startsWith("tests/");
}

function targetsOf({ path, imports }: Module): Set<string> {
  const targets = imports.map(({ specifier }) => resolveImport(path, specifier));
  return new Set(targets.filter((target) => target !== null));
}
