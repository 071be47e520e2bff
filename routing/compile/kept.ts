/** Keeping what is derived by a key up to date: for as long as its resource is there, or as long as something names it. */
import type { ResourceChange } from "./indexes.ts";
import type { Derived } from "./incremental.ts";

type Kept = Pick<Derived<unknown>, "keep" | "release">;

export function keepAll(change: ResourceChange<unknown>, key: string, kept: readonly Kept[]): void {
  for (const each of kept) {
    if (change.after !== null) each.keep(key);
    else each.release(key);
  }
}

/** Keeps what is derived by a key for as long as something names that. */
export class Counter {
  readonly #counts = new Map<string, number>();

  move(before: string | undefined, after: string | undefined, kept: readonly Kept[]): void {
    if (before === after) return;
    if (after !== undefined) {
      const count = this.#counts.get(after) ?? 0;
      this.#counts.set(after, count + 1);
      if (count === 0) { for (const each of kept) each.keep(after); }
    }
    if (before === undefined) return;
    const count = this.#counts.get(before) ?? 0;
    if (count > 1) this.#counts.set(before, count - 1);
    else {
      this.#counts.delete(before);
      for (const each of kept) each.release(before);
    }
  }
}
