/** PlanFiles: reads a plan again and again from the files that it comes from. Says what is wrong; decides nothing. */
import type { Finding } from "../base/finding.ts";
import type { Plan } from "../routing/plan.ts";
import { decodePlan } from "../routing/plan_codec.ts";
import type { Environment } from "../console/environment.ts";
import type { PlanOrigin } from "./settings.ts";

/** One reading. */
interface PlanReading {
  /** Null if what was read may not be served. */
  readonly plan: Plan | null;
  readonly findings: readonly Finding[];
  /** Why there is no plan, in one line; empty if there is one. */
  readonly problem: string;
}

export interface PlanFiles {
  /** Files and directories to watch. */
  readonly paths: readonly string[];
  readonly recursive: boolean;
  /** Never rejects for what is wrong with the files. */
  read(): Promise<PlanReading>;
}

/** Opens them. With a plan file no YAML is loaded: a sidecar then is half as large. */
export async function openPlanFiles(
  origin: Exclude<PlanOrigin, { readonly kind: "controller" }>,
  environment: Environment,
): Promise<PlanFiles> {
  if (origin.kind === "plan") {
    return { paths: [origin.file], recursive: false, read: () => readPlanFile(origin.file) };
  }
  const { compileInput } = await import("./compile_input.ts");
  const { PodAddresses } = await import("../schemas/pod_addresses.ts");
  // One book for all readings: a pod keeps its address when another one comes.
  const addresses = new PodAddresses();
  const options = {
    ...origin,
    addressOf: (namespace: string, pod: string) => addresses.addressOf(namespace, pod),
  };
  return {
    paths: origin.paths,
    recursive: origin.recursive,
    async read() {
      const { plan, findings } = await compileInput(options, environment);
      const error = findings.find(({ severity }) => severity === "error");
      return error === undefined
        ? { plan, findings, problem: "" }
        : { plan: null, findings, problem: `The manifests have errors: ${error.message}` };
    },
  };
}

async function readPlanFile(file: string): Promise<PlanReading> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound ? "no such file" : messageOf(error);
    return refusal(`Cannot read plan "${file}": ${reason}`);
  }
  const decoded = decodePlan(text);
  return decoded.ok
    ? { plan: decoded.plan, findings: [], problem: "" }
    : refusal(`Cannot use plan "${file}": ${decoded.message}`);
}

function refusal(problem: string): PlanReading {
  return { plan: null, findings: [], problem };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
