/**
 * Whether a workload's callers may do without mutual TLS, as MeshConfig, annotations and options have it: `strict`, or `permissive`, with
 * ports that differ, such as `strict, 8443=permissive`. What says something of a port counts before what says it of more.
 */
import { parsePortRange, type PortRange, wordsOfList } from "./capture_lists.ts";

type MtlsMode = "permissive" | "strict";

/** What one place says. */
export interface MtlsRules {
  /** Null: nothing, but of ports. */
  readonly mode: MtlsMode | null;
  /** The first that has the port counts. */
  readonly ports: readonly (PortRange & { readonly mode: MtlsMode })[];
}

/** The annotation of a namespace, and of a pod, that has such a text. */
export const MTLS_ANNOTATION = "weft.dev/mtls-mode";
export const MTLS_FORM = "strict or permissive, with ports that differ: strict,8443=permissive";

/** Null: it cannot be read. */
export function parseMtlsRules(text: string): MtlsRules | null {
  let mode: MtlsMode | null = null;
  const ports: MtlsRules["ports"][number][] = [];
  for (const word of wordsOfList(text.toLowerCase())) {
    const [left, right, ...rest] = word.split("=").map((part) => part.trim());
    const said = modeOf(right ?? left);
    if (said === null || rest.length > 0) return null;
    if (right === undefined) {
      if (mode !== null) return null;
      mode = said;
      continue;
    }
    const range = parsePortRange(left);
    if (range === null) return null;
    ports.push({ ...range, mode: said });
  }
  return mode === null && ports.length === 0 ? null : { mode, ports };
}

function modeOf(word: string): MtlsMode | null {
  return word === "strict" || word === "permissive" ? word : null;
}

/** Whether callers of a port may not do without. @param places the nearest first */
export function isStrictAt(port: number, places: readonly MtlsRules[]): boolean {
  for (const { mode, ports } of places) {
    const own = ports.find(({ first, last }) => port >= first && port <= last);
    const said = own?.mode ?? mode;
    if (said !== null) return said === "strict";
  }
  return false;
}

/** What stands in for a text that cannot be read: it may have asked for this. */
export const STRICT: MtlsRules = { mode: "strict", ports: [] };
