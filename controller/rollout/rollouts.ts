/**
 * Rollouts: which proxies of this replica have a split in force, by the hash of its root's part. There is no ledger by proxy and object:
 * each proxy's session knows what that has acknowledged. It also times the way from a change to the last proxy.
 */
import type { MeshParts } from "../../routing/source/mesh.ts";
import { type PartKey, routeKey } from "../../routing/parts.ts";
import { fieldsOf, type JsonFields, textField } from "../kube/fields.ts";
import { SILENT_MAX, SILENT_WAIT_MS, TIMED_MAX } from "../limits.ts";
import type { ControllerCounts } from "../metrics.ts";
import type { ProxyConnection, ProxyEvents } from "../stream/proxy_connection.ts";
import type { ProxyState, ReplicaState } from "./state.ts";

/** What is asked of the mesh. */
interface CompiledMesh {
  readonly parts: Pick<MeshParts, "hashed">;
  readonly changes: number;
  readonly isOpen: boolean;
  isCompiled(mark: number): boolean;
}

interface RolloutParts {
  readonly mesh: CompiledMesh;
  readonly counts: ControllerCounts;
  /** How long proxies may take to come after a start. */
  readonly rejoinMs: number;
  /** Undefined: there is no such pod. */
  readonly isPodReady: (namespace: string, name: string) => boolean | undefined;
}

/** A split as it was heard of. */
interface Heard {
  readonly apiVersion: string;
  readonly uid: string;
  readonly generation: number;
  readonly root: PartKey;
  /** Of the mesh, which is compiled as far as this. */
  readonly mark: number;
}

/** A change on its way. */
interface Timed {
  readonly heardAtMs: number;
  readonly mark: number;
  readonly root: PartKey;
  /** Null: it is not compiled yet. */
  waiting: Set<ProxyConnection> | null;
}

/** A proxy that was lost. */
interface Lost {
  readonly atMs: number;
  /** What it had in force of the roots of splits. */
  readonly roots: ReadonlyMap<PartKey, string>;
}

export class Rollouts implements ProxyEvents {
  readonly #parts: RolloutParts;
  readonly #replica = crypto.randomUUID();
  readonly #proxies = new Set<ProxyConnection>();
  readonly #lost = new Map<string, Lost>();
  /** By `namespace/name`. */
  readonly #splits = new Map<string, Heard>();
  readonly #timed = new Map<string, Timed>();
  #servingSinceMs = Infinity;

  constructor(parts: RolloutParts) {
    this.#parts = parts;
  }

  /** Proxies are let in from now on. */
  serving(): void {
    this.#servingSinceMs = performance.now();
  }

