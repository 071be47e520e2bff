/**
 * VersionedMap: a map that goes from version to version at the cost of what is different, while earlier versions stay as they were. One
 * version has the values; each other one knows what it has otherwise than its neighbour on the way there (H. G. Baker, "Shallow binding
 * makes functional arrays fast", 1991). The version that has the values holds no other one in memory.
 */
export class VersionedMap<Value> {
  /** Null: the values are in another version. */
  #values: Map<string, Value> | null;
  /** On the way to the values; null: they are here. */
  #neighbour: VersionedMap<Value> | null = null;
  /** What is here where the neighbour has something else; undefined: nothing. */
  #otherwise: ReadonlyMap<string, Value | undefined> = new Map();

  private constructor(values: Map<string, Value> | null) {
    this.#values = values;
  }

  static empty<Value>(): VersionedMap<Value> {
    return new VersionedMap<Value>(new Map());
  }

  [Symbol.iterator](): IterableIterator<[string, Value]> {
    return this.#own().entries();
  }

  keys(): IterableIterator<string> {
    return this.#own().keys();
  }

  values(): IterableIterator<Value> {
    return this.#own().values();
  }

  get(key: string): Value | undefined {
    if (this.#neighbour === null) return this.#values?.get(key);
    return this.#otherwise.has(key) ? this.#otherwise.get(key) : this.#neighbour.get(key);
  }

  /**
   * The next version, which has the values from now on.
   * @param changes undefined: there is nothing any more. A value may be the same as before
   */
  with(changes: ReadonlyMap<string, Value | undefined>): VersionedMap<Value> {
    this.#own();
    const next = new VersionedMap<Value>(null);
    next.#neighbour = this;
    next.#otherwise = changes;
    next.#takeFrom(this);
    return next;
  }

  /** What may be different from a version that this one was made of, or that was made of this one; null: `before` is another one. */
  changedSince(before: VersionedMap<Value>): ReadonlyMap<string, unknown> | null {
    if (before.#neighbour === this) return before.#otherwise;
    return this.#neighbour === before ? this.#otherwise : null;
  }

  /** Brings the values here, step by step along the way. */
  #own(): Map<string, Value> {
    const way = [...this.#way()].reverse();
    let [from] = way;
    for (const to of way.slice(1)) {
      to.#takeFrom(from);
      from = to;
    }
    return this.#values ?? new Map();
  }

  /** From here to the version that has the values. */
  *#way(): Iterable<VersionedMap<Value>> {
    yield this;
    if (this.#neighbour !== null) yield* this.#neighbour.#way();
  }

  #takeFrom(other: VersionedMap<Value>): void {
    const values = other.#values ?? new Map<string, Value>();
    const theirs = new Map<string, Value | undefined>();
    for (const [key, value] of this.#otherwise) {
      theirs.set(key, values.get(key));
      if (value === undefined) values.delete(key);
      else values.set(key, value);
    }
    other.#values = null;
    other.#neighbour = this;
    other.#otherwise = theirs;
    this.#values = values;
    this.#neighbour = null;
    this.#otherwise = new Map();
  }
}
