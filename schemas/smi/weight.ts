/**
 * Weights of a split: plain numbers, and the Kubernetes quantities of v1alpha1 (smi-spec traffic-split v1alpha1),
 * turned into whole numbers in the same ratio.
 */
import { MANIFEST_LIMITS, WEIGHT_EXPONENT_MAX, WEIGHT_TEXT_LENGTH_MAX } from "../limits.ts";

/** A thousand-millionth of one: the finest that a Kubernetes quantity can say. */
const NANOS_PER_UNIT = 1_000_000_000n;

const QUANTITY = /^([-+]?)(\d*)(?:\.(\d*))?(?:([KMGTPE]i|[numkMGTPE])|[eE]([-+]?\d+))?$/;

/** Powers of ten of the decimal suffixes, and of two of the binary ones. */
const DECIMAL_EXPONENTS: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const BINARY_EXPONENTS: Readonly<Record<string, bigint>> = {
  Ki: 10n,
  Mi: 20n,
  Gi: 30n,
  Ti: 40n,
  Pi: 50n,
  Ei: 60n,
};

/**
 * The value of a weight in nano-units, rounded up as Kubernetes rounds quantities. Undefined if it is neither
 * a finite number nor a quantity.
 */
export function parseWeight(value: unknown): bigint | undefined {
  if (typeof value === "number" && !Number.isFinite(value)) return undefined;
  if (typeof value !== "number" && typeof value !== "string") return undefined;
  const text = String(value);
  const parts = text.length > WEIGHT_TEXT_LENGTH_MAX ? null : QUANTITY.exec(text);
  if (parts === null) return undefined;
  const [, sign, whole = "", fraction = "", suffix = "", exponentText = "0"] = parts;
  if (whole === "" && fraction === "") return undefined;
  const exponent = DECIMAL_EXPONENTS[suffix] ?? Number(exponentText);
  if (Math.abs(exponent) > WEIGHT_EXPONENT_MAX) return undefined;
  // digits * 10^power is the value in nano-units.
  const digits = BigInt(whole + fraction) << (BINARY_EXPONENTS[suffix] ?? 0n);
  const power = 9 + exponent - fraction.length;
  const nanos = power >= 0
    ? digits * 10n ** BigInt(power)
    : divideUp(digits, 10n ** BigInt(-power));
  return sign === "-" ? -nanos : nanos;
}

/** Whether text has the form of a quantity, of whatever size. */
export function isQuantity(text: string): boolean {
  return QUANTITY.test(text) && /\d/.test(text);
}

/**
 * Whole numbers in the ratio of weights given in nano-units: the units themselves where all are whole, else their
 * thousandths (or finer, where thousandths would lose something). Below zero counts as zero.
 */
export function wholeWeights(nanos: readonly bigint[]): {
  readonly weights: readonly number[];
  /** False if the numbers are so large that the ratio had to be rounded. */
  readonly isExact: boolean;
} {
  const positive = nanos.map((value) => value < 0n ? 0n : value);
  let divisor = NANOS_PER_UNIT;
  while (positive.some((value) => value % divisor !== 0n)) divisor /= 1000n;
  return withinTotal(positive.map((value) => value / divisor));
}

/** Makes weights smaller, without a change of ratio if possible, until their sum is within the limit. */
function withinTotal(weights: readonly bigint[]) {
  const max = BigInt(MANIFEST_LIMITS.weightTotalMax);
  const total = sum(weights);
  if (total <= max) return { weights: weights.map(Number), isExact: true };
  const divisor = weights.reduce(greatestCommonDivisor, 0n);
  const reduced = weights.map((weight) => weight / divisor);
  const reducedTotal = sum(reduced);
  if (reducedTotal <= max) return { weights: reduced.map(Number), isExact: true };
  // Rounding down keeps the sum within the limit; what had a share keeps one, which the spare room allows for.
  const room = max - BigInt(weights.length);
  const rounded = reduced.map((weight) => {
    const share = weight * room / reducedTotal;
    return Number(weight > 0n && share === 0n ? 1n : share);
  });
  return { weights: rounded, isExact: false };
}

function sum(values: readonly bigint[]): bigint {
  return values.reduce((total, value) => total + value, 0n);
}

function greatestCommonDivisor(left: bigint, right: bigint): bigint {
  while (right !== 0n) [left, right] = [right, left % right];
  return left;
}

function divideUp(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}