  /** A watch has told of an object, and the mesh has been told. */
  heard(object: JsonFields): void {
    if (object["kind"] !== "TrafficSplit") return;
    const { mesh } = this.#parts;
    const metadata = fieldsOf(object["metadata"]);
    const namespace = textField(metadata, "namespace") ?? "";
    const key = `${namespace}/${textField(metadata, "name") ?? ""}`;
    const service = textField(fieldsOf(object["spec"]), "service") ?? "";
    const root = routeKey(`${namespace}/${service.split(".")[0]}`);
    const generation = Number(metadata["generation"] ?? 0);
    const uid = textField(metadata, "uid") ?? "";
    const apiVersion = textField(object, "apiVersion") ?? "";
    const before = this.#splits.get(key);
    if (before?.uid === uid && before.generation === generation) return;
    const mark = mesh.changes;
    this.#splits.set(key, { apiVersion, uid, generation, root, mark });
    if (!mesh.isOpen || this.#timed.size >= TIMED_MAX) return;
    this.#timed.set(key, { heardAtMs: performance.now(), mark, root, waiting: null });
  }

  removed(kind: string, namespace: string, name: string): void {
    if (kind !== "TrafficSplit") return;
    const key = `${namespace}/${name}`;
    this.#splits.delete(key);
    this.#timed.delete(key);
  }

  /** What had changed is compiled, and proxies are told. */
  compiled(): void {
    for (const [key, timed] of this.#timed) {
      if (timed.waiting !== null || !this.#parts.mesh.isCompiled(timed.mark)) continue;
      const hash = this.#hashOf(timed.root);
      timed.waiting = new Set([...this.#proxies].filter((proxy) => {
        const has = proxy.inForce(timed.root);
        return has !== undefined && has !== hash;
      }));
      this.#endTimed(key, timed);
    }
  }

  came(proxy: ProxyConnection): void {
    this.#proxies.add(proxy);
    this.#lost.delete(proxy.name);
  }

  acknowledged(proxy: ProxyConnection): void {
    for (const [key, timed] of this.#timed) {
      if (timed.waiting?.has(proxy) !== true) continue;
      if (proxy.inForce(timed.root) !== this.#hashOf(timed.root)) continue;
      timed.waiting.delete(proxy);
      this.#endTimed(key, timed);
    }
  }

  went(proxy: ProxyConnection): void {
    this.#proxies.delete(proxy);
    for (const [key, timed] of this.#timed) {
      // It is not one of those that have it.
      if (timed.waiting?.delete(proxy) === true && timed.waiting.size === 0) {
        this.#timed.delete(key);
      }
    }
    const roots = new Map<PartKey, string>();
    for (const { root } of this.#splits.values()) {
      const hash = proxy.inForce(root);
      if (hash !== undefined) roots.set(root, hash);
    }
    if (roots.size === 0 || this.#lost.size >= SILENT_MAX) return;
    this.#lost.set(proxy.name, { atMs: performance.now(), roots });
  }

  /** As which version the split is read; null: it is not known. */
  apiVersionOf(key: string): string | null {
    return this.#splits.get(key)?.apiVersion ?? null;
  }

  /** What this replica knows of a split; null: nothing. */
  stateOf(key: string): ReplicaState | null {
    const heard = this.#splits.get(key);
    if (heard === undefined) return null;
    const { uid, generation, root, mark } = heard;
    const hash = this.#hashOf(root);
    const nowMs = performance.now();
    const proxies: Record<string, { state: ProxyState; forMs: number }> = {};
    for (const [name, { atMs, roots }] of this.#lost) {
      const had = roots.get(root);
      if (had === undefined || this.#forgetIfGone(name, atMs)) continue;
      proxies[name] = this.#standing(name, had === hash ? "programmed" : "silent", nowMs - atMs);
    }
    for (const proxy of this.#proxies) {
      const has = proxy.inForce(root);
      if (has === undefined) continue;
      const { name, behindSinceMs } = proxy;
      const state = has === hash ? "programmed" : "behind";
      proxies[name] = this.#standing(name, state, nowMs - (behindSinceMs ?? nowMs));
    }
    return {
      replica: this.#replica,
      uid,
      // What is not compiled yet counts as not read.
      generation: this.#parts.mesh.isCompiled(mark) ? generation : generation - 1,
      isNew: nowMs - this.#servingSinceMs < this.#parts.rejoinMs,
      proxies,
    };
  }

  /** Brings gauges up to date. */
  count(): void {
    const { counts } = this.#parts;
    counts.behind = [...this.#proxies].filter(({ behindSinceMs }) => behindSinceMs !== null).length;
    for (const [name, { atMs }] of this.#lost) this.#forgetIfGone(name, atMs);
    counts.silent = this.#lost.size;
  }

  #hashOf(root: PartKey): string {
    return this.#parts.mesh.parts.hashed(root)?.hash ?? "";
  }

  #endTimed(key: string, { heardAtMs, waiting }: Timed): void {
    if (waiting === null || waiting.size > 0) return;
    this.#timed.delete(key);
    this.#parts.counts.programmed.observe(performance.now() - heardAtMs);
  }

  #standing(name: string, state: ProxyState, forMs: number): { state: ProxyState; forMs: number } {
    if (state === "programmed") return { state, forMs: 0 };
    const isReady = this.#isPodReady(name) !== false;
    return { state: isReady ? state : "unready", forMs: Math.round(forMs) };
  }

  /** A pod that is no more is not lost; a proxy that names none is waited for, and no longer. */
  #forgetIfGone(name: string, atMs: number): boolean {
    const isOver = performance.now() - atMs >= SILENT_WAIT_MS;
    const isGone = isOver && this.#isPodReady(name) === undefined;
    if (isGone) this.#lost.delete(name);
    return isGone;
  }

  #isPodReady(name: string): boolean | undefined {
    const [namespace = "", pod = ""] = name.split("/");
    return this.#parts.isPodReady(namespace, pod);
  }
}
