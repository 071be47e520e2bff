/**
 * Plans as text: canonical encoding, content hash, and decoding that lets nothing past which `compile` could not
 * have written. A plan that decodes may be built into a table without another look.
 */
import { canonicalJson } from "../base/canonical_json.ts";
import { NAME_LENGTH_MAX } from "../base/limits.ts";
import { EGRESS_OFF, GATEWAY_ROUTES, type Plan, PLAN_VERSION } from "./plan.ts";
import { hashPlan, partHashes } from "./parts.ts";
import { checkPlan } from "./plan_check.ts";
import { PLAN_TEXT_MAX } from "./limits.ts";

/** Names in `Plan.requires` that this program obeys: what plans of before its first proxies did not have. */
const KNOWN_REQUIREMENTS: ReadonlySet<string> = new Set([EGRESS_OFF, GATEWAY_ROUTES]);

/** The plan as canonical JSON, so equal plans are equal texts, with the hashes of its parts by key as `parts`. */
export function encodePlan(plan: Plan): string {
  return canonicalJson({ ...plan, parts: Object.fromEntries(partHashes(plan)) });
}

/** Reads what {@link encodePlan} wrote. Never throws, whatever the text is; `message` is one line for people. */
export function decodePlan(
  text: string,
): { readonly ok: true; readonly plan: Plan } | { readonly ok: false; readonly message: string } {
  if (text.length > PLAN_TEXT_MAX) {
    return refusal(`The plan has ${text.length} characters; at most ${PLAN_TEXT_MAX} are read`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refusal("The plan is not JSON");
  }
  const problem = headerProblem(value);
  if (problem !== null) return refusal(problem);
  // They follow from the rest, which has the plan's own hash.
  if (typeof value === "object" && value !== null && "parts" in value) delete value.parts;
  const checked = checkPlan(value);
  if (!checked.ok) return checked;
  const hash = hashPlan(checked.plan);
  if (hash !== checked.plan.hash) {
    return refusal(`The plan was changed on its way: its content has hash ${hash.slice(0, 12)}…`);
  }
  return checked;
}

/** Why this program must not read what has this header; null: it may. */
export function headerProblem(header: unknown): string | null {
  const version = versionOf(header);
  if (version === undefined) return "The text is not a plan: it has no version";
  if (version !== PLAN_VERSION) {
    return `The plan has version ${version}; this program reads version ${PLAN_VERSION}`;
  }
  const unknown = requirementsOf(header).find((name) => !KNOWN_REQUIREMENTS.has(name));
  return unknown === undefined
    ? null
    : `The plan needs "${unknown}", which this program does not know: run a newer version of it`;
}

function versionOf(value: unknown): number | undefined {
  if (typeof value !== "object" || value === null || !("version" in value)) return undefined;
  return typeof value.version === "number" ? value.version : undefined;
}

/** What it names, as far as it can be read; the rest is for `checkPlan` to refuse. */
function requirementsOf(value: unknown): string[] {
  if (typeof value !== "object" || value === null || !("requires" in value)) return [];
  const { requires } = value;
  if (!Array.isArray(requires)) return [];
  return requires.filter((name) => typeof name === "string")
    .map((name) => name.slice(0, NAME_LENGTH_MAX).replace(/\p{Cc}/gu, " "));
}

function refusal(message: string): { readonly ok: false; readonly message: string } {
  return { ok: false, message };
}
