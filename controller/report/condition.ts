/** Findings as Kubernetes shows them: a condition in an object's status, and Events. Pure. */
import type { Finding, ResourceRef } from "../../base/finding.ts";
import { sha256Hex } from "../../base/hash.ts";
import { fieldsOf, textField } from "../kube/fields.ts";
import { EVENT_TEXT_MAX, REPORTED_MAX } from "../limits.ts";
import type { ObjectIdentity } from "../objects.ts";

export const CONDITION = "Accepted";

/** Who writes it, for the API server. */
export const REPORTER = "weft-controller";

/** What a condition says, beside its times. */
export interface ConditionState {
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** Null: there is none, and there need not be one: nothing is wrong, and nothing was. */
export function conditionOf(findings: readonly Finding[]): ConditionState | null {
  const weighty = findings.filter(({ severity }) => severity !== "info");
  if (weighty.length === 0) return null;
  const isError = weighty.some(({ severity }) => severity === "error");
  const message = weighty.slice(0, REPORTED_MAX).map(textOfFinding).join("\n");
  const reason = reasonOf(weighty[0]);
  return { status: isError ? "False" : "True", reason, message: shortText(message) };
}

export const ALL_WELL: ConditionState = { status: "True", reason: CONDITION, message: "" };

/** As the object has it. */
export function conditionIn(object: unknown): ConditionState | null {
  const { conditions } = fieldsOf(fieldsOf(object)["status"]);
  const own = (Array.isArray(conditions) ? conditions.map(fieldsOf) : [])
    .find(({ type }) => type === CONDITION);
  if (own === undefined) return null;
  const text = (name: string) => textField(own, name) ?? "";
  return { status: text("status"), reason: text("reason"), message: text("message") };
}

/** An Event of core v1. One Finding of one object has one name, so that it is there once, whichever controller reports it. */
export function eventOf(finding: Finding, ref: ResourceRef, { apiVersion, uid }: ObjectIdentity) {
  const nowText = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  const { kind, namespace, name } = ref;
  const hash = sha256Hex(JSON.stringify([kind, uid, finding])).slice(0, 16);
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: `${name.slice(0, 200)}.${hash}`, namespace },
    involvedObject: { apiVersion, kind, namespace, name, uid },
    type: "Warning",
    reason: reasonOf(finding),
    message: shortText(textOfFinding(finding)),
    source: { component: REPORTER },
    firstTimestamp: nowText,
    lastTimestamp: nowText,
    count: 1,
  };
}

function textOfFinding({ field, message, hint }: Finding): string {
  return `${field === undefined ? "" : `${field}: `}${message}. ${hint}`;
}

/** `split-root-missing` as `SplitRootMissing`. */
function reasonOf({ code }: Finding): string {
  return code.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function shortText(text: string): string {
  return text.length <= EVENT_TEXT_MAX ? text : `${text.slice(0, EVENT_TEXT_MAX - 1)}…`;
}
