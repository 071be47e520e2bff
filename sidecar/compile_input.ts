/**
 * Manifests to plan: the one way in which dry-run, explain, the sidecar and the local mesh read files. Loads YAML, so a
 * command imports it in its action.
 */
import type { Finding } from "../base/finding.ts";
import { compile } from "../routing/compile/compile.ts";
import type { Plan } from "../routing/plan.ts";
import type { Snapshot } from "../schemas/resources.ts";
import { loadPaths } from "../schemas/source.ts";
import { expandWorkloads } from "../schemas/workloads.ts";
import type { Environment } from "../console/environment.ts";

interface InputOptions {
  /** Files and directories; `-` is standard input. */
  readonly paths: readonly string[];
  readonly recursive: boolean;
  /** For resources that name no namespace. */
  readonly namespace: string;
  /** False: traffic targets are enforced. */
  readonly permissive: boolean;
  /** Gives an address to a pod that has none, so that a proxy can reach it; undefined: it keeps none. */
  readonly addressOf?: (namespace: string, pod: string) => string;
}

export interface CompiledInput {
  /** With the pods that the workloads in it would make. */
  readonly snapshot: Snapshot;
  readonly plan: Plan;
  /** Of reading and of compiling. */
  readonly findings: readonly Finding[];
  /** Every file that was read. */
  readonly files: readonly string[];
}

/** Reads and compiles. What is wrong with the input is in the Findings; it never throws for that. */
export async function compileInput(
  options: InputOptions,
  environment: Environment,
): Promise<CompiledInput> {
  const loaded = await loadPaths(options.paths, {
    defaultNamespace: options.namespace,
    recursive: options.recursive,
    stdin: () => environment.readStdin(),
  });
  const snapshot = expandWorkloads(loaded.snapshot, options.addressOf);
  const { plan, findings } = compile(snapshot, { permissive: options.permissive });
  return { snapshot, plan, findings: [...loaded.findings, ...findings], files: loaded.files };
}
