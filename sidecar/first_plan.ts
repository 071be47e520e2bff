/** What a sidecar starts with: its source's plan, or the one that an earlier run saved where the source gives none. */
import type { Finding } from "../base/finding.ts";
import { readSavedPlan, type SavedPlan } from "../proxy/run/plan_keeper.ts";
import type { Plan } from "../routing/plan.ts";
import { CommandFailure } from "../console/exit.ts";
import type { PlanReading } from "./plan_source.ts";

export interface FirstPlan {
  readonly plan: Plan;
  /** Null: the plan is the source's. */
  readonly restored: SavedPlan | null;
  /** About the choice, not about the source. */
  readonly findings: readonly Finding[];
}

/**
 * @param directory where plans are saved; undefined: nowhere
 * @throws {CommandFailure} there is no plan to start with
 */
export async function firstPlan(
  { plan, problem }: PlanReading,
  directory: string | undefined,
  nowMs: number,
): Promise<FirstPlan> {
  if (plan !== null) return { plan, restored: null, findings: [] };
  if (directory === undefined) throw new CommandFailure(problem);
  let saved: SavedPlan | null;
  try {
    saved = await readSavedPlan(directory);
  } catch (error) {
    throw new CommandFailure(`${problem}. ${error instanceof Error ? error.message : error}`);
  }
  if (saved === null) throw new CommandFailure(`${problem}. No plan is saved in "${directory}"`);
  const age = formatAge(nowMs - saved.savedAtMs);
  const restored: Finding = {
    code: "plan-restored",
    severity: "warning",
    message: `Plan ${saved.plan.hash.slice(0, 12)}, saved ${age} ago, is served: ${problem}`,
    hint: "It stays in force until its source gives a plan",
  };
  return { plan: saved.plan, restored: saved, findings: [restored] };
}

const UNITS = [["d", 86_400], ["h", 3_600], ["min", 60]] as const;

/** In the largest unit that it has one of: `3 h`, `12 s`. */
export function formatAge(ageMs: number): string {
  // A clock that was set back must not make a plan come from the future.
  const seconds = Math.max(0, Math.floor(ageMs / 1_000));
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? ["s", 1];
  return `${Math.floor(seconds / size)} ${unit}`;
}
