/** Ways in which bytes may arrive: whole, one by one, and cut at random. */
import type { Random } from "../../base/random.ts";

export interface Cuts {
  readonly name: string;
  /** How much has arrived, time after time; the last is everything. */
  readonly ends: readonly number[];
}

/** Longer inputs arrive byte by byte at both ends only: a head is looked at again with every byte. */
const BYTEWISE_MAX = 2_048;
const EDGE = 96;

/** Whole, byte by byte, and `randomCount` random ways. */
export function cutsOf(length: number, random: Random, randomCount = 4): Cuts[] {
  const all = Array.from({ length }, (_, i) => i + 1);
  const bytewise = length <= BYTEWISE_MAX
    ? all
    : all.filter((end) => end <= EDGE || end > length - EDGE);
  const cuts: Cuts[] = [{ name: "whole", ends: [length] }, {
    name: "byte by byte",
    ends: bytewise,
  }];
  for (let i = 0; i < randomCount; i++) cuts.push(randomCuts(length, random));
  return cuts;
}

/** Cut at a few places, small steps more likely than large ones. */
export function randomCuts(length: number, random: Random): Cuts {
  const ends: number[] = [];
  for (let end = 0; end < length;) {
    end = Math.min(length, end + 1 + random.below(1 << (1 + random.below(8))));
    ends.push(end);
  }
  if (ends.length === 0) ends.push(0);
  return { name: `cut at ${ends.join(", ")}`, ends };
}
