/** Histogram: how many of some numbers lie in each of a row of buckets, and their sum. It knows no names and no text. */

export class Histogram {
  /** Upper bounds of the buckets; the last one has none. */
  readonly bounds: readonly number[];
  /** By bucket; not cumulative. */
  readonly counts: Float64Array;
  count = 0;
  sum = 0;

  /** @param bounds in ascending order */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]) bucket++;
    this.counts[bucket]++;
    this.count++;
    this.sum += value;
  }
}
