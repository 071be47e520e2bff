/**
 * Files that are no manifests yet: those of kustomize, and those of a Helm chart. All of the latter together are one Finding, which says what to pipe.
 */
import { type Finding, formatPosition, type Position } from "../base/finding.ts";
import { isRecord } from "./fields.ts";
import { makeFinding } from "./report.ts";
import type { Origin } from "./resources.ts";

/** Collects the files of charts. */
export class TemplateFiles {
  readonly #first = new Map<string, Position>();

  add(position: Position): void {
    if (!this.#first.has(position.file)) this.#first.set(position.file, position);
  }

  has(file: string): boolean {
    return this.#first.has(file);
  }

  report(findings: Finding[]): void {
    const [position, ...others] = this.#first.values();
    if (position === undefined) return;
    const more = others.length === 0
      ? ""
      : `, and so ${others.length === 1 ? "is" : "are"} ${others.length} more, from ` +
        others.slice(0, 1).map(formatPosition).join();
    findings.push(
      makeFinding("template-unrendered", {
        message: `The file is part of a Helm chart${more}: it has no manifests of its own`,
        hint: "Pipe what Helm makes of it: helm template CHART -f VALUES | weft dry-run -f -",
        position,
      }),
    );
  }
}

/** Whether text has what Helm replaces, `{{ .Values.x }}`. Other templates may stand in good manifests. */
export function hasTemplateAction(text: string): boolean {
  return /\{\{-?\s*(\.|\$|\/\*|(block|define|else|end|if|include|range|template|toYaml|tpl|with)\b)/
    .test(text);
}

/** Whether a document is what `kustomize build` reads, which knows it by the name of its file if it has no kind. */
export function isKustomization(value: unknown, file: string): boolean {
  if (!isRecord(value)) return false;
  return value["kind"] === undefined
    ? /(^|\/)[Kk]ustomization(\.ya?ml)?$/.test(file)
    : String(value["apiVersion"]).startsWith("kustomize.config.k8s.io/");
}

export function reportKustomization(origin: Origin, findings: Finding[]): void {
  findings.push(
    makeFinding("kustomization-not-built", {
      message: "A kustomization is not built here: files beside it are read as they stand, " +
        "without its patches, names and namespaces",
      hint: "Pipe what it makes: kustomize build DIRECTORY | weft dry-run -f -",
      position: origin.locate([]),
    }),
  );
}

/** Whether a document is the description or the values of a chart, or has a name that Helm has yet to make. */
export function isOfChart(value: unknown, file: string): boolean {
  if (!isRecord(value)) return false;
  const { apiVersion, kind, metadata, name, version } = value;
  if (kind === undefined) {
    const isDescription = /(^|\/)Chart\.ya?ml$/.test(file) ||
      ((apiVersion === "v1" || apiVersion === "v2") && name !== undefined && version !== undefined);
    return isDescription || (apiVersion === undefined && /(^|\/)values[^/]*\.ya?ml$/.test(file));
  }
  const names = isRecord(metadata) ? [metadata["name"], metadata["namespace"]] : [];
  return [apiVersion, kind, ...names].some((text) =>
    typeof text === "string" && hasTemplateAction(text)
  );
}
