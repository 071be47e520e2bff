/**
 * The pods that run on this machine: starts the wanted ones, tells when they are ready, and stops those that are no
 * longer wanted once nothing is sent to them. Knows nothing of files or proxies.
 */
import { lookup } from "node:dns/promises";
import { parseIp } from "../base/ip.ts";
import { CommandFailure } from "../console/exit.ts";
import type { HostPort } from "../console/values.ts";
import {
  EndpointRunner,
  type LocalPod,
  type PodRunner,
  ProcessRunner,
  StandInRunner,
} from "./pod_runner.ts";
import { type ExistingEndpoint, type RunSettings, settingFor } from "./settings.ts";

/** What happens to the pods. */
interface WorkloadHooks {
  onStart(pod: LocalPod, runner: PodRunner): void;
  onOutput(pod: LocalPod, line: string): void;
  /** A command ended by itself and starts again after `delayMs`. */
  onExit(pod: LocalPod, reason: string, delayMs: number): void;
  /** Some pod became ready or no longer is. */
  onReadinessChange(pod: LocalPod, isReady: boolean): void;
  onStop(pod: LocalPod, runner: PodRunner): void;
}

interface Entry {
  pod: LocalPod;
  readonly runner: PodRunner;
}

interface Retiring {
  readonly entries: readonly Entry[];
  readonly trims: readonly (() => Promise<void>)[];
  readonly timer: ReturnType<typeof setTimeout>;
}

export class Workloads {
  readonly #runs: ReadonlyMap<string, RunSettings>;
  readonly #endpoints: ReadonlyMap<string, HostPort>;
  readonly #proxyUrlOf: (pod: LocalPod) => string;
  readonly #hooks: WorkloadHooks;
  /** By pod address: what is wanted. */
  readonly #entries = new Map<string, Entry>();
  /** No longer wanted; the plan that proxies serve may still name them. */
  #leaving: Entry[] = [];
  /** Told to end, and still there. */
  readonly #stopping = new Set<Entry>();
  /** In their grace, or being stopped. */
  readonly #retiring = new Set<Retiring>();

  constructor(
    options: {
      runs: ReadonlyMap<string, RunSettings>;
      endpoints: ReadonlyMap<string, HostPort>;
      proxyUrlOf: (pod: LocalPod) => string;
      hooks: WorkloadHooks;
    },
  ) {
    this.#runs = options.runs;
    this.#endpoints = options.endpoints;
    this.#proxyUrlOf = options.proxyUrlOf;
    this.#hooks = options.hooks;
  }

  get entries(): readonly { readonly pod: LocalPod; readonly runner: PodRunner }[] {
    return [...this.#entries.values()];
  }

  /**
   * Starts what is new and sets aside what is not wanted; that goes on running until {@link retire}.
   * Returns the addresses of the pods that were started.
   */
  want(pods: readonly LocalPod[]): string[] {
    const started: string[] = [];
    const wanted = new Set(pods.map(({ address }) => address));
    for (const [address, entry] of this.#entries) {
      if (!wanted.has(address)) this.#setAside(address, entry);
    }
    for (const pod of pods) {
      const entry = this.#entries.get(pod.address);
      // As another account it sends through another listener.
      const isSame = entry !== undefined && entry.pod.identity === pod.identity;
      if (isSame && entry.runner.update(pod)) {
        entry.pod = pod;
        continue;
      }
      if (entry !== undefined) this.#setAside(pod.address, entry);
      const runner = this.#start(pod);
      this.#entries.set(pod.address, { pod, runner });
      started.push(pod.address);
      this.#hooks.onStart(pod, runner);
    }
    return started;
  }

  isReady(address: string): boolean {
    return this.#entries.get(address)?.runner.isReady ?? false;
  }

  /** Where a pod's port is served; undefined if no pod has the address. */
  placeOf(address: string, port: number): HostPort | undefined {
    return this.#entries.get(address)?.runner.placeOf(port);
  }

  /** Stops what is no longer wanted after `graceMs`. To be called once no proxy sends there any more. */
  retire(graceMs: number): void {
    const retiring: Retiring = {
      entries: this.#leaving,
      trims: [...this.#entries.values()].map(({ runner }) => runner.trim()),
      timer: setTimeout(async () => {
        await Promise.all([
          ...retiring.entries.map((entry) => this.#stop(entry)),
          ...retiring.trims.map((trim) => trim()),
        ]);
        this.#retiring.delete(retiring);
      }, graceMs),
    };
    this.#leaving = [];
    this.#retiring.add(retiring);
  }

  /** Stops everything. Resolves when no child is left. */
  async stop(): Promise<void> {
    const entries = this.#all();
    for (const { timer } of this.#retiring) clearTimeout(timer);
    this.#entries.clear();
    this.#leaving = [];
    this.#retiring.clear();
    await Promise.all(entries.map((entry) => this.#stop(entry)));
  }

  /** Ends everything at once, for the last moment of the process. */
  kill(): void {
    for (const { runner } of [...this.#all(), ...this.#stopping]) runner.kill();
  }

  #all(): Entry[] {
    const retiring = [...this.#retiring].flatMap(({ entries }) => entries);
    return [...this.#entries.values(), ...this.#leaving, ...retiring];
  }

  #setAside(address: string, entry: Entry): void {
    this.#entries.delete(address);
    this.#leaving.push(entry);
  }

  async #stop(entry: Entry): Promise<void> {
    const { pod, runner } = entry;
    this.#stopping.add(entry);
    await runner.stop();
    this.#stopping.delete(entry);
    this.#hooks.onStop(pod, runner);
  }

  #start(pod: LocalPod): PodRunner {
    const names = { namespace: pod.namespace, pod: pod.name, workload: pod.workload };
    const place = settingFor(this.#endpoints, names);
    if (place !== undefined) return new EndpointRunner(place);
    const run = settingFor(this.#runs, names);
    if (run === undefined) return new StandInRunner(pod);
    return new ProcessRunner(pod, run, this.#proxyUrlOf(pod), {
      onOutput: (line) => this.#hooks.onOutput(pod, line),
      onReady: (isReady) => this.#hooks.onReadinessChange(pod, isReady),
      onExit: (reason, delayMs) => this.#hooks.onExit(pod, reason, delayMs),
    });
  }
}

/** Finds the addresses of `--endpoint` hosts, once: a plan holds addresses only. */
export async function resolveEndpoints(
  endpoints: ReadonlyMap<string, ExistingEndpoint>,
): Promise<Map<string, HostPort>> {
  const places = new Map<string, HostPort>();
  for (const [name, { host, port }] of endpoints) {
    places.set(name, { address: await addressOf(host, name), port });
  }
  return places;
}

async function addressOf(host: string, name: string): Promise<string> {
  if (parseIp(host) !== null) return host;
  try {
    return (await lookup(host, { family: 4 })).address;
  } catch {
    throw new CommandFailure(`The endpoint of "${name}" has a host that is not known: "${host}"`);
  }
}
