import { deepStrictEqual as same, ok, strictEqual as equal } from "node:assert/strict";
import fc from "fast-check";
import { Random } from "../../base/random.ts";
import type { Coin } from "./dependent_rounding.ts";
import { canonicalPeriod, quotaPick, randomPeriod } from "./quota_order.ts";

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function coinOf(seed: number): Coin {
  const random = new Random(seed, "coin");
  return (favourable, total) => random.below(total) < favourable;
}

/** Each backend has between floor(n*w/W) and ceil(n*w/W) after every n. */
function assertQuota(order: ArrayLike<number>, weights: readonly number[]): void {
  const weightTotal = sum(weights);
  const counts = weights.map(() => 0);
  for (let n = 1; n <= order.length; n++) {
    counts[order[n - 1]]++;
    weights.forEach((weight, i) => {
      const least = Math.floor(n * weight / weightTotal);
      const most = Math.ceil(n * weight / weightTotal);
      ok(least <= counts[i] && counts[i] <= most, `${weights}: ${counts[i]} of ${n} for ${weight}`);
    });
  }
}

const weightLists = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 2, maxLength: 12 });

Deno.test("the canonical order of a few splits", () => {
  same([...canonicalPeriod([1, 1, 1])], [0, 1, 2]);
  same([...canonicalPeriod([2, 1, 1])], [0, 1, 0, 2]);
  same([...canonicalPeriod([1, 2, 4])], [2, 1, 2, 2, 0, 1, 2]);
});

Deno.test("canonical orders keep the quota from the start", () => {
  fc.assert(fc.property(weightLists, (weights) => assertQuota(canonicalPeriod(weights), weights)));
});

Deno.test("canonical orders keep the quota with many light backends", () => {
  const weights = [50, ...new Array<number>(24).fill(1), 7, 13];
  assertQuota(canonicalPeriod(weights), weights);
});

Deno.test("picking online keeps the quota up to 10^12, and comes back to its start", () => {
  const large = fc.array(fc.integer({ min: 1, max: 1e12 }), { minLength: 3, maxLength: 8 });
  fc.assert(
    fc.property(large, (weights) => {
      const debts = new Float64Array(weights.length);
      const weightTotal = BigInt(sum(weights));
      const counts = weights.map(() => 0n);
      for (let n = 1n; n <= 300n; n++) {
        counts[quotaPick(weights, debts)]++;
        weights.forEach((weight, i) => {
          const exact = n * BigInt(weight);
          ok((counts[i] - 1n) * weightTotal < exact && exact < (counts[i] + 1n) * weightTotal);
        });
      }
    }),
    { numRuns: 50 },
  );
  const weights = [7, 3, 5];
  const debts = new Float64Array(3);
  for (let n = 0; n < 15; n++) quotaPick(weights, debts);
  same([...debts], [0, 0, 0]);
});

Deno.test("random orders keep the quota from the start, for every seed", () => {
  fc.assert(
    fc.property(weightLists, fc.nat(), (weights, seed) => {
      const order = randomPeriod(weights, coinOf(seed));
      equal(order.length, sum(weights));
      assertQuota(order, weights);
    }),
  );
});

/**
 * Every outcome of a random order with its exact chance, by replaying all sequences of coin throws.
 */
function outcomesOf(weights: readonly number[]): { order: Uint16Array; chance: Fraction }[] {
  const outcomes: { order: Uint16Array; chance: Fraction }[] = [];
  const pending: boolean[][] = [[]];
  for (let prefix = pending.pop(); prefix !== undefined; prefix = pending.pop()) {
    const thrown: boolean[] = [];
    let chance = new Fraction(1n, 1n);
    const order = randomPeriod(weights, (favourable, total) => {
      const side = prefix[thrown.length] ?? true;
      if (thrown.length >= prefix.length) pending.push([...thrown, false]);
      thrown.push(side);
      chance = chance.times(BigInt(side ? favourable : total - favourable), BigInt(total));
      return side;
    });
    outcomes.push({ order, chance });
  }
  return outcomes;
}

/** Just enough exact arithmetic to add up chances. */
class Fraction {
  readonly over: bigint;
  readonly under: bigint;

  constructor(over: bigint, under: bigint) {
    this.over = over;
    this.under = under;
  }

  times(over: bigint, under: bigint): Fraction {
    return new Fraction(this.over * over, this.under * under).#reduced();
  }

  plus({ over, under }: Fraction): Fraction {
    return new Fraction(this.over * under + over * this.under, this.under * under).#reduced();
  }

  #reduced(): Fraction {
    let [a, b] = [this.over, this.under];
    while (b !== 0n) [a, b] = [b, a % b];
    return new Fraction(this.over / a, this.under / a);
  }

  equals(over: number, under: number): boolean {
    return this.over * BigInt(under) === BigInt(over) * this.under;
  }
}

Deno.test("each place has chance exactly w/W (every outcome, exact fractions)", () => {
  for (const weights of [[1, 1, 1], [2, 1, 1], [3, 2, 1], [1, 1, 1, 1], [2, 2, 1], [3, 1, 1, 1]]) {
    const weightTotal = sum(weights);
    const outcomes = outcomesOf(weights);
    for (let place = 0; place < weightTotal; place++) {
      weights.forEach((weight, backend) => {
        const chance = outcomes
          .filter(({ order }) => order[place] === backend)
          .reduce((total, outcome) => total.plus(outcome.chance), new Fraction(0n, 1n));
        ok(chance.equals(weight, weightTotal), `${weights}: backend ${backend} at ${place}`);
      });
    }
    ok(outcomes.length > 1, "there is a choice");
  }
});

Deno.test("each place has chance w/W (8,000 fixed seeds, chi-square)", () => {
  const weights = [85, 10, 5];
  const runs = 8_000;
  const counts = Array.from({ length: 100 }, () => [0, 0, 0]);
  for (let seed = 0; seed < runs; seed++) {
    randomPeriod(weights, coinOf(seed)).forEach((backend, place) => counts[place][backend]++);
  }
  for (const [place, seen] of counts.entries()) {
    const statistic = weights.reduce((total, weight, i) => {
      const expected = runs * weight / 100;
      return total + (seen[i] - expected) ** 2 / expected;
    }, 0);
    // 2 degrees of freedom, 100 places: 23 is passed by chance at some place once in 1000. Seeds
    // are fixed.
    ok(statistic < 23, `place ${place}: ${seen} (${statistic.toFixed(1)})`);
  }
});
