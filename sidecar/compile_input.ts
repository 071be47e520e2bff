/**
 * Manifests to plan: the one way in which dry-run, explain, the sidecar and the local mesh read files. Loads YAML, so a
 * command imports it in its action.
 */
import { type Finding, FINDING_CODES } from "../base/finding.ts";
import { compile } from "../routing/compile/compile.ts";
import type { Plan } from "../routing/plan.ts";
import type { Snapshot } from "../schemas/resources.ts";
import { type FileTree, loadPaths } from "../schemas/source.ts";
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
  /** Left out: the files of this machine. */
  readonly tree?: FileTree;
  /** A proxy is to serve the plan, so that endpoints without an address are worth a Finding. */
  readonly isForProxy?: boolean;
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
    ...(options.tree === undefined ? {} : { tree: options.tree }),
    stdin: () => environment.readStdin(),
  });
  const snapshot = expandWorkloads(loaded.snapshot);
  const { plan, findings } = compile(snapshot, { permissive: options.permissive });
  const unreachable = options.isForProxy === true ? findUnreachable(plan) : [];
  return {
    snapshot,
    plan,
    findings: [...loaded.findings, ...findings, ...unreachable],
    files: loaded.files,
  };
}

/** Services whose pods are known by their workloads alone: a proxy has no address to send requests to. */
function findUnreachable({ services, groups }: Plan): Finding[] {
  return services.flatMap(({ namespace, name, ports, position }) => {
    const endpoints = ports.flatMap(({ port }) => groups[`${namespace}/${name}:${port}`] ?? []);
    if (endpoints.length === 0 || endpoints.some(({ address }) => address !== "")) return [];
    return {
      code: "endpoints-no-address",
      severity: FINDING_CODES["endpoints-no-address"][0],
      message: `No endpoint of ${JSON.stringify(name)} has an address: requests are answered 503`,
      hint:
        "Add EndpointSlices or pods with their status; `weft up` runs workloads on this machine",
      resource: { kind: "Service", namespace, name },
      ...(position === null ? {} : { position }),
    };
  });
}
