/**
 * The orders that make a plan the same whatever order its input came in: of resources by age, and of the rules of
 * one root (smi-facts 3.7). Nothing else in compile decides who comes first.
 */
import { compareText } from "../../base/order.ts";
import type { Meta } from "../../schemas/resources.ts";
import type { Rank } from "../match/condition.ts";

export function compareNumbers(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Oldest first. A resource without a creation time (a file) is younger than any that has one; then by name. */
export function compareAge(a: Meta, b: Meta): number {
  return compareCreation(a, b) || compareText(a.name, b.name) ||
    compareText(a.namespace, b.namespace);
}

/** The same by creation alone. */
export function compareCreation(a: Meta, b: Meta): number {
  return compareNumbers(createdAtMs(a), createdAtMs(b));
}

function createdAtMs(meta: Meta): number {
  const time = meta.createdAt === undefined ? NaN : Date.parse(meta.createdAt);
  return Number.isNaN(time) ? Infinity : time;
}

/** Element by element; negative where `a` comes first. */
export function compareRanks(a: Rank, b: Rank): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
  return 0;
}
