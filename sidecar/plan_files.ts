/** PlanFiles: reads a plan again and again from the files that it comes from. Says what is wrong; decides nothing. */
import type { Finding } from "../base/finding.ts";
import type { PartKey } from "../routing/parts.ts";
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
  const { FollowedInput } = await import("./compile_input.ts");
  const input = new FollowedInput(origin, environment);
  /** Keys of the parts that are other ones than those that are served. */
  const untold = new Set<PartKey>();
  return {
    paths: origin.paths,
    recursive: origin.recursive,
    async read() {
      const { findings, changed, parts, header, hash, serviceCount } = await input.read();
      for (const key of changed) untold.add(key);
      const error = findings.find(({ severity }) => severity === "error");
      if (error !== undefined) {
        const problem = `The manifests have errors: ${error.message}`;
        return { plan: null, findings, problem };
      }
      const plan: ReadPlan = {
        hash,
        permissive: header.permissive,
        serviceCount,
        serve(source) {
          source.change([...untold].map((key) => [key, parts.get(key)] as const), header);
          untold.clear();
        },
        release() {},
      };
      return { plan, findings, problem: "" };
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

function refusal(problem: string): PlanReading {
  return { plan: null, findings: [], problem };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
