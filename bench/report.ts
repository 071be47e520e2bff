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
