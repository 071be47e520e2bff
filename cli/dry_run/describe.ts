/** Conditions of a rule, in one line for a person. */
import type { PlanMatch } from "../../routing/plan.ts";

/** `GET|PUT /test with user-agent: Android`: methods, path pattern, header patterns. */
export function describeMatch(match: Pick<PlanMatch, "path" | "methods" | "headers">): string {
  const methods = match.methods === null ? "any method" : match.methods.join("|");
  const path = match.path === null ? "any path" : match.path;
  const headers = match.headers.map(({ name, pattern }) => `${name}: ${pattern}`);
  return [methods, path, ...(headers.length === 0 ? [] : ["with", headers.join(", ")])].join(" ");
}
