/** Places in manifests: which lines of which file the page marks, and why. */
import type { Finding } from "../../base/finding.ts";
import type { PageAnswer } from "./answer_state.ts";

export interface ManifestPlace {
  readonly file: string;
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
}

/** Why a line is marked; of several the first counts. */
export type MarkKind = "error" | "decides" | "warning" | "info";

const BEFORE: readonly MarkKind[] = ["error", "decides", "warning", "info"];

/** By file, then by line. */
export type Marks = ReadonlyMap<string, ReadonlyMap<number, MarkKind>>;

/** `file:line:column`; null if it is something else. */
export function parsePlace(text: string): ManifestPlace | null {
  const parts = /^(.+):(\d+):(\d+)$/.exec(text);
  if (parts === null) return null;
  return { file: parts[1], line: Number(parts[2]), column: Number(parts[3]) };
}

/** What decided the request, and what there is to say of the manifests. */
export function marksOf(findings: readonly Finding[], answer: PageAnswer | null): Marks {
  const marks = new Map<string, Map<number, MarkKind>>();
  const mark = ({ file, line }: Pick<ManifestPlace, "file" | "line">, kind: MarkKind) => {
    const lines = marks.get(file) ?? new Map<number, MarkKind>();
    const known = lines.get(line);
    if (known === undefined || BEFORE.indexOf(kind) < BEFORE.indexOf(known)) lines.set(line, kind);
    marks.set(file, lines);
  };
  for (const { position, severity } of findings) if (position) mark(position, severity);
  for (const text of answer === null ? [] : decidingPlaces(answer)) {
    const place = parsePlace(text);
    if (place !== null) mark(place, "decides");
  }
  return marks;
}

/** Where the rule, the split and the traffic targets that the request came by are written; the first is shown. */
export function decidingPlaces({ explanation }: PageAnswer): string[] {
  const { rules, route, access } = explanation;
  const places = [
    rules.find(({ outcome }) => outcome === "matched")?.position,
    route?.position,
    ...(access?.guards ?? []).map(({ position }) => position),
    access?.nearest?.position,
  ];
  return places.filter((place) => typeof place === "string");
}
