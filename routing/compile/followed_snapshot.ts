/** FollowedSnapshot: gives a compiler one Snapshot after the other, as the changes that lead from each to the next. */
import { isSameData } from "../../base/same_data.ts";
import type { Meta, Snapshot } from "../../schemas/resources.ts";
import type { Compiler } from "./compiler.ts";

type SnapshotKind = keyof Snapshot;
type Resource = Snapshot[SnapshotKind][number];

export class FollowedSnapshot {
  readonly #compiler: Compiler;
  /** What the compiler has, by kind and name. */
  readonly #known = new Map<SnapshotKind, Map<string, Resource>>();

  constructor(compiler: Compiler) {
    this.#compiler = compiler;
  }

  /** The Snapshot is what there is now; `refresh` of the compiler is still to be called. */
  take(snapshot: Snapshot): void {
    for (const kind of Object.keys(snapshot) as SnapshotKind[]) {
      this.#takeKind(kind, snapshot[kind]);
    }
  }

  #takeKind(kind: SnapshotKind, resources: readonly Resource[]): void {
    const before = this.#known.get(kind) ?? new Map<string, Resource>();
    const after = new Map<string, Resource>();
    this.#known.set(kind, after);
    const changes: (readonly [Resource | null, Resource | null])[] = [];
    for (const resource of resources) {
      const key = freeKey(resource.meta, after);
      const known = before.get(key);
      before.delete(key);
      const isSame = isSameData(known, resource);
      after.set(key, isSame && known !== undefined ? known : resource);
      if (!isSame) changes.push([known ?? null, resource]);
    }
    for (const gone of before.values()) changes.push([gone, null]);
    for (const [was, is] of changes) this.#compiler.change(kind, was as never, is as never);
  }
}

/** Kinds of different groups may have one name. */
function freeKey({ kind, namespace, name }: Meta, taken: ReadonlyMap<string, unknown>): string {
  const key = `${kind}/${namespace}/${name}`;
  for (let count = 0;; count++) {
    const numbered = count === 0 ? key : `${key} ${count}`;
    if (!taken.has(numbered)) return numbered;
  }
}
