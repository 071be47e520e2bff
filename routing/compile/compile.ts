/**
 * compile: from a Snapshot to a Plan and Findings. The one entry where all resources are there at once: in the sidecar, dry-run and tests. Pure:
 * no clock, no I/O, no randomness; the same set of resources in any order gives the same bytes.
 */
import type { Finding } from "../../base/finding.ts";
import type { Snapshot } from "../../schemas/resources.ts";
import { composePlan, hashPart, PlanDigest } from "../parts.ts";
import type { Plan } from "../plan.ts";
import { type CompileOptions, Compiler } from "./compiler.ts";

interface Compilation {
  readonly plan: Plan;
  /** By file, line and column. The plan is usable whatever they say. */
  readonly findings: readonly Finding[];
}

/** Never throws: whatever is wrong with the resources is a Finding. */
export function compile(snapshot: Snapshot, options: CompileOptions = {}): Compilation {
  const compiler = new Compiler(options);
  compiler.add(snapshot);
  compiler.refresh();
  return { plan: wholePlan(compiler), findings: compiler.findings };
}

/** All parts in one. */
export function wholePlan({ parts, header }: Compiler): Plan {
  const digest = new PlanDigest();
  for (const [key, part] of parts) digest.set(key, hashPart(part));
  return composePlan(header, parts, digest.hash(header));
}
