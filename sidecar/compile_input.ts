/**
 * Manifests to plan: the one way in which dry-run, explain, the sidecar and the local mesh read files. Loads YAML, so a
 * command imports it in its action.
 */
import { type Finding, FINDING_CODES } from "../base/finding.ts";
import { compareText } from "../base/order.ts";
import { compile } from "../routing/compile/compile.ts";
import { Compiler } from "../routing/compile/compiler.ts";
import { FollowedSnapshot } from "../routing/compile/followed_snapshot.ts";
import {
  groupKey,
  hashPart,
  type Part,
  type PartKey,
  PlanDigest,
  type PlanHeader,
} from "../routing/parts.ts";
import type { Plan, PlanEndpoint, PlanService } from "../routing/plan.ts";
import { ReadMemory } from "../schemas/read_memory.ts";
import type { Snapshot } from "../schemas/resources.ts";
import { type FileTree, loadPaths } from "../schemas/source.ts";
import { expandWorkloads } from "../schemas/workloads.ts";
import type { Environment } from "../console/environment.ts";

export interface InputOptions {
  /** Files and directories; `-` is standard input. */
  readonly paths: readonly string[];
  readonly recursive: boolean;
  /** For resources that name no namespace. */
  readonly namespace: string;
  /** False: traffic targets are enforced. */
  readonly permissive: boolean;
  /** Left out: what the mesh does not know is passed on. */
  readonly egress?: boolean;
  /** The DNS domain of the cluster. */
  readonly clusterDomain?: string | undefined;
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
  const read = await readInput(options, environment);
  const { plan, findings } = compile(read.snapshot, options);
  const unreachable = options.isForProxy === true
    ? findUnreachable(plan.services, (id) => plan.groups[id])
    : [];
  return { ...read, plan, findings: [...read.findings, ...findings, ...unreachable] };
}

/** @param memory of earlier readings */
async function readInput(
  options: InputOptions,
  environment: Environment,
  memory?: ReadMemory,
): Promise<Omit<CompiledInput, "plan">> {
  const { snapshot, findings, files } = await loadPaths(options.paths, {
    defaultNamespace: options.namespace,
    recursive: options.recursive,
    ...(options.tree === undefined ? {} : { tree: options.tree }),
    ...(memory === undefined ? {} : { memory }),
    stdin: () => environment.readStdin(),
  });
  return { snapshot: expandWorkloads(snapshot), findings, files };
}

/** The plan of manifests that are read again and again. */
interface InputParts {
  readonly header: PlanHeader;
  readonly hash: string;
  readonly serviceCount: number;
  /** As of the last reading. */
  readonly parts: ReadonlyMap<PartKey, Part>;
  /** Of the parts that are different since the reading before. */
  readonly changed: ReadonlySet<PartKey>;
  readonly findings: readonly Finding[];
}

/** Reads the same paths again and again. What has not changed is not compiled again, and of files that are the same not even parsed. */
export class FollowedInput {
  readonly #options: InputOptions;
  readonly #environment: Environment;
  readonly #compiler: Compiler;
  readonly #snapshot: FollowedSnapshot;
  readonly #memory = new ReadMemory();
  readonly #digest = new PlanDigest();

  constructor(options: InputOptions, environment: Environment) {
    this.#options = options;
    this.#environment = environment;
    this.#compiler = new Compiler({
      permissive: options.permissive,
      egress: options.egress ?? true,
    });
    this.#snapshot = new FollowedSnapshot(this.#compiler);
  }

  /** As `compileInput`, for a proxy. */
  async read(): Promise<InputParts> {
    const read = await readInput(this.#options, this.#environment, this.#memory);
    this.#snapshot.take(read.snapshot);
    const { parts: changed } = this.#compiler.refresh();
    const { parts, header, findings } = this.#compiler;
    for (const key of changed) {
      const part = parts.get(key);
      this.#digest.set(key, part === undefined ? undefined : hashPart(part));
    }
    const services = servicesOf(parts);
    const unreachable = findUnreachable(services, (id) => {
      const group = parts.get(groupKey(id));
      return group !== undefined && "endpoints" in group ? group.endpoints : undefined;
    });
    return {
      header,
      hash: this.#digest.hash(header),
      serviceCount: services.length,
      parts,
      changed,
      findings: [...read.findings, ...findings, ...unreachable],
    };
  }
}

/** In the order of a plan. */
function servicesOf(parts: ReadonlyMap<PartKey, Part>): PlanService[] {
  const services: PlanService[] = [];
  for (const part of parts.values()) {
    if ("service" in part && part.service !== undefined) services.push(part.service);
  }
  return services.sort((a, b) =>
    compareText(a.namespace, b.namespace) || compareText(a.name, b.name)
  );
}

/** Services whose pods are known by their workloads alone: a proxy has no address to send requests to. */
function findUnreachable(
  services: readonly PlanService[],
  endpointsOf: (group: string) => readonly PlanEndpoint[] | undefined,
): Finding[] {
  return services.flatMap(({ namespace, name, ports, position }) => {
    const endpoints = ports.flatMap(({ port }) =>
      endpointsOf(`${namespace}/${name}:${port}`) ?? []
    );
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
