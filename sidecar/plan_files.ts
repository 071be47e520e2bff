/** PlanFiles: reads a plan again and again from the files that it comes from. Says what is wrong; decides nothing. */
import type { Finding } from "../base/finding.ts";
import type { Plan } from "../routing/plan.ts";
import type { Environment } from "../console/environment.ts";
import type { LocalSource } from "./local_source.ts";
import { PlanFile } from "./plan_file.ts";
import type { PlanOrigin } from "./settings.ts";

/** A plan that was read. */
export interface ReadPlan {
  readonly hash: string;
  readonly permissive: boolean;
  readonly serviceCount: number;
  /** Has a source answer from it. */
  serve(source: LocalSource): void;
  /** It is not served, or not any more. */
  release(): void;
}

/** One reading. */
interface PlanReading {
  /** Null if what was read may not be served. */
  readonly plan: ReadPlan | null;
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

/**
 * Opens them. With a plan file no YAML is loaded: a sidecar then is half as large.
 * @param withAddresses addresses of endpoints will be asked about
 */
export async function openPlanFiles(
  origin: Exclude<PlanOrigin, { readonly kind: "controller" }>,
  environment: Environment,
  withAddresses: boolean,
): Promise<PlanFiles> {
  if (origin.kind === "plan") {
    const { file } = origin;
    return { paths: [file], recursive: false, read: () => readPlanFile(file, withAddresses) };
  }
  const { compileInput } = await import("./compile_input.ts");
  const options = { ...origin, isForProxy: true };
  return {
    paths: origin.paths,
    recursive: origin.recursive,
    async read() {
      const { plan, findings } = await compileInput(options, environment);
      const error = findings.find(({ severity }) => severity === "error");
      return error === undefined
        ? { plan: readPlanOf(plan), findings, problem: "" }
        : { plan: null, findings, problem: `The manifests have errors: ${error.message}` };
    },
  };
}

async function readPlanFile(path: string, withAddresses: boolean): Promise<PlanReading> {
  try {
    const file = await PlanFile.open(path, withAddresses);
    const { hash, header: { permissive }, serviceCount } = file;
    const plan: ReadPlan = {
      hash,
      permissive,
      serviceCount,
      serve: (source) => source.setFile(file),
      release: () => file.close(),
    };
    return { plan, findings: [], problem: "" };
  } catch (error) {
    // Only errors of the system have a code.
    const isUnread = error instanceof Error && "code" in error;
    const reason = error instanceof Deno.errors.NotFound ? "no such file" : messageOf(error);
    return refusal(`Cannot ${isUnread ? "read" : "use"} plan "${path}": ${reason}`);
  }
}

function readPlanOf(plan: Plan): ReadPlan {
  return {
    hash: plan.hash,
    permissive: plan.permissive,
    serviceCount: plan.services.length,
    serve: (source) => source.set(plan),
    release() {},
  };
}

function refusal(problem: string): PlanReading {
  return { plan: null, findings: [], problem };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
