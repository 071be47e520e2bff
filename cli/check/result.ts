/** What a check of a cluster finds, and what it is given to look with. */
import type { Installation } from "../../controller/install/installations.ts";
import type { KubeClient } from "../../controller/kube/client.ts";

/** `info` is worth knowing and nothing to mend; only `error` makes the command fail. */
export type CheckState = "ok" | "info" | "warning" | "error";

export interface CheckResult {
  /** A stable name for scripts. */
  readonly check: string;
  readonly state: CheckState;
  readonly message: string;
  /** The way out; empty where there is nothing to do. */
  readonly hint: string;
}

export interface CheckContext {
  readonly client: KubeClient;
  /** Null: there is none yet. */
  readonly installation: Installation | null;
  /** Where it is, or is going to be. */
  readonly namespace: string;
}

/** Looks at one thing, or at several of a kind. */
export type ClusterCheck = (context: CheckContext) => Promise<CheckResult | readonly CheckResult[]>;

export function good(check: string, message: string): CheckResult {
  return { check, state: "ok", message, hint: "" };
}

export function found(
  check: string,
  state: Exclude<CheckState, "ok">,
  message: string,
  hint = "",
): CheckResult {
  return { check, state, message, hint };
}

/** `a, b, c and 4 more`. */
export function someOf(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(", ");
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
