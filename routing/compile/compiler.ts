/**
 * Compiler: holds the resources of a mesh, takes their changes, and keeps what they come to: the parts of a plan, and Findings. A change
 * costs what depends on it (`incremental.ts`). `compile.ts` is the same for a Snapshot that is there at once.
 */
import type { Finding } from "../../base/finding.ts";
import type { Egress, Snapshot, TrafficSplit, TrafficTarget } from "../../schemas/resources.ts";
import type { Part, PartKey, PlanHeader } from "../parts.ts";
import { changeCatalog, type ResourceKind, type ResourceOf } from "./catalog_changes.ts";
import { CompiledParts } from "./compiled_parts.ts";
import { DerivedValues } from "./derived_values.ts";
import { FindingChecks, WorkloadChecks } from "./finding_checks.ts";
import { orderFindings } from "./findings.ts";
import { compiledHeader } from "./header.ts";
import type { ResourceChange } from "./indexes.ts";
import { Counter, keepAll } from "./kept.ts";
import { accountCalledBy, sourceAccount } from "./keys.ts";

export interface CompileOptions {
  /** The cluster's DNS domain; default `cluster.local`. */
  readonly clusterDomain?: string | undefined;
  /** Default true: traffic targets are not enforced. */
  readonly permissive?: boolean;
  /** Default true: what the mesh does not know is passed on. */
  readonly egress?: boolean;
}

/** What changes came to. */
interface CompiledChanges {
  /** Keys of parts that are new, different or gone. */
  readonly parts: ReadonlySet<PartKey>;
  readonly findings: { readonly came: readonly Finding[]; readonly went: readonly Finding[] };
}

export class Compiler {
  readonly clusterDomain: string;
  readonly permissive: boolean;
  readonly egress: boolean;
  readonly #values: DerivedValues;
  readonly #parts: CompiledParts;
  readonly #checks: FindingChecks;
  readonly #workloadChecks: WorkloadChecks;
  /** How many splits name a root. */
  readonly #splitCounts = new Counter();

  constructor({ clusterDomain, permissive = true, egress = true }: CompileOptions = {}) {
    this.clusterDomain = clusterDomain?.toLowerCase() ?? "cluster.local";
    this.permissive = permissive;
    this.egress = egress;
    this.#values = new DerivedValues(this.clusterDomain, {
      namespace: (change, key) => keepAll(change, key, [this.#parts.namespaceModes]),
      service: (change, key) =>
        keepAll(change, key, [this.#parts.routes, this.#parts.serviceGroups]),
      split: (change, key) => this.#splitChanged(change, key),
      group: (change, key) => keepAll(change, key, [this.#checks.groups]),
      target: (change, key) => this.#targetChanged(change, key),
      policy: (change, key) => keepAll(change, key, [this.#checks.policies]),
      egress: (change, key) => this.#egressChanged(change, key),
      ingress: (change, key) => keepAll(change, key, [this.#parts.ingresses]),
      route: (change, key) => keepAll(change, key, [this.#checks.routes]),
      pod: (change) => this.#workloadChecks.change(change),
      workload: (change) => this.#workloadChecks.change(change),
    });
    this.#parts = new CompiledParts(this.#values, permissive);
    this.#checks = new FindingChecks(this.#values, { egress });
    this.#workloadChecks = new WorkloadChecks(this.#values, permissive);
  }

  /** Takes all of a Snapshot. */
  add(snapshot: Snapshot): void {
    for (const kind of Object.keys(snapshot) as ResourceKind[]) {
      for (const after of snapshot[kind]) this.change(kind, null, after);
    }
  }

  /**
   * A resource is new (`before` null), gone (`after` null), or another now. Costs little: what depends on it is worked out by
   * `refresh`, once for all changes.
   *
   * @param before the very object that it was given as
   */
  change<Kind extends ResourceKind>(
    kind: Kind,
    before: ResourceOf<Kind> | null,
    after: ResourceOf<Kind> | null,
  ): void {
    changeCatalog(this.#values.catalog, kind, { before, after });
  }

  /** Brings the parts and the Findings up to date; what is different since the last call. */
  refresh(): CompiledChanges {
    this.#values.incremental.refresh();
    const findings = this.#values.incremental.takeFindingChanges();
    return { parts: this.#parts.takeChanged(), findings };
  }

  /** The Findings that a change would make come and go. It is not made; the next `refresh` may name parts that are as before. */
  tryChange<Kind extends ResourceKind>(
    kind: Kind,
    before: ResourceOf<Kind> | null,
    after: ResourceOf<Kind> | null,
  ): CompiledChanges["findings"] {
    return this.#values.incremental.tried(
      () => this.change(kind, before, after),
      () => this.change(kind, after, before),
    );
  }

  /** As of the last `refresh`, in no order. */
  get parts(): ReadonlyMap<PartKey, Part> {
    return this.#parts.all;
  }

  /** What holds for all parts, as of the last `refresh`. */
  get header(): PlanHeader {
    const { clusterDomain, permissive, egress } = this;
    const { hasGatewayRoutes, mtls } = this.#parts;
    return compiledHeader({ clusterDomain, permissive, egress, hasGatewayRoutes, mtls });
  }

  /** As of the last `refresh`, by file, line and column. */
  get findings(): Finding[] {
    return orderFindings(this.#values.incremental.findings());
  }

  #splitChanged({ before, after }: ResourceChange<TrafficSplit>, key: string): void {
    keepAll({ before, after }, key, [this.#checks.splits]);
    const rootOf = (split: TrafficSplit | null) =>
      split === null ? undefined : this.#values.catalog.rootKeyOf(split);
    this.#splitCounts.move(rootOf(before), rootOf(after), this.#checks.ofRoot);
  }

  #targetChanged({ before, after }: ResourceChange<TrafficTarget>, key: string): void {
    if (this.permissive) return keepAll({ before, after }, key, [this.#checks.ignoredTargets]);
    const accountOf = (target: TrafficTarget | null) =>
      target === null ? undefined : accountCalledBy(target);
    this.#parts.moveAccess(accountOf(before), accountOf(after));
  }

  #egressChanged({ before, after }: ResourceChange<Egress>, key: string): void {
    keepAll({ before, after }, key, [this.#checks.egresses]);
    // First what is added: what both have is not worked out twice.
    for (const each of after?.sources ?? []) {
      this.#parts.moveAccess(undefined, sourceAccount(each));
    }
    for (const each of before?.sources ?? []) {
      this.#parts.moveAccess(sourceAccount(each), undefined);
    }
  }
}
