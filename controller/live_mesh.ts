/**
 * LiveMesh: what changes in the cluster, compiled, for the proxies that ask for it. Changes that come together are compiled together; an
 * endpoint that goes is told at once, because calls to it fail.
 */
import type { Finding } from "../base/finding.ts";
import type { Log } from "../base/log.ts";
import { isSameData } from "../base/same_data.ts";
import { Compiler } from "../routing/compile/compiler.ts";
import type { PlanHeader } from "../routing/parts.ts";
import { MeshParts } from "../routing/source/mesh.ts";
import type { EndpointSlice } from "../schemas/resources.ts";
import { CHANGE_MS_MAX, QUIET_MS } from "./limits.ts";
import type { ControllerCounts } from "./metrics.ts";
import type { ObjectChange } from "./objects.ts";

interface LiveMeshParts {
  readonly clusterDomain: string;
  readonly permissive: boolean;
  readonly egress: boolean;
  readonly counts: ControllerCounts;
  readonly log: Log;
  /** What had changed is compiled, and proxies are told. */
  readonly onCompiled: () => void;
  readonly onFindings: (came: readonly Finding[], went: readonly Finding[]) => void;
}

export class LiveMesh {
  readonly parts: MeshParts;
  readonly #clusterDomain: string;
  #compiler: Compiler;
  readonly #counts: ControllerCounts;
  readonly #log: Log;
  readonly #onCompiled: () => void;
  readonly #onFindings: LiveMeshParts["onFindings"];
  /** Whether callers may do without mutual TLS where nothing else says so, as `base/mtls_mode.ts` reads it. */
  #mtlsMode = "permissive";
  #isOpen = false;
  /** Changes that came, and those that are compiled. */
  #changes = 0;
  #compiled = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the first change came that has not been compiled; null: all have. */
  #changedAtMs: number | null = null;

  constructor(
    { clusterDomain, permissive, egress, counts, log, onCompiled, onFindings }: LiveMeshParts,
  ) {
    this.#compiler = new Compiler({ clusterDomain, permissive, egress });
    this.#clusterDomain = clusterDomain;
    this.#counts = counts;
    this.#log = log;
    this.#onCompiled = onCompiled;
    this.#onFindings = onFindings;
    this.parts = new MeshParts(this.#header);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** How many changes there have been: a mark that {@link isCompiled} takes. */
  get changes(): number {
    return this.#changes;
  }

  /** Whether what proxies are told has all changes up to this mark. */
  isCompiled(mark: number): boolean {
    return this.#compiled >= mark;
  }

  change({ list, before, after }: ObjectChange): void {
    this.#changes++;
    this.#compiler.change(list, before, after);
    this.#changedAtMs ??= performance.now();
    if (!this.#isOpen) return;
    const isUrgent = list === "endpointSlices" && before !== null &&
      losesEndpoint(before as EndpointSlice, after as EndpointSlice | null);
    this.#schedule(isUrgent ? 0 : QUIET_MS);
  }

  /** Findings that a change would bring, which is not made; null: not all is known yet. */
  tryChange({ list, before, after }: ObjectChange): readonly Finding[] | null {
    return this.#isOpen ? this.#compiler.tryChange(list, before, after).came : null;
  }

  /** Tells every proxy at once; nothing depends on it but what each does by itself. */
  setMtlsMode(mode: string): void {
    if (mode === this.#mtlsMode) return;
    this.#mtlsMode = mode;
    this.parts.change([], this.#header);
    this.#onCompiled();
    this.#log.info("Mutual TLS of the mesh", { mode });
  }

  get #header(): PlanHeader {
    const { header } = this.#compiler;
    if (header.mtls === undefined && this.#mtlsMode === "permissive") return header;
    return { ...header, mtls: { mesh: this.#mtlsMode, namespaces: {}, ...header.mtls } };
  }

  /** Compiles all of it anew where it has changed whether traffic targets count, or what leaves the mesh is passed on. */
  setTraffic(
    { permissive, egress }: { readonly permissive: boolean; readonly egress: boolean },
    all: Iterable<ObjectChange>,
  ): void {
    const before = this.#compiler;
    if (permissive === before.permissive && egress === before.egress) return;
    if (this.#isOpen) this.#refresh();
    const after = new Compiler({ clusterDomain: this.#clusterDomain, permissive, egress });
    for (const { list, after: resource } of all) after.change(list, null, resource);
    after.refresh();
    this.#compiler = after;
    const keys = new Set([...before.parts.keys(), ...after.parts.keys()]);
    const changed = [...keys].filter((key) =>
      !isSameData(before.parts.get(key), after.parts.get(key))
    );
    this.parts.change(changed.map((key) => [key, after.parts.get(key)] as const), this.#header);
    this.#compiled = this.#changes;
    this.#counts.parts = after.parts.size;
    this.#counts.findings = after.findings.length;
    this.#onFindings(...findingsApart(before.findings, after.findings));
    this.#onCompiled();
    this.#log.info("Compiled anew", { permissive, egress, parts: changed.length });
  }

  /** All that there is has been given: from now on it is kept up to date. */
  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#changedAtMs ??= performance.now();
    this.#refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#isOpen = false;
  }

  #schedule(quietMs: number): void {
    clearTimeout(this.#timer);
    const waitedMs = performance.now() - (this.#changedAtMs ?? 0);
    const waitMs = Math.max(0, Math.min(quietMs, CHANGE_MS_MAX - waitedMs));
    this.#timer = setTimeout(() => this.#refresh(), waitMs);
  }

  #refresh(): void {
    const startMs = performance.now();
    const changedAtMs = this.#changedAtMs ?? startMs;
    this.#changedAtMs = null;
    this.#compiled = this.#changes;
    const { parts, findings } = this.#compiler.refresh();
    const changed = [...parts].map((key) => [key, this.#compiler.parts.get(key)] as const);
    this.parts.change(changed, this.#header);
    const endMs = performance.now();
    this.#counts.compile.observe(endMs - startMs);
    this.#counts.change.observe(endMs - changedAtMs);
    this.#counts.parts = this.#compiler.parts.size;
    this.#counts.findings += findings.came.length - findings.went.length;
    this.#onFindings(findings.came, findings.went);
    this.#onCompiled();
    if (parts.size === 0) return;
    const fields = { parts: parts.size, ms: Math.round(endMs - startMs) };
    this.#log.debug("Compiled", fields);
  }
}

/** What came, and what went. */
function findingsApart(before: readonly Finding[], after: readonly Finding[]) {
  const without = (some: readonly Finding[], others: readonly Finding[]) => {
    const texts = new Set(others.map((finding) => JSON.stringify(finding)));
    return some.filter((finding) => !texts.has(JSON.stringify(finding)));
  };
  return [without(after, before), without(before, after)] as const;
}

function losesEndpoint(before: EndpointSlice, after: EndpointSlice | null): boolean {
  const ready = new Set(
    after?.endpoints.flatMap(({ ready, addresses }) => ready ? addresses : []) ?? [],
  );
  return before.endpoints.some((endpoint) =>
    endpoint.ready && endpoint.addresses.some((address) => !ready.has(address))
  );
}
