/**
 * For tests of this folder: manifests from text, and Findings as lines that are easy to compare.
 */
import { type Finding, formatPosition } from "../base/finding.ts";
import { type Loaded, parseManifests } from "./manifests.ts";

/** Loads one file called `f.yaml`. */
export function load(text: string): Loaded {
  return parseManifests([{ name: "f.yaml", text }]);
}

/** `code field position` of each Finding. */
export function summaries(loaded: { readonly findings: readonly Finding[] }): string[] {
  return loaded.findings.map(({ code, field, position }) =>
    [code, field ?? "-", position === undefined ? "-" : formatPosition(position)].join(" ")
  );
}

/** The first Finding, for its words. */
export function firstFinding(loaded: { readonly findings: readonly Finding[] }): Finding {
  const [finding] = loaded.findings;
  if (finding === undefined) throw new Error("There is no finding");
  return finding;
}

/** The only item of a list. */
export function only<Item>(items: readonly Item[]): Item {
  const [item] = items;
  if (item === undefined || items.length !== 1) throw new Error(`Not one item: ${items.length}`);
  return item;
}

const GUIDE = new URL("./testdata/guide/", import.meta.url);

/** The guide's manifests: `kubectl apply -n NAMESPACE` is in the name, `3-service-v1.httpbin.yaml`. */
export function guideSteps(): { name: string; text: string; namespace: string }[] {
  return [...Deno.readDirSync(GUIDE)].map(({ name }) => ({
    name,
    text: Deno.readTextFileSync(new URL(name, GUIDE)),
    namespace: name.split(".")[1] ?? "",
  })).sort((left, right) => left.name < right.name ? -1 : 1);
}

/** A Service without anything in it. */
export function serviceYaml(name: string): string {
  return `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\n`;
}
