/** Horizontal bars for shares between 0 and 1, with a mark where each was expected to end. */
import type { Output } from "./output.ts";
import { BAR_WIDTH, BAR_WIDTH_MIN } from "./limits.ts";
import { printable, widthOf } from "./text.ts";

interface Bar {
  readonly label: string;
  /** What happened, 0 to 1. */
  readonly share: number;
  /** What was asked for, 0 to 1; null if nothing was. */
  readonly expected: number | null;
  /** Stands after the bar. */
  readonly note: string;
}

/** Columns on either side of a bar. */
const GAP = 2;
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** Renders one line a bar, in Unicode eighths where the output has them and in ASCII elsewhere. */
export function renderBars(output: Output, bars: readonly Bar[], indent = 0): string {
  const labelWidth = Math.max(0, ...bars.map((bar) => widthOf(printable(bar.label))));
  const noteWidth = Math.max(0, ...bars.map((bar) => widthOf(printable(bar.note))));
  const room = (output.columns ?? Infinity) - indent - labelWidth - noteWidth - 2 * GAP - 1;
  const width = Math.min(BAR_WIDTH, Math.max(BAR_WIDTH_MIN, room));
  return bars.map((bar) => {
    const label = printable(bar.label);
    const padding = " ".repeat(labelWidth - widthOf(label));
    const drawn = output.hasUnicode ? drawUnicode(bar.share, width) : drawAscii(bar.share, width);
    const cells = markExpected([...drawn], bar.expected, width, output.hasUnicode ? "│" : "|");
    return `${" ".repeat(indent)}${label}${padding}  ${cells}  ${printable(bar.note)}\n`;
  }).join("");
}

function drawUnicode(share: number, width: number): string {
  const eighths = Math.round(clamp(share) * width * 8);
  return ("█".repeat(eighths >> 3) + EIGHTHS[eighths & 7]).padEnd(width);
}

function drawAscii(share: number, width: number): string {
  return "#".repeat(Math.round(clamp(share) * width)).padEnd(width);
}

/** The mark stands after the last cell that the expected bar would fill, so a bar that is right ends before it. */
function markExpected(
  cells: string[],
  expected: number | null,
  width: number,
  mark: string,
): string {
  if (expected !== null) cells.splice(Math.round(clamp(expected) * width), 0, mark);
  return cells.join("");
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}
