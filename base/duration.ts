/**
 * Durations as the Gateway API writes them (GEP-2257): `500ms`, `2s`, `1m30s`. Text to milliseconds and back.
 */

const FORM = /^([0-9]{1,5}(h|m|s|ms)){1,4}$/;
const MILLISECONDS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
};

/** Milliseconds; undefined if the text is no duration. At most 4 * 99999 hours, so exact. */
export function parseDuration(text: string): number | undefined {
  if (!FORM.test(text)) return undefined;
  let total = 0;
  for (const [, count, unit] of text.matchAll(/([0-9]+)(ms|h|m|s)/g)) {
    total += Number(count) * (MILLISECONDS[unit ?? ""] ?? 0);
  }
  return total;
}

/** The shortest text that {@link parseDuration} reads as `milliseconds`, a whole number. */
export function formatDuration(milliseconds: number): string {
  let rest = milliseconds;
  let text = "";
  for (const [unit, size] of Object.entries(MILLISECONDS)) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text === "" ? "0s" : text;
}
