/**
 * `deno task findings`: writes docs/findings.md, the list of all Findings, from the table in base/finding.ts.
 * tests/repository_test.ts fails while the file is not what this makes.
 */
import { FINDING_CODES } from "../base/finding.ts";
import { readFile, ROOT } from "./repository.ts";

export const FINDINGS_PATH = "docs/findings.md";

const INTRODUCTION = `# Findings

What \`weft dry-run\` and every other command can tell you about your manifests. The code is stable: match on it in
scripts, never on the message. An **error** means that the resource does not do what it says (\`weft dry-run\` exits 1), a
**warning** that it does but likely not what was meant, and **info** is worth knowing. Whatever the findings say, the rest of
the mesh keeps working.

Made from \`base/finding.ts\` by \`deno task findings\`; do not edit.
`;

/** The whole text of docs/findings.md. `source` is the text of base/finding.ts, whose comments are the headings. */
export function renderFindingsPage(source: string): string {
  let text = INTRODUCTION;
  const table = source.slice(source.indexOf("FINDING_CODES = {"), source.indexOf("} as const"));
  for (const line of table.split("\n")) {
    const heading = /^ {2}\/\/ (.+?)\.?$/.exec(line)?.[1];
    if (heading !== undefined) {
      const place = /^(.+) \((.+)\)$/.exec(heading);
      text += `\n## ${place?.[1] ?? heading}\n\n| code | severity | meaning |\n|---|---|---|\n`;
    }
    const code = /^ {2}"([a-z0-9-]+)":/.exec(line)?.[1];
    if (code !== undefined) {
      const [severity, meaning] = FINDING_CODES[code as keyof typeof FINDING_CODES];
      text += `| \`${code}\` | ${severity} | ${meaning} |\n`;
    }
  }
  return text;
}

if (import.meta.main) {
  Deno.writeTextFileSync(
    new URL(FINDINGS_PATH, ROOT),
    renderFindingsPage(readFile("base/finding.ts")),
  );
}
