/** An Explanation on a terminal: one step a line, and below it what it is made of. */
import {
  callSteps,
  type ExplainCell,
  type ExplainStep,
  explainSteps,
} from "../../offline/explain_steps.ts";
import type { CallExplanation, Explanation } from "../../routing/table/explanation.ts";
import type { Output } from "../../console/output.ts";
import { type Cell, renderTable } from "../../console/table.ts";
import { foldText, printable } from "../../console/text.ts";
import { STEP_WIDTH_MIN } from "../limits.ts";
import { askedText, type RequestLine } from "../../console/values.ts";

/** Renders every step the request took, and where it ended. */
export function renderExplanation(
  output: Output,
  request: RequestLine,
  explanation: Explanation | CallExplanation,
): string {
  const steps = "destination" in explanation
    ? callSteps(request, explanation)
    : explainSteps(request, explanation);
  const title = output.style("strong", printable(askedText(request)));
  return `${title}\n${steps.map((step) => renderStep(output, step)).join("")}`;
}

/** Where the text of a step begins. */
const STEP_INDENT = 12;

function renderStep(output: Output, { name, text, tone, rows }: ExplainStep): string {
  const width = Math.max(STEP_WIDTH_MIN, (output.columns ?? Infinity) - STEP_INDENT);
  // Where it ends is in one piece, to be found again.
  const lines = tone === null
    ? foldText(printable(text), width)
    : [output.style(tone, printable(text))];
  const rest = lines.slice(1).map((line) => `${" ".repeat(STEP_INDENT)}${line}\n`).join("");
  return `  ${output.style("faint", name.padEnd(8))}  ${lines[0]}\n${rest}` +
    renderTable(output, [], rows.map((row) => row.map(cellOf)), 4);
}

function cellOf({ text, tone }: ExplainCell): Cell {
  return tone === undefined ? text : { text, style: tone };
}
