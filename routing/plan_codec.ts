/**
 * Plans as text: canonical encoding, content hash, and decoding that lets nothing past which `compile` could not
 * have written. A plan that decodes may be built into a table without another look.
 */
import { sha256Hex } from "../base/hash.ts";
import { type Plan, PLAN_VERSION } from "./plan.ts";
import { checkPlan } from "./plan_check.ts";
import { PLAN_TEXT_MAX } from "./limits.ts";

/** The plan as canonical JSON: keys sorted, no whitespace, so equal plans are equal texts. */
export function encodePlan(plan: Plan): string {
  return canonicalJson(plan);
}

/** SHA-256 over the canonical JSON of everything but the hash itself, 64 hex digits. */
export function hashPlan(plan: Omit<Plan, "hash">): string {
  const { hash: _, ...content } = plan as Plan;
  return sha256Hex(canonicalJson(content));
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
  const version = versionOf(value);
  if (version !== PLAN_VERSION) {
    return refusal(
      version === undefined
        ? "The text is not a plan: it has no version"
        : `The plan has version ${version}; this program reads version ${PLAN_VERSION}`,
    );
  }
  const checked = checkPlan(value);
  if (!checked.ok) return checked;
  const hash = hashPlan(checked.plan);
  if (hash !== checked.plan.hash) {
    return refusal(`The plan was changed on its way: its content has hash ${hash.slice(0, 12)}…`);
  }
  return checked;
}

/** JSON with sorted keys and without whitespace. As in `JSON.stringify`, undefined members are left out. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const members: string[] = [];
  for (const key of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[key];
    if (member === undefined) continue;
    members.push(`${JSON.stringify(key)}:${canonicalJson(member)}`);
  }
  return `{${members.join(",")}}`;
}

function versionOf(value: unknown): number | undefined {
  if (typeof value !== "object" || value === null || !("version" in value)) return undefined;
  return typeof value.version === "number" ? value.version : undefined;
}

function refusal(message: string): { readonly ok: false; readonly message: string } {
  return { ok: false, message };
}
