/**
 * Numbers: small numbers for the routes and backends of a table, so that what is kept of each can stand in a list. What stays
 * from table to table keeps its number. One that is free again is given out before a new one, so that lists stay short.
 */
export class Numbers {
  readonly #free: number[];
  #size: number;

  /** @param before of the table before, which stays as it is */
  constructor(before: Numbers | null) {
    this.#free = before === null ? [] : before.#free.slice();
    this.#size = before === null ? 0 : before.#size;
  }

  /** Above every number that is given out. */
  get size(): number {
    return this.#size;
  }

  take(): number {
    return this.#free.pop() ?? this.#size++;
  }

  giveBack(number: number): void {
    this.#free.push(number);
  }
}
