/**
 * SidecarHistory: what all sidecars of the mesh counted within the last seconds, read from their metrics while questions come, and for a while
 * after. Without questions it costs nothing.
 */
import { pause } from "../../base/backoff.ts";
import {
  HISTORY_AT_ONCE,
  HISTORY_IDLE_MS,
  HISTORY_STEP_MS,
  HISTORY_STEPS,
  SIDECAR_ANSWER_MS,
  WINDOW_MS_MIN,
} from "../limits.ts";
import { HEALTH_PORT } from "../inject/containers.ts";
import type { Pod } from "../../schemas/resources.ts";
import { countsSince, readSidecarCounts, type SidecarCounts } from "../traffic/sidecar_counts.ts";

/** A pod that may have a sidecar. */
interface AskedPod {
  readonly namespace: string;
  readonly name: string;
  /** `Deployment/web`; empty where not known. */
  readonly workload: string;
  readonly address: string;
}

/** What a pod's sidecar counted within a window. */
export interface PodTraffic {
  readonly pod: AskedPod;
  readonly counts: SidecarCounts;
}

interface Snapshot {
  readonly atMs: number;
  /** By `namespace/name`. */
  readonly pods: ReadonlyMap<string, PodTraffic>;
}

interface HistoryParts {
  readonly pods: () => readonly AskedPod[];
  readonly read: (address: string, signal: AbortSignal) => Promise<string>;
}

export class SidecarHistory {
  readonly #parts: HistoryParts;
  readonly #ended = new AbortController();
  #snapshots: Snapshot[] = [];
  #taking: Promise<void> | null = null;
  #following: Promise<void> | null = null;
  #askedAtMs = 0;

  constructor(parts: HistoryParts) {
    this.#parts = parts;
  }

  /** What was counted within about `windowMs`; at first, and where less is known, within less. */
  async window(windowMs: number): Promise<{ seconds: number; traffic: PodTraffic[] }> {
    this.#askedAtMs = performance.now();
    if (this.#snapshots.length === 0) await this.#take();
    this.#following ??= this.#follow().finally(() => this.#following = null);
    const [first] = this.#snapshots;
    const leftMs = WINDOW_MS_MIN - (performance.now() - first.atMs);
    if (leftMs > 0) await pause(leftMs, this.#ended.signal);
    const last = this.#snapshots[this.#snapshots.length - 1];
    if (last === first || performance.now() - last.atMs > WINDOW_MS_MIN) await this.#take();
    const now = this.#snapshots[this.#snapshots.length - 1];
    const before = this.#snapshots.findLast(({ atMs }) => now.atMs - atMs >= windowMs) ??
      this.#snapshots[0];
    return {
      seconds: (now.atMs - before.atMs) / 1_000,
      traffic: Array.from(now.pods, ([key, { pod, counts }]) => ({
        pod,
        // Of a pod that was not read then it is not known since when it counts.
        counts: countsSince(counts, before.pods.get(key)?.counts ?? counts),
      })),
    };
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#following;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted && performance.now() - this.#askedAtMs < HISTORY_IDLE_MS) {
      await pause(HISTORY_STEP_MS, signal);
      if (!signal.aborted) await this.#take();
    }
    this.#snapshots = [];
  }

  /** All who ask at once get one. */
  #take(): Promise<void> {
    this.#taking ??= this.#snapshot().finally(() => this.#taking = null);
    return this.#taking;
  }

  async #snapshot(): Promise<void> {
    const { pods: podsOf } = this.#parts;
    const waiting = podsOf().values();
    const pods = new Map<string, PodTraffic>();
    const ask = async () => {
      for (const pod of waiting) {
        const counts = await this.#read(pod);
        if (counts !== null) pods.set(`${pod.namespace}/${pod.name}`, { pod, counts });
      }
    };
    await Promise.all(Array.from({ length: HISTORY_AT_ONCE }, ask));
    this.#snapshots.push({ atMs: performance.now(), pods });
    // A question takes one more than there are steps.
    const oldest = performance.now() - HISTORY_STEPS * HISTORY_STEP_MS;
    while (this.#snapshots.length > HISTORY_STEPS || this.#snapshots[1]?.atMs < oldest) {
      this.#snapshots.shift();
    }
  }

  /** Null: it has no sidecar, or none that answers. */
  async #read({ address }: AskedPod): Promise<SidecarCounts | null> {
    try {
      const signal = AbortSignal.any([
        this.#ended.signal,
        AbortSignal.timeout(SIDECAR_ANSWER_MS),
      ]);
      return readSidecarCounts(await this.#parts.read(address, signal), false);
    } catch {
      return null;
    }
  }
}

/** None: it has no address yet. */
export function askedPod({ meta, owner, ips }: Pod): AskedPod[] {
  const workload = owner === undefined ? "" : `${owner.kind}/${owner.name}`;
  return ips.slice(0, 1)
    .map((address) => ({ namespace: meta.namespace, name: meta.name, workload, address }));
}

/** @throws {Error} nothing there has metrics */
export async function readSidecarMetrics(address: string, signal: AbortSignal): Promise<string> {
  const host = address.includes(":") ? `[${address}]` : address;
  const response = await fetch(`http://${host}:${HEALTH_PORT}/metrics`, { signal });
  const text = await response.text();
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return text;
}
