/**
 * The orders that make a plan the same whatever order its input came in: of texts, of resources by age, and of
 * the rules of one root (smi-facts 3.7). Nothing else in compile decides who comes first.
 */
import type { Meta } from "../../schemas/resources.ts";
import { compareSpecificity, type Specificity } from "../match/pattern.ts";

/** By UTF-16 code units: the same everywhere, unlike a locale's order. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function compareNumbers(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Oldest first. A resource without a creation time (a file) is younger than any that has one; then by name. */
export function compareAge(a: Meta, b: Meta): number {
  return compareNumbers(createdAtMs(a), createdAtMs(b)) || compareText(a.name, b.name) ||
    compareText(a.namespace, b.namespace);
}

function createdAtMs(meta: Meta): number {
  const time = meta.createdAt === undefined ? NaN : Date.parse(meta.createdAt);
  return Number.isNaN(time) ? Infinity : time;
}

/** What the place of a rule among the rules of its root depends on. */
export interface RuleRank {
  /** The path takes every request: such rules come last, whatever else they ask for. */
  readonly isCatchAll: boolean;
  readonly headerCount: number;
  /** Of the path; null where it is a catch-all, so that `.*` and an omitted path rank alike. */
  readonly specificity: Specificity | null;
  /** The pattern; empty where it is a catch-all. */
  readonly path: string;
  /** Infinity: any method. */
  readonly methodCount: number;
  /** Place of the split among the splits of its root, oldest first. */
  readonly splitIndex: number;
  /** Place of the group in the split, and of the match in the group, as written. */
  readonly groupIndex: number;
  readonly matchIndex: number;
}

/** Match order: negative where `a` is tried before `b`. A total order, as no two rules share the last three. */
export function compareRules(a: RuleRank, b: RuleRank): number {
  return compareNumbers(Number(a.isCatchAll), Number(b.isCatchAll)) ||
    compareNumbers(b.headerCount, a.headerCount) ||
    (a.specificity !== null && b.specificity !== null
      ? compareSpecificity(a.specificity, b.specificity)
      : 0) ||
    compareText(a.path, b.path) ||
    compareNumbers(a.methodCount, b.methodCount) ||
    compareNumbers(a.splitIndex, b.splitIndex) ||
    compareNumbers(a.groupIndex, b.groupIndex) ||
    compareNumbers(a.matchIndex, b.matchIndex);
}
