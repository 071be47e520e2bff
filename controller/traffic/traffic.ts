/** TrafficCounts: what was answered, and how fast, as one or more sidecars have counted it. Plain numbers, to be added and subtracted. Pure. */

export class TrafficCounts {
  success = 0;
  /** Answers from 500 on, and none. */
  failure = 0;
  /** How many took no longer than each bound, in milliseconds; as Prometheus has them, so the last bound is Infinity. */
  readonly buckets = new Map<number, number>();

  get count(): number {
    return this.success + this.failure;
  }

  /** Adds `times` so many times; -1 takes it away. */
  add(other: TrafficCounts, times = 1): void {
    this.success += times * other.success;
    this.failure += times * other.failure;
    for (const [bound, count] of other.buckets) {
      this.buckets.set(bound, (this.buckets.get(bound) ?? 0) + times * count);
    }
  }

  /** What has come since `before`; a sidecar that has counted less has begun anew. */
  since(before: TrafficCounts | undefined): TrafficCounts {
    const since = new TrafficCounts();
    since.add(this);
    if (before !== undefined && before.count <= this.count) since.add(before, -1);
    return since;
  }

  /** Of 1; null: there was nothing. */
  get successRate(): number | null {
    return this.count === 0 ? null : this.success / this.count;
  }

  /** Milliseconds, within its bucket in proportion, as Prometheus has it; null: there was nothing. */
  quantile(share: number): number | null {
    const bounds = [...this.buckets].toSorted(([a], [b]) => a - b);
    const total = bounds.at(-1)?.[1] ?? 0;
    if (total <= 0) return null;
    const wanted = share * total;
    let [low, below] = [0, 0];
    for (const [bound, count] of bounds) {
      if (count >= wanted && count > below) {
        return bound === Infinity ? low : low + (bound - low) * (wanted - below) / (count - below);
      }
      if (bound !== Infinity) low = bound;
      below = count;
    }
    return low;
  }
}

/** The entry of a map, made where there is none. */
export function trafficIn(map: Map<string, TrafficCounts>, key: string): TrafficCounts {
  const known = map.get(key);
  if (known !== undefined) return known;
  const traffic = new TrafficCounts();
  map.set(key, traffic);
  return traffic;
}
