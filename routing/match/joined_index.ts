/** Several indexes of one list of matches as one: their slots are numbered one after the other. */
import type { PlanMatch } from "../plan.ts";
import type { RequestHead } from "../request.ts";
import type { SlotCondition, SlotIndex } from "./condition.ts";

/** Those that ask nothing cost nothing: what remains of one is that one itself. */
export function joinIndexes(parts: readonly SlotIndex[]): SlotIndex {
  const asking = parts.filter(({ slotCount }) => slotCount > 0);
  if (asking.length > 1) return new JoinedIndex(asking);
  return asking[0] ?? parts[0];
}

class JoinedIndex implements SlotIndex {
  readonly slotCount: number;
  readonly #parts: readonly SlotIndex[];
  /** By slot: whose it is, and the number of that part's first slot. */
  readonly #partOf: readonly SlotIndex[];
  readonly #firstOf: readonly number[];

  constructor(parts: readonly SlotIndex[]) {
    this.#parts = parts;
    this.#partOf = parts.flatMap((part) => Array.from({ length: part.slotCount }, () => part));
    this.#firstOf = this.#partOf.map((part) => this.#partOf.indexOf(part));
    this.slotCount = this.#partOf.length;
  }

  get generation(): number {
    return this.#parts.reduce((sum, { generation }) => sum + generation, 0);
  }

  conditionsOf(match: PlanMatch): SlotCondition[] {
    return this.#parts.flatMap((part) =>
      part.conditionsOf(match).map(({ slot, pattern }) => ({
        slot: this.#partOf.indexOf(part) + slot,
        pattern,
      }))
    );
  }

  locate(head: RequestHead): void {
    for (const part of this.#parts) part.locate(head);
  }

  scan(slot: number, head: RequestHead): number {
    return this.#partOf[slot].scan(slot - this.#firstOf[slot], head);
  }

  holds({ slot, pattern }: SlotCondition, answer: number): boolean {
    return this.#partOf[slot].holds({ slot: slot - this.#firstOf[slot], pattern }, answer);
  }
}
