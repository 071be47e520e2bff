/** Medians over rounds, and the tables of a benchmark as Markdown. Pure. */

/** What one round of one contender gave. Null where it cannot be known, such as the CPU of no process. */
export interface Measurement {
  /** CPU microseconds of the proxy a request. */
  readonly cpu: number | null;
  readonly requestsPerSecond: number;
  /** Microseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Share of the measured time in which the proxy's core was busy with it, 0 to 1. */
  readonly busy: number | null;
}

/** Everything about one contender, after all rounds. */
export interface Row {
  readonly name: string;
  readonly at1: Measurement;
  readonly at64: Measurement;
  readonly privateMb: number | null;
  readonly residentMb: number | null;
  readonly errors: number;
}

/** The middle value; the mean of the middle two. Throws where there is none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error("No value to take the median of");
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function medianOrNull(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : median(known);
}

/** The median of each number by itself. */
export function medianOf(rounds: readonly Measurement[]): Measurement {
  return {
    cpu: medianOrNull(rounds.map((round) => round.cpu)),
    requestsPerSecond: median(rounds.map((round) => round.requestsPerSecond)),
    p50: median(rounds.map((round) => round.p50)),
    p99: median(rounds.map((round) => round.p99)),
    busy: medianOrNull(rounds.map((round) => round.busy)),
  };
}

interface Column {
  readonly title: string;
  readonly digits: number;
  readonly value: (row: Row) => number | null;
}

const COLUMNS: readonly Column[] = [
  { title: "CPU µs/request, 64 conn.", digits: 1, value: (row) => row.at64.cpu },
  { title: "CPU µs/request, 1 conn.", digits: 1, value: (row) => row.at1.cpu },
  { title: "requests/s, 64", digits: 0, value: (row) => row.at64.requestsPerSecond },
  { title: "p50 µs, 64", digits: 0, value: (row) => row.at64.p50 },
  { title: "p99 µs, 64", digits: 0, value: (row) => row.at64.p99 },
  { title: "requests/s, 1", digits: 0, value: (row) => row.at1.requestsPerSecond },
  { title: "p50 µs, 1", digits: 0, value: (row) => row.at1.p50 },
  { title: "p99 µs, 1", digits: 0, value: (row) => row.at1.p99 },
  { title: "anonymous MB", digits: 1, value: (row) => row.privateMb },
  { title: "resident MB", digits: 1, value: (row) => row.residentMb },
];

/** A Markdown table. */
export function renderTable(titles: readonly string[], rows: readonly (readonly string[])[]) {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = titles.map((_, index) => index === 0 ? "---" : "---:");
  return [line(titles), line(rule), ...rows.map(line)].join("\n") + "\n";
}

/** The numbers of all contenders, with how busy the proxy's core was and what went wrong. */
export function renderRows(rows: readonly Row[]): string {
  return renderTable(
    ["proxy", ...COLUMNS.map((column) => column.title), "core busy, 64", "errors"],
    rows.map((row) => [
      row.name,
      ...COLUMNS.map((column) => column.value(row)?.toFixed(column.digits) ?? "–"),
      row.at64.busy === null ? "–" : `${Math.round(row.at64.busy * 100)} %`,
      String(row.errors),
    ]),
  );
}

/** The same as multiples of the row called `base`. */
export function renderRatios(rows: readonly Row[], base: string): string {
  const one = rows.find((row) => row.name === base);
  if (one === undefined) return "";
  const ratio = (value: number | null, of: number | null) =>
    value === null || of === null || of === 0 ? "–" : (value / of).toFixed(2);
  return renderTable(
    [`× ${base}`, ...COLUMNS.map((column) => column.title)],
    rows.map((row) => [
      row.name,
      ...COLUMNS.map((column) => ratio(column.value(row), column.value(one))),
    ]),
  );
}
