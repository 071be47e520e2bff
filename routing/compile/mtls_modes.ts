/** What a namespace says of its workloads' callers: whether they may do without mutual TLS. */
import { MTLS_ANNOTATION, MTLS_FORM, parseMtlsRules } from "../../base/mtls_mode.ts";
import type { Meta } from "../../schemas/resources.ts";
import { type Findings, quoted } from "./findings.ts";

/** Empty: nothing. What cannot be read counts as `strict`: it may have asked for that. */
export function mtlsOfNamespace(meta: Meta, findings: Findings): string {
  const text = meta.annotations[MTLS_ANNOTATION];
  if (text === undefined) return "";
  if (parseMtlsRules(text) !== null) return text.trim();
  findings.add({
    code: "mtls-mode-invalid",
    meta,
    path: ["metadata", "annotations", MTLS_ANNOTATION],
    message: `Annotation ${MTLS_ANNOTATION} cannot be ${quoted(text)}; it counts as "strict"`,
    hint: `Write ${MTLS_FORM}`,
  });
  return "strict";
}
