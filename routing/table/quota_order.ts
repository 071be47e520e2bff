/**
 * The order in which a split of three or more backends takes requests. With W the sum of the
 * weights and w one of them: after any n requests from the start each backend has got between
 * floor(n*w/W) and ceil(n*w/W).
 */
import { roundToMatching } from "./dependent_rounding.ts";
import type { Coin } from "./dependent_rounding.ts";

/**
 * Picks online: of the backends whose next request is due by now, the one whose deadline for it
 * comes first, ties in written order. A backend's c-th request is due once n*w/W exceeds c - 1, and
 * late once floor(n*w/W) has reached c without it; serving the earliest deadline first makes none
 * of them late.
 *
 * @param debts n*w - c*W a backend, where it got c of n requests; all zero at the start, updated
 * here. Whole numbers between -W and W, so that sums stay exact. What comes behind them is left alone
 */
export function quotaPick(weights: readonly number[], debts: Float64Array): number {
  let weightTotal = 0;
  for (const weight of weights) weightTotal += weight;
  let picked = -1;
  let pickedDeadline = Infinity;
  for (let i = 0; i < weights.length; i++) {
    debts[i] += weights[i];
    if (debts[i] <= 0) continue;
    const deadline = Math.ceil((weightTotal - debts[i]) / weights[i]); // Counted from now.
    if (deadline < pickedDeadline) {
      picked = i;
      pickedDeadline = deadline;
    }
  }
  debts[picked] -= weightTotal;
  return picked;
}

/** One period in canonical order: for each of W places the index of a backend. */
export function canonicalPeriod(weights: readonly number[]): Uint16Array {
  const weightTotal = weights.reduce((total, weight) => total + weight, 0);
  const debts = new Float64Array(weights.length);
  return Uint16Array.from({ length: weightTotal }, () => quotaPick(weights, debts));
}

/**
 * One period drawn at random such that it keeps the bound above and that each place goes to a
 * backend with probability exactly w/W.
 *
 * The W requests of a period are tokens, w of them a backend's. On a time line from 0 to W, where
 * place n is the interval from n to n + 1, spread the j-th token of a backend evenly from j*W/w to
 * (j + 1)*W/w. What of it lies in each place is a matrix whose rows and columns all add up to 1.
 * Rounding it to a permutation that keeps every entry's expectation gives both halves: an entry is
 * 0, and stays 0, wherever a token would break the bound, and a place's entries for one backend add
 * up to w/W.
 */
export function randomPeriod(weights: readonly number[], coin: Coin): Uint16Array {
  const weightTotal = weights.reduce((total, weight) => total + weight, 0);
  const rows: number[] = [];
  const columns: number[] = [];
  const values: number[] = [];
  const backendOf = new Uint16Array(weightTotal);
  let token = 0;
  const heaviestFirst = [...weights.keys()].sort((a, b) => weights[b] - weights[a]);
  for (const backend of heaviestFirst) {
    const weight = weights[backend];
    for (let j = 0; j < weight; j++, token++) {
      backendOf[token] = backend;
      // Everything times `weight`, which leaves whole numbers: places are `weight` long, tokens W.
      const start = j * weightTotal;
      const end = start + weightTotal;
      for (let place = Math.floor(start / weight); place * weight < end; place++) {
        rows.push(token);
        columns.push(place);
        values.push(Math.min((place + 1) * weight, end) - Math.max(place * weight, start));
      }
    }
  }
  const matrix = {
    rows: Int32Array.from(rows),
    columns: Int32Array.from(columns),
    values: Int32Array.from(values),
  };
  const tokenAt = roundToMatching(matrix, weightTotal, coin);
  return Uint16Array.from(tokenAt, (it) => backendOf[it]);
}
