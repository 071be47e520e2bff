/** Of two whole numbers that are not negative. With 0 it is the other one. */
export function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}
