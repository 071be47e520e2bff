/**
 * The order in which a split of three or more backends takes requests. With W the sum of the weights, w one of
 * them: after any n requests from the start each backend has got between floor(n*w/W) and ceil(n*w/W).
 */
import type { Random } from "../../base/random.ts";

/** Up to this sum of weights one whole period is worked out in advance; above it, backends are picked online. */
export const PERIOD_MAX = 4096;

/**
 * Picks online: of the backends whose next request is due by now, the one whose deadline for it comes first,
 * ties in written order. The c-th request of a backend is due once n*w/W exceeds c - 1, and must come while
 * floor(n*w/W) is below c; serving the earliest deadline meets every one of them.
 *
 * @param debts n*w - c*W a backend, where it got c of n requests; all zero at the start, updated here. Whole
 * numbers between -W and W, so sums stay exact
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

/** One period: for each of W places the index of a backend. Null: the canonical order. */
export function periodOrder(weights: readonly number[], _random: Random | null): Uint16Array {
  const weightTotal = weights.reduce((total, weight) => total + weight, 0);
  const debts = new Float64Array(weights.length);
  return Uint16Array.from({ length: weightTotal }, () => quotaPick(weights, debts));
}
