/** Columns of text as kubectl prints them: upper-case heads, three spaces between, no lines. */
import type { Output, Style } from "./output.ts";
import { COLUMN_WIDTH_MIN } from "./limits.ts";
import { foldText, printable, widthOf } from "./text.ts";

/** Text, or text with what it is. */
export type Cell = string | { readonly text: string; readonly style: Style };

const GAP = "   ";
/** Where the lines are folded. */
const TIGHT_GAP = "  ";

/**
 * Renders rows under `heads`, each line indented by `indent` spaces. A missing cell is empty, an empty one is `-`.
 * Without heads (an empty array) only the rows are rendered. Where the output has a width, what is wider is folded.
 */
export function renderTable(
  output: Output,
  heads: readonly string[],
  rows: readonly (readonly Cell[])[],
  indent = 0,
): string {
  const header: Cell[] = heads.map((text) => ({ text, style: "faint" }));
  const all = heads.length === 0 ? rows : [header, ...rows];
  const columnCount = all.reduce((most, row) => Math.max(most, row.length), 0);
  const natural = Array.from(
    { length: columnCount },
    (_, column) => all.reduce((most, row) => Math.max(most, widthOf(textOf(row[column]))), 0),
  );
  const roomWith = (gap: string) =>
    (output.columns ?? Infinity) - indent - gap.length * (columnCount - 1);
  const isTight = natural.reduce((sum, width) => sum + width, 0) > roomWith(GAP);
  const gap = isTight ? TIGHT_GAP : GAP;
  const widths = isTight ? narrowed(natural, roomWith(gap)) : natural;
  return all.map((row) => renderRow(output, row, { widths, gap, indent })).join("");
}

interface Columns {
  readonly widths: readonly number[];
  readonly gap: string;
  readonly indent: number;
}

function renderRow(
  output: Output,
  row: readonly Cell[],
  { widths, gap, indent }: Columns,
): string {
  const folded = row.map((cell, column) => foldText(textOf(cell), widths[column]));
  const height = folded.reduce((most, lines) => Math.max(most, lines.length), 1);
  let rendered = "";
  for (let at = 0; at < height; at++) {
    let line = " ".repeat(indent);
    // A line ends with its last cell that has something there.
    const last = folded.findLastIndex((lines) => at < lines.length);
    for (let column = 0; column <= last; column++) {
      const text = folded[column][at] ?? "";
      const cell = row[column];
      line += typeof cell === "string" || text === "" ? text : output.style(cell.style, text);
      if (column < last) line += " ".repeat(widths[column] - widthOf(text)) + gap;
    }
    rendered += `${line}\n`;
  }
  return rendered;
}

/** The widest columns give way until all fit into `room`, down to a width that a word still fits into. */
function narrowed(widths: readonly number[], room: number): readonly number[] {
  const sumWithin = (bound: number) =>
    widths.reduce((sum, width) => sum + Math.min(width, bound), 0);
  let bound = Math.max(COLUMN_WIDTH_MIN, ...widths);
  while (bound > COLUMN_WIDTH_MIN && sumWithin(bound) > room) bound--;
  let left = room - sumWithin(bound);
  // What is left over is too little for all that would take it.
  return widths.map((width) => {
    const more = Math.max(0, Math.min(width - bound, left));
    left -= more;
    return Math.min(width, bound) + more;
  });
}

function textOf(cell: Cell | undefined): string {
  if (cell === undefined) return "";
  const text = typeof cell === "string" ? cell : cell.text;
  return text === "" ? "-" : printable(text);
}
