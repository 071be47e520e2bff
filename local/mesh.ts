/**
 * LocalMesh: keeps what runs on this machine as the manifests say. Files become a plan, pods are started and ready
 * before the plan that names them is served, and are stopped after the plan without them is. Prints nothing.
 */
import type { Finding } from "../base/finding.ts";
import { causeText } from "../base/text.ts";
import { hasErrors } from "../console/findings.ts";
import type { HostPort } from "../console/values.ts";
import type { RequestRecord } from "../proxy/observe/request_record.ts";
import { compile } from "../routing/compile/compile.ts";
import type { Plan } from "../routing/plan.ts";
import { emptyLists } from "../schemas/kinds.ts";
import type { Snapshot } from "../schemas/resources.ts";
import { PodAddresses } from "./pod_addresses.ts";
import {
  clientsOf,
  localPods,
  type ManifestSource,
  readManifests,
  withReadiness,
} from "./manifests.ts";
import type { LocalPod, PodRunner } from "./pod_runner.ts";
import { redirectEndpoints } from "./redirect.ts";
import type { RunSettings } from "./settings.ts";
import { type MeshProxyOptions, type Sidecar, Sidecars } from "./sidecars.ts";
import { type Watch, watchPaths } from "../base/watch.ts";
import { whyDeniedIn } from "./why_denied.ts";
import { Workloads } from "./workloads.ts";
import { READY_WAIT_MS, RETIRE_GRACE_MS } from "./limits.ts";

/** What happens in the mesh, in order. */
export type MeshEvent =
  /** A plan is served by every proxy. `changed`: the files that led to it, if files did. */
  | {
    readonly type: "served";
    readonly plan: Plan;
    readonly findings: readonly Finding[];
    readonly changed: readonly string[];
  }
  /** The manifests have errors; the plan from before stays. */
  | { readonly type: "refused"; readonly findings: readonly Finding[] }
  /** Something else went wrong; the plan from before stays. */
  | { readonly type: "failed"; readonly message: string }
  /** A proxy is not whole any more: the mesh is to be stopped. */
  | { readonly type: "proxy-failed"; readonly message: string }
  | { readonly type: "pod-started"; readonly pod: LocalPod; readonly runner: PodRunner }
  | { readonly type: "pod-stopped"; readonly pod: LocalPod; readonly runner: PodRunner }
  | { readonly type: "pod-ready"; readonly pod: LocalPod; readonly isReady: boolean }
  | { readonly type: "pod-output"; readonly pod: LocalPod; readonly line: string }
  | {
    readonly type: "pod-exited";
    readonly pod: LocalPod;
    readonly reason: string;
    readonly delayMs: number;
  }
  /** Clients that were not there before have a listener. */
  | { readonly type: "clients-added"; readonly sidecars: readonly Sidecar[] }
  | {
    readonly type: "request";
    readonly record: RequestRecord;
    /** Who sent it: a namespace, or a service account where that counts. */
    readonly clients: string;
    /** Of a request that traffic targets refuse: what came nearest to allowing it. Empty: nothing, or it was not refused. */
    readonly whyDenied: () => string;
  }
  | { readonly type: "log"; readonly level: string; readonly message: string };

interface MeshOptions extends Omit<MeshProxyOptions, "onRequest" | "onLog" | "onFailure"> {
  readonly source: ManifestSource;
  /** Whether traffic targets are. */
  readonly isEnforced: boolean;
  /** Commands that play pods, by name of a pod or a workload. */
  readonly runs: ReadonlyMap<string, RunSettings>;
  /** What already runs and plays pods, by name. */
  readonly endpoints: ReadonlyMap<string, HostPort>;
  readonly onEvent: (event: MeshEvent) => void;
}

