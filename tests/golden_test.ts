/**
 * Golden cases: each folder of tests/golden/ is one. What the routing core makes of its `in.yaml` and
 * `requests.txt` must be, to the byte, what its other files say (tests/golden/README.md).
 */
import { deepEqual, equal } from "node:assert/strict";
import process from "node:process";
import { type Finding, formatPosition, formatRef } from "../base/finding.ts";
import type { CompileOptions } from "../routing/compile/compiler.ts";
import { encodePlan } from "../routing/plan_codec.ts";
import { decisionsText } from "./support/decisions_text.ts";
import { SimulatedMesh } from "./support/simulated_mesh.ts";

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
  return {
    // Indented for review; the canonical form has neither spaces nor line ends.
    "plan.json": `${JSON.stringify(JSON.parse(encodePlan(mesh.plan)), null, 2)}\n`,
    "findings.txt": mesh.findings.map(findingText).join("\n"),
    "decisions.txt": decisionsText(readText(folder, "requests.txt"), mesh),
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
