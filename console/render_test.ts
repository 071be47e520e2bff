// Tests of the renderers: what a person sees, with and without colour, and that input cannot forge it.
import assert from "node:assert/strict";
import type { Finding } from "../base/finding.ts";
import { renderBars } from "./bar_chart.ts";
import { renderFindings, sortFindings, summarizeFindings } from "./findings.ts";
import { memoryOutput } from "./testing.ts";
import { renderTable } from "./table.ts";
import { foldText, listText } from "./text.ts";

const plain = memoryOutput();
const terminal = memoryOutput({
  isTerminal: true,
  hasColour: true,
  hasUnicode: true,
  columns: 80,
});

function finding(given: Partial<Finding>): Finding {
  return {
    code: "backend-missing",
    severity: "warning",
    message: "Backend is missing",
    hint: "",
    ...given,
  };
}

Deno.test("table: columns line up, empty cells are dashes, no space at the end of a line", () => {
  assert.equal(
    renderTable(plain, ["NAME", "PORTS"], [["curl", "80"], ["httpbin-v1", ""]]),
    "NAME         PORTS\ncurl         80\nhttpbin-v1   -\n",
  );
});

Deno.test("table: a styled cell takes the width of its text, not of its colour codes", () => {
  const rendered = renderTable(terminal, [], [[{ text: "x", style: "error" }, "y"], ["long", "z"]]);
  assert.equal(rendered, "\u001b[31mx\u001b[39m      y\nlong   z\n");
});

Deno.test("table: control characters of the input are shown, not obeyed", () => {
  assert.equal(renderTable(plain, [], [["a\u001b[2J\nb\u009bc"]]), "a\\x1b[2J\\nb\\x9bc\n");
});

Deno.test("table: where the output has a width, columns are folded into it, and nothing is lost", () => {
  const narrow = memoryOutput({
    isTerminal: true,
    hasColour: false,
    hasUnicode: false,
    columns: 40,
  });
  const rows = [["app", "web-v1=75, web-v2=25, web-v3=1", "examples/canary/routes.yaml:9"]];
  const rendered = renderTable(narrow, ["NAMESPACE", "BACKENDS", "AT"], rows, 2);
  assert.equal(
    rendered,
    "  NAMESPACE  BACKENDS       AT\n" +
      "  app        web-v1=75,     examples/\n" +
      "             web-v2=25,     canary/\n" +
      "             web-v3=1       routes.yaml:\n" +
      "                            9\n",
  );
  const wide = renderTable(plain, ["NAMESPACE", "BACKENDS", "AT"], rows, 2);
  assert.equal(wide.split("\n").length, 3, "a pipe has no width");
  const bars = [{ label: "web-v1", share: 1, expected: 1, note: "10 (100%)" }];
  assert.ok(renderBars(narrow, bars).trimEnd().length <= 40);
});

Deno.test("foldText: words and parts of names stay whole where they can", () => {
  assert.deepEqual(foldText("one two three", 8), ["one two", "three"]);
  assert.deepEqual(foldText("a/bc/def/gh", 6), ["a/bc/", "def/gh"]);
  assert.deepEqual(foldText("abcdefgh", 3), ["abc", "def", "gh"]);
  assert.deepEqual(foldText("exactly8", 8), ["exactly8"]);
  assert.deepEqual(foldText("", 8), [""]);
  assert.equal(listText(["a", "b", "c"], 2), "a, b and 1 more");
  assert.equal(listText(["a", "b"], 2, " or "), "a or b");
});

Deno.test("bars: ASCII and Unicode, with a mark where each was expected to end", () => {
  const bars = [
    { label: "v1", share: 0.75, expected: 0.75, note: "75" },
    { label: "long", share: 0.2, expected: null, note: "20" },
  ];
  assert.equal(
    renderBars(plain, bars),
    `v1    ${"#".repeat(30)}|${" ".repeat(10)}  75\nlong  ${"#".repeat(8)}${" ".repeat(32)}  20\n`,
  );
  assert.equal(
    renderBars(terminal, [{ label: "v1", share: 0.51, expected: 1, note: "" }]),
    `v1  ${"█".repeat(20)}▍${" ".repeat(19)}│  \n`,
  );
});

Deno.test("findings: worst first, then by place, those without a place last", () => {
  const at = (file: string, line: number) => ({ position: { file, line, column: 1 } });
  const sorted = sortFindings([
    finding({ message: "d" }),
    finding({ message: "c", ...at("b.yaml", 2) }),
    finding({ message: "b", ...at("a.yaml", 10) }),
    finding({ message: "a", ...at("a.yaml", 9) }),
    finding({ message: "0", severity: "error" }),
  ]);
  assert.deepEqual(sorted.map(({ message }) => message), ["0", "a", "b", "c", "d"]);
});

Deno.test("findings: fold at the terminal's width, whatever is long, and lose nothing", () => {
  const long = "Backend web-v1 is missing ".repeat(8).trim();
  const places = ["a.yaml", "a/very/long/path/of/a/manifest/that/takes/most/of/a/line.yaml"];
  for (const columns of [20, 40, 80]) {
    const narrow = memoryOutput({ ...terminal, hasColour: false, columns });
    for (const file of [...places, places[1].repeat(2)]) {
      const position = { file, line: 1, column: 2 };
      const text = renderFindings(narrow, [finding({ message: long, hint: long, position })]);
      const [head, ...lines] = text.trimEnd().split("\n");
      const isHeadAlone = !head.includes("Backend");
      assert.ok(isHeadAlone || head.length <= columns, head);
      for (const line of lines) assert.ok(line.length <= Math.max(columns, 24), line);
      const whole = `${file}:1:2 warning backend-missing ${long} ${long} 1 warning`;
      assert.equal(text.replace(/\s+/g, " ").trim(), whole);
    }
  }
  const coloured = renderFindings(terminal, [finding({ message: long })]);
  assert.ok(coloured.includes("\u001b[33mwarning\u001b[39m"));
  // deno-lint-ignore no-control-regex
  for (const line of coloured.replace(/\x1b\[\d+m/g, "").split("\n")) assert.ok(line.length <= 80);
});

Deno.test("findings: one line each, a hint line, and the counts", () => {
  const findings = [
    finding({
      position: { file: "split.yaml", line: 12, column: 5 },
      hint: "Add the Service",
    }),
    finding({
      severity: "info",
      resource: { kind: "TrafficSplit", namespace: "app", name: "web" },
      field: "spec.backends[0]",
      code: "backend-is-root",
      message: "Backend is the root",
    }),
  ];
  assert.equal(
    renderFindings(plain, findings),
    "split.yaml:12:5 warning backend-missing Backend is missing\n    Add the Service\n" +
      "TrafficSplit app/web spec.backends[0]: info backend-is-root Backend is the root\n" +
      "1 warning, 1 info\n",
  );
  assert.equal(summarizeFindings([]), "No findings");
  assert.equal(summarizeFindings([finding({}), finding({})]), "2 warnings");
});