/** Thrown by `LocalMesh.start` where the manifests have errors. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
  readonly findings: readonly Finding[];

  constructor(findings: readonly Finding[]) {
    super("The manifests have errors");
    this.findings = findings;
  }
}

interface Input {
  readonly snapshot: Snapshot;
  readonly findings: readonly Finding[];
}

export class LocalMesh {
  readonly #options: MeshOptions;
  readonly #book = new PodAddresses();
  readonly #sidecars: Sidecars;
  readonly #workloads: Workloads;
  #source: ManifestSource;
  #input: Input;
  #plan: Plan;
  /** Null before anything is served. */
  #findings: readonly Finding[] | null = null;
  /** What was read last had errors. */
  #wasRefused = false;
  #watch: Watch | null = null;
  /** One change at a time. */
  #queue: Promise<void> = Promise.resolve();
  /** Counts wishes to read again; only the newest counts. */
  #generation = 0;
  #isStopped = false;
  #stopping: Promise<void> | null = null;
  /** Addresses of pods that have been ready or have died since they were started. */
  readonly #settled = new Set<string>();
  #onSettled: () => void = () => {};

  /** Starts nothing yet. */
  constructor(options: MeshOptions) {
    this.#options = options;
    this.#source = options.source;
    this.#input = { snapshot: emptyLists(), findings: [] };
    this.#plan = compile(this.#input.snapshot).plan;
    this.#sidecars = new Sidecars({
      ...options,
      onRequest: (record, clients) => {
        const whyDenied = () => whyDeniedIn(this.#plan, record, clients);
        this.#emit({ type: "request", record, clients, whyDenied });
      },
      onLog: (level, message, fields) =>
        this.#emit({ type: "log", level, message: withFields(message, fields) }),
      onFailure: (message) => this.#emit({ type: "proxy-failed", message }),
    });
    this.#workloads = new Workloads({
      runs: options.runs,
      endpoints: options.endpoints,
      proxyUrlOf: (pod) => this.#sidecars.urlOf(pod),
      hooks: {
        onStart: (pod, runner) => this.#emit({ type: "pod-started", pod, runner }),
        onStop: (pod, runner) => this.#emit({ type: "pod-stopped", pod, runner }),
        onOutput: (pod, line) => this.#emit({ type: "pod-output", pod, line }),
        onExit: (pod, reason, delayMs) => {
          this.#settle(pod);
          this.#emit({ type: "pod-exited", pod, reason, delayMs });
        },
        onReadinessChange: (pod, isReady) => {
          this.#settle(pod);
          this.#emit({ type: "pod-ready", pod, isReady });
          this.#inTurnOrTold(() => this.#serve([]));
        },
      },
    });
  }

  /**
   * Reads, starts and serves. Resolves when the plan is served and every command accepts connections, has died or
   * has had its time, or when `stop` is called. Throws {@link ManifestError}, or `CommandFailure` for a port that is
   * taken; `stop` is still to be called then.
   */
  start(): Promise<void> {
    return this.#inTurn(async () => {
      const input = await this.#read();
      if (hasErrors(input.findings)) throw new ManifestError(input.findings);
      this.#plan = this.#compile(withReadiness(input.snapshot, () => false)).plan;
      await this.#take(input, this.#generation, []);
    });
  }

  /** True from the first call of `stop` on. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** In the order of their ports. */
  get sidecars(): readonly Sidecar[] {
    return this.#sidecars.all;
  }

  get driver(): "native" | "portable" | undefined {
    return this.#sidecars.driver;
  }

  get admin(): HostPort | null {
    return this.#sidecars.admin;
  }

  /** What the proxies serve. */
  get plan(): Plan {
    return this.#plan;
  }

  /** As Prometheus reads it, of one proxy after another. */
  metrics(): Promise<string> {
    return this.#sidecars.metrics();
  }

  /** Where the manifests are. */
  get source(): ManifestSource {
    return this.#source;
  }

  get findings(): readonly Finding[] {
    return this.#findings ?? [];
  }

  get pods(): readonly { readonly pod: LocalPod; readonly runner: PodRunner }[] {
    return this.#workloads.entries;
  }

  /** Follows the files from now on. */
  watch(): void {
    this.#watch ??= watchPaths(this.#source.paths, {
      recursive: this.#source.recursive,
      onChange: (changed) => void this.reload(changed),
    });
  }

  /** Reads again, and serves what is read where it has no errors. Resolves when that is done or refused. */
  reload(changed: readonly string[] = []): Promise<void> {
    const generation = ++this.#generation;
    this.#onSettled();
    return this.#inTurnOrTold(async () => {
      if (generation !== this.#generation) return;
      const input = await this.#read();
      if (hasErrors(input.findings)) {
        this.#wasRefused = true;
        this.#emit({ type: "refused", findings: input.findings });
      } else await this.#take(input, generation, changed);
    });
  }

  /** As {@link reload}, from other manifests. */
  switchTo(source: ManifestSource): Promise<void> {
    this.#source = source;
    return this.reload();
  }

  /** Stops listening and ends every child. Every call resolves when that is done. */
  stop(): Promise<void> {
    return this.#stopping ??= this.#stop();
  }

  async #stop(): Promise<void> {
    this.#isStopped = true;
    this.#generation++;
    this.#onSettled();
    this.#watch?.stop();
    this.#watch = null;
    await this.#queue;
    await this.#sidecars.stop();
    await this.#workloads.stop();
  }

  /** Ends every child at once, for the last moment of the process. */
  kill(): void {
    this.#workloads.kill();
  }

  #compile(snapshot: Snapshot): ReturnType<typeof compile> {
    const { isEnforced, egress } = this.#options;
    return compile(snapshot, { permissive: !isEnforced, egress });
  }

  #read(): Promise<Input> {
    return readManifests(this.#source, this.#book);
  }

  /** Starts what the input wants, waits for it, and serves it. */
  async #take(input: Input, generation: number, changed: readonly string[]): Promise<void> {
    this.#input = input;
    const whole = this.#compile(input.snapshot).plan;
    // Listening comes first: a command is told where its mesh is.
    const clients = clientsOf(input.snapshot, this.#options.isEnforced);
    const sidecars = await this.#sidecars.add(clients, this.#plan);
    if (sidecars.length > 0 && this.#findings !== null) {
      this.#emit({ type: "clients-added", sidecars });
    }
    const started = this.#workloads.want(localPods(input.snapshot, whole));
    for (const address of started) {
      if (!this.#workloads.isReady(address)) this.#settled.delete(address);
      else this.#settled.add(address);
    }
    await this.#untilSettled(started, generation);
    await this.#serve(changed);
  }

  /** Compiles for the pods that are ready now, and has the proxies serve that. */
  async #serve(changed: readonly string[]): Promise<void> {
    if (this.#isStopped) return;
    const { snapshot, findings } = this.#input;
    const compiled = this.#compile(
      withReadiness(snapshot, (address) => this.#workloads.isReady(address)),
    );
    const plan = redirectEndpoints(
      compiled.plan,
      (address, port) => this.#workloads.placeOf(address, port),
    );
    const all = [...findings, ...compiled.findings];
    const isNew = plan.hash !== this.#plan.hash;
    if (isNew) await this.#sidecars.apply(plan);
    this.#workloads.retire(RETIRE_GRACE_MS);
    // Null, before the first plan, differs from every list. Who was told of errors is told that they are mended.
    const isWorthTelling = isNew || this.#wasRefused ||
      JSON.stringify(all) !== JSON.stringify(this.#findings);
    this.#wasRefused = false;
    this.#plan = plan;
    this.#findings = all;
    if (isWorthTelling) this.#emit({ type: "served", plan, findings: all, changed });
  }

  /** Until each address has been ready or has died, until its time is over, or until a newer wish. */
  async #untilSettled(addresses: readonly string[], generation: number): Promise<void> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#onSettled();
    }, READY_WAIT_MS);
    while (
      !isLate && generation === this.#generation &&
      addresses.some((address) => !this.#settled.has(address))
    ) await new Promise<void>((resolve) => this.#onSettled = resolve);
    clearTimeout(timer);
  }

  #settle(pod: LocalPod): void {
    this.#settled.add(pod.address);
    this.#onSettled();
  }

  /** Runs `change` after those before it. */
  #inTurn(change: () => Promise<void>): Promise<void> {
    const turn = this.#queue.then(() => this.#isStopped ? undefined : change());
    this.#queue = turn.catch(() => {});
    return turn;
  }

  /** As {@link #inTurn}; what a change throws is told, and ends only itself. */
  #inTurnOrTold(change: () => Promise<void>): Promise<void> {
    return this.#inTurn(change).catch((error) => {
      this.#emit({ type: "failed", message: causeText(error) });
    });
  }

  #emit(event: MeshEvent): void {
    if (!this.#isStopped || event.type === "pod-stopped") this.#options.onEvent(event);
  }
}

function withFields(
  message: string,
  fields: Readonly<Record<string, string | number | boolean>>,
): string {
  const texts = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
  return [message, ...texts].join(" ");
}
