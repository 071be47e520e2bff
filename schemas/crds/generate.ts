/**
 * Writes `generated.ts` from the YAML files beside it: `deno run -A schemas/crds/generate.ts`. A test fails
 * while the two differ.
 *
 * The definitions are compiled in because Deno 2.6 has no text imports and a compiled executable should need no
 * file beside it.
 */
import { parse } from "yaml";

const FILES = [
  "trafficsplits.yaml",
  "httproutegroups.yaml",
  "tcproutes.yaml",
  "traffictargets.yaml",
  "trafficpolicies.yaml",
];

/** The text of `generated.ts` for the YAML files as they are now. */
export function renderGenerated(): string {
  const objects = FILES.map((file) =>
    JSON.stringify(parse(Deno.readTextFileSync(new URL(`./${file}`, import.meta.url))), null, 1)
  );
  return [
    "// Made by generate.ts from the YAML files beside it. Do not edit.",
    "// deno-fmt-ignore-file",
    'import type { CustomResourceDefinition } from "./definition.ts";',
    "",
    "export const CRDS: readonly CustomResourceDefinition[] = [",
    `${objects.join(",\n")},`,
    "];",
    "",
  ].join("\n");
}

if (import.meta.main) {
  Deno.writeTextFileSync(new URL("./generated.ts", import.meta.url), renderGenerated());
}
