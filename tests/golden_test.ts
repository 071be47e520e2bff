/**
 * Golden cases: each folder of tests/golden/ is one. What the routing core makes of its `in.yaml` and
 * `requests.txt` must be, to the byte, what its other files say (tests/golden/README.md).
 */
import { deepEqual, equal } from "node:assert/strict";
import process from "node:process";
import { type Finding, formatPosition, formatRef } from "../base/finding.ts";
import type { CompileOptions } from "../routing/compile/compiler.ts";
import { encodePlan } from "../routing/plan_codec.ts";
import { parseCaseRequest } from "./support/request_line.ts";
import { type MeshAnswer, SimulatedMesh } from "./support/simulated_mesh.ts";

const GOLDEN = new URL("golden/", import.meta.url);
const isUpdating = process.env.WEFT_GOLDEN === "update";

const cases = [...Deno.readDirSync(GOLDEN)].filter(({ isDirectory }) => isDirectory)
  .map(({ name }) => name).sort();

for (const name of cases) {
  Deno.test(`golden ${name}`, () => {
    const folder = new URL(`${name}/`, GOLDEN);
    for (const [file, text] of Object.entries(outputsOf(folder))) {
      if (isUpdating) Deno.writeTextFileSync(new URL(file, folder), text);
      else equal(text, readText(folder, file), `tests/golden/${name}/${file}`);
    }
  });
}

Deno.test("golden: there are cases, and each has all its files", () => {
  const files = cases.map((name) =>
    [...Deno.readDirSync(new URL(`${name}/`, GOLDEN))].map((entry) => entry.name)
      .filter((file) => file !== "options.json").sort()
  );
  const expected = ["decisions.txt", "findings.txt", "in.yaml", "plan.json", "requests.txt"];
  equal(cases.length > 0, true);
  deepEqual(files, cases.map(() => expected));
});

function outputsOf(folder: URL): Record<string, string> {
  const options: CompileOptions = JSON.parse(readText(folder, "options.json") || "{}");
  const files = [{ name: "in.yaml", text: readText(folder, "in.yaml") }];
  const mesh = new SimulatedMesh(files, options);
  const lines = readText(folder, "requests.txt").split("\n").map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  return {
    // Indented for review; the canonical form has neither spaces nor line ends.
    "plan.json": `${JSON.stringify(JSON.parse(encodePlan(mesh.plan)), null, 2)}\n`,
    "findings.txt": mesh.findings.map(findingText).join("\n"),
    "decisions.txt": lines.map((line) => decisionText(line, mesh)).join("\n"),
  };
}

/** Empty where the file does not exist. */
function readText(folder: URL, file: string): string {
  try {
    return Deno.readTextFileSync(new URL(file, folder));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

function findingText(
  { position, severity, code, resource, field, message, hint }: Finding,
): string {
  const place = position === undefined ? "-" : formatPosition(position);
  const subject = [resource && formatRef(resource), field].filter(Boolean).join(" ");
  return `${place}: ${severity} ${code}\n  ${subject}\n  ${message}\n  ${hint}\n`;
}

/** The request, its route, the endpoints in the order in which they were picked, and the sum for each backend. */
function decisionText(text: string, mesh: SimulatedMesh): string {
  const line = parseCaseRequest(text, "default");
  const answers = line.method === "TCP" ? mesh.connect(line) : mesh.send(line);
  const routes = [...new Set(answers.map(({ route }) => route).filter((route) => route !== ""))];
  return [
    line.text,
    ...routes.map((route) => `  route ${route}`),
    `  ${runs(answers.map(answerText)).join(" ")}`,
    ...tally(answers).map(([backend, count]) => `  ${backend} ${count}`),
    "",
  ].join("\n");
}

/** Five or more in a row are written once, with their number. */
function runs(items: readonly string[]): string[] {
  const folded: string[] = [];
  for (let start = 0, end; start < items.length; start = end) {
    end = start + 1;
    while (items[end] === items[start]) end++;
    const run = items.slice(start, end);
    folded.push(...(run.length < 5 ? run : [`${items[start]}*${run.length}`]));
  }
  return folded;
}

function answerText({ endpoint, refusal }: MeshAnswer): string {
  return endpoint === null ? refusal : `${endpoint.plan.pod}:${endpoint.plan.port}`;
}

function tally(answers: readonly MeshAnswer[]): [backend: string, count: number][] {
  const counts = new Map<string, number>();
  for (const { backend } of answers) counts.set(backend, (counts.get(backend) ?? 0) + 1);
  return [...counts].filter(([backend]) => backend !== "").sort();
}
