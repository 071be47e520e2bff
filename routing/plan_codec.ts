/**
 * Plans as text: canonical encoding, content hash, and decoding that lets nothing past which `compile` could not
 * have written. A plan that decodes may be built into a table without another look.
 */
import { sha256Hex } from "../base/hash.ts";
import { NAME_LENGTH_MAX } from "../base/limits.ts";
import { type Plan, PLAN_VERSION } from "./plan.ts";
import { checkPlan } from "./plan_check.ts";
import { PLAN_TEXT_MAX } from "./limits.ts";

/** Names in `Plan.requires` that this program obeys. The first version of the plan needs none. */
const KNOWN_REQUIREMENTS: ReadonlySet<string> = new Set();

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
  const unknown = requirementsOf(value).find((name) => !KNOWN_REQUIREMENTS.has(name));
  if (unknown !== undefined) {
    return refusal(
      `The plan needs "${unknown}", which this program does not know: run a newer version of it`,
    );
  }
  const checked = checkPlan(value);
  if (!checked.ok) return checked;
  if (isHashOf(text, checked.plan.hash)) return checked;
  const hash = hashPlan(checked.plan);
  if (hash !== checked.plan.hash) {
    return refusal(`The plan was changed on its way: its content has hash ${hash.slice(0, 12)}…`);
  }
  return checked;
}

/** Whether the text is canonical and has this hash: then it need not be written once more to know. */
function isHashOf(text: string, hash: string): boolean {
  // No text within the plan has quotes without a backslash before them.
  const field = `"hash":"${hash}",`;
  const at = text.indexOf(field);
  return at > 0 && sha256Hex(text.slice(0, at) + text.slice(at + field.length)) === hash;
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
