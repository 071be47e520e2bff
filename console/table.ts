/** Columns of text as kubectl prints them: upper-case heads, three spaces between, no lines. */
import type { Output, Style } from "./output.ts";
import { printable, widthOf } from "./text.ts";

/** Text, or text with what it is. */
export type Cell = string | { readonly text: string; readonly style: Style };

const GAP = "   ";

/**
 * Renders rows under `heads`, each line indented by `indent` spaces. A missing cell is empty, an empty one is `-`.
 * Without heads (an empty array) only the rows are rendered.
 */
export function renderTable(
  output: Output,
  heads: readonly string[],
  rows: readonly (readonly Cell[])[],
  indent = 0,
): string {
  const header: Cell[] = heads.map((text) => ({ text, style: "faint" }));
  const all = heads.length === 0 ? rows : [header, ...rows];
  const columnCount = Math.max(0, ...all.map((row) => row.length));
  const widths = Array.from(
    { length: columnCount },
    (_, column) => Math.max(...all.map((row) => widthOf(textOf(row[column])))),
  );
  let rendered = "";
  for (const row of all) {
    let line = " ".repeat(indent);
    for (let column = 0; column < row.length; column++) {
      const cell = row[column];
      const text = textOf(cell);
      const isLast = column === row.length - 1;
      line += typeof cell === "string" ? text : output.style(cell.style, text);
      if (!isLast) line += " ".repeat(widths[column] - widthOf(text)) + GAP;
    }
    rendered += `${line}\n`;
  }
  return rendered;
}

function textOf(cell: Cell | undefined): string {
  if (cell === undefined) return "";
  const text = typeof cell === "string" ? cell : cell.text;
  return text === "" ? "-" : printable(text);
}
