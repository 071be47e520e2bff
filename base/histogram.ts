/** DurationHistogram: how long things took, in buckets. It knows no names and no text. */

/**
 * Upper bounds in milliseconds; the last bucket has none. From what a request on one node takes to what one may take by default
 * (`responseMs`): a quantile beyond the last bound would read as that bound.
 */
export const DURATION_BUCKETS_MS = [
  ...[0.5, 1, 2, 5, 10, 25, 50, 100, 250, 500],
  ...[1_000, 2_500, 5_000, 10_000, 30_000, 60_000],
];

export class DurationHistogram {
  /** By bucket; not cumulative. */
  readonly counts = new Float64Array(DURATION_BUCKETS_MS.length + 1);
  sumMs = 0;

  observe(durationMs: number): void {
    let bucket = 0;
    while (bucket < DURATION_BUCKETS_MS.length && durationMs > DURATION_BUCKETS_MS[bucket]) {
      bucket++;
    }
    this.counts[bucket]++;
    this.sumMs += durationMs;
  }
}
