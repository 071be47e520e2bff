/**
 * EndpointUses: which endpoints the tables in force name, by all listeners together. It says at the cost of what a plan changed which of
 * them no table names any more.
 */
import type { TableChanges } from "../../routing/table/changes.ts";
import type { ReachableGroup } from "../../routing/table/endpoint_groups.ts";
import type { TableService } from "../../routing/table/table.ts";

export class EndpointUses {
  /** By how many Services each is named, and by how many groups. */
  readonly #groups = new Map<ReachableGroup, number>();
  readonly #endpoints = new Map<string, number>();

  has(key: string): boolean {
    return this.#endpoints.has(key);
  }

  /** Takes changes of all listeners' tables. Returns the keys of endpoints that were named before, and are not any more. */
  change(changes: readonly TableChanges[]): string[] {
    for (const { come } of changes) for (const service of come) this.#add(service);
    const lost: string[] = [];
    for (const { gone } of changes) for (const service of gone) this.#remove(service, lost);
    return lost;
  }

  #add({ groups }: TableService): void {
    for (const group of groups) {
      const uses = this.#groups.get(group) ?? 0;
      this.#groups.set(group, uses + 1);
      if (uses > 0) continue;
      for (const { key } of group.endpoints) {
        this.#endpoints.set(key, (this.#endpoints.get(key) ?? 0) + 1);
      }
    }
  }

  #remove({ groups }: TableService, lost: string[]): void {
    for (const group of groups) {
      const uses = this.#groups.get(group) ?? 0;
      if (uses > 1) {
        this.#groups.set(group, uses - 1);
        continue;
      }
      this.#groups.delete(group);
      for (const { key } of group.endpoints) {
        const left = (this.#endpoints.get(key) ?? 0) - 1;
        if (left > 0) this.#endpoints.set(key, left);
        else if (this.#endpoints.delete(key)) lost.push(key);
      }
    }
  }
}
