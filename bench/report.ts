/** Medians over rounds, and the tables of a benchmark as Markdown. Pure. */

/** One number of a table. */
export interface Column {
  readonly key: string;
  /** With the unit. */
  readonly title: string;
  readonly digits: number;
}

/** What one contender got in one variant of a workload. */
export interface Row {
  readonly contender: string;
  /** Empty if the workload has but one. */
  readonly variant: string;
  /** By the columns' keys. Null or absent: cannot be known, such as the CPU of no process. */
  readonly values: Readonly<Record<string, number | null>>;
  /** The same of each round, where contenders were taken in turn. */
  readonly rounds?: readonly Row["values"][];
}

/** The middle value; the mean of the middle two. Throws where there is none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error("No value to take the median of");
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median of each number by itself, over rounds. What no round knows is null. */
export function medianOf(rounds: readonly Row["values"][]): Row["values"] {
  const medians: Record<string, number | null> = {};
  for (const key of new Set(rounds.flatMap((round) => Object.keys(round)))) {
    const known = rounds.map((round) => round[key] ?? null).filter((value) => value !== null);
    medians[key] = known.length === 0 ? null : median(known);
  }
  return medians;
}

/** A Markdown table. */
export function renderMarkdownTable(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
) {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = titles.map((_, index) => index === 0 ? "---" : "---:");
  return [line(titles), line(rule), ...rows.map(line)].join("\n") + "\n";
}

export function nameOf({ contender, variant }: Row): string {
  return variant === "" ? contender : `${contender}, ${variant}`;
}

/** A workload's rows. With `compared`, the key of a column, also as multiples of the first row of the same variant. */
export function renderRows(
  columns: readonly Column[],
  rows: readonly Row[],
  compared: string | null,
): string {
  const first = rows[0]?.contender ?? "";
  const ratio = (row: Row): string[] => {
    if (compared === null) return [];
    const base = rows.find(({ contender, variant }) =>
      contender === first && variant === row.variant
    );
    const [value, one] = [row.values[compared], base?.values[compared]];
    return [value && one ? (value / one).toFixed(2) : "–"];
  };
  return renderMarkdownTable(
    [
      "",
      ...(compared === null ? [] : [`CPU, × ${first}`]),
      ...columns.map(({ title }) => title),
    ],
    rows.map((row) => [
      nameOf(row),
      ...ratio(row),
      ...columns.map(({ key, digits }) => row.values[key]?.toFixed(digits) ?? "–"),
    ]),
  );
}

/**
 * Two contenders that were taken in turn: each number of one as a multiple of the other's in the same round. The median over the rounds, and
 * how far the rounds are apart: a change that is smaller than that has not been shown. Empty where there are no two.
 */
export function renderPairs(
  columns: readonly Column[],
  rows: readonly Row[],
  [name, other]: readonly [string, string],
): string {
  const lines: string[][] = [];
  for (const row of rows) {
    const pair = rows.find(({ contender, variant }) =>
      contender === other && variant === row.variant
    );
    if (row.contender !== name || pair === undefined) continue;
    for (const { key, title } of columns) {
      const ratios = ratiosOf(key, row.rounds ?? [], pair.rounds ?? []);
      if (ratios.length === 0) continue;
      const [least, most] = [Math.min(...ratios), Math.max(...ratios)];
      const numbers = [median(ratios), least, most].map((ratio) => ratio.toFixed(2));
      lines.push([row.variant === "" ? title : `${title}, ${row.variant}`, ...numbers]);
    }
  }
  if (lines.length === 0) return "";
  return renderMarkdownTable([`${name} to ${other}`, "median", "least", "most"], lines);
}

function ratiosOf(
  key: string,
  rounds: readonly Row["values"][],
  others: readonly Row["values"][],
): number[] {
  return rounds.flatMap((round, index) => {
    const [value, one] = [round[key], others[index]?.[key]];
    return value && one ? [value / one] : [];
  });
}
