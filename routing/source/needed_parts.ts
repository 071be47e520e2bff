/**
 * NeededParts: which parts some answers need, counted by what needs them, so that a change costs what it touches. A source and a proxy
 * each keep one and come to the same: what is not needed any more both forget, without a word about it.
 */
import { neededBy, type Part, type PartKey, type PlanHeader } from "../parts.ts";

export class NeededParts {
  readonly #partAt: (key: PartKey) => Part | undefined;
  readonly #header: PlanHeader;
  /** How many answers and parts need each. */
  readonly #counts = new Map<PartKey, number>();
  /** The part whose needs are counted. */
  readonly #counted = new Map<PartKey, Part>();
  #came = new Set<PartKey>();
  #went: Set<PartKey>;

  /**
   * @param partAt of the mesh, or of what is held
   * @param before what was needed under another header: it is not any more, unless it is needed anew
   */
  constructor(
    header: PlanHeader,
    partAt: (key: PartKey) => Part | undefined,
    before: Iterable<PartKey> = [],
  ) {
    this.#header = header;
    this.#partAt = partAt;
    this.#went = new Set(before);
  }

  get keys(): Iterable<PartKey> {
    return this.#counts.keys();
  }

  has(key: PartKey): boolean {
    return this.#counts.has(key);
  }

  /** An answer begins with these, or does not any more. */
  move(before: Iterable<PartKey>, after: Iterable<PartKey>): void {
    // First what is added: what both have is not given up in between.
    for (const key of after) this.#add(key);
    for (const key of before) this.#remove(key);
  }

  /** A part that is needed is another now, or not there any more. */
  changed(key: PartKey): void {
    if (!this.#counts.has(key)) return;
    const before = this.#counted.get(key);
    const after = this.#partAt(key);
    if (before === after) return;
    this.#count(key, after);
    this.move(this.#needs(before), this.#needs(after));
  }

  /** What is needed since the last call, and what is not any more. */
  take(): { readonly came: ReadonlySet<PartKey>; readonly went: ReadonlySet<PartKey> } {
    const taken = { came: this.#came, went: this.#went };
    this.#came = new Set();
    this.#went = new Set();
    return taken;
  }

  #add(key: PartKey): void {
    const count = this.#counts.get(key) ?? 0;
    this.#counts.set(key, count + 1);
    if (count > 0) return;
    if (!this.#went.delete(key)) this.#came.add(key);
    const part = this.#partAt(key);
    this.#count(key, part);
    for (const needed of this.#needs(part)) this.#add(needed);
  }

  #remove(key: PartKey): void {
    const count = this.#counts.get(key) ?? 0;
    if (count > 1) return void this.#counts.set(key, count - 1);
    this.#counts.delete(key);
    if (!this.#came.delete(key)) this.#went.add(key);
    const part = this.#counted.get(key);
    this.#counted.delete(key);
    for (const needed of this.#needs(part)) this.#remove(needed);
  }

  #count(key: PartKey, part: Part | undefined): void {
    if (part === undefined) this.#counted.delete(key);
    else this.#counted.set(key, part);
  }

  #needs(part: Part | undefined): Iterable<PartKey> {
    return part === undefined ? [] : neededBy(part, this.#header);
  }
}
