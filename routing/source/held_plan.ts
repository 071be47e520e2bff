/**
 * HeldPlan: the plan that an event loop works by, brought up to date by differences. It is what `composePlan` makes of the parts, at the
 * cost of what is different: lists that did not change are the same in the next plan, the others are copied.
 */
import { compareText } from "../../base/order.ts";
import { groupKey, groupsNamedBy, type Part, type PartKey, type PlanHeader } from "../parts.ts";
import type { Plan, PlanAlias, PlanEndpoint, PlanService, PlanTarget } from "../plan.ts";
import type { PlanChange } from "./held_parts.ts";

const NO_ENDPOINTS: readonly PlanEndpoint[] = [];

export class HeldPlan {
  readonly #parts = new Map<PartKey, Part>();
  readonly #services = new NamedList<PlanService>();
  readonly #aliases = new NamedList<PlanAlias>();
  readonly #groups = new ChangingRecord<readonly PlanEndpoint[]>();
  readonly #policies = new ChangingRecord<NonNullable<Plan["endpointPolicies"]>[string]>();
  /** How often Services name each group. */
  readonly #named = new Map<string, number>();
  /** By identity. */
  readonly #access = new Map<string, readonly PlanTarget[]>();
  #targets: readonly PlanTarget[] = [];

  /** What comes of a change. Objects of parts that did not change are the same as in the plan before. */
  take({ header, parts, hash }: PlanChange): { readonly plan: Plan; readonly undo: () => void } {
    const before = parts.map(([key]) => [key, this.#parts.get(key) ?? null] as const);
    this.#change(parts);
    return { plan: this.#plan(header, hash), undo: () => this.#change(before) };
  }

  #plan(header: PlanHeader, hash: string): Plan {
    const aliases = this.#aliases.take();
    const policies = this.#policies.take();
    return {
      ...header,
      hash,
      services: this.#services.take(),
      groups: this.#groups.take(),
      targets: this.#targets,
      ...(aliases.length === 0 ? {} : { aliases }),
      ...(this.#policies.size === 0 ? {} : { endpointPolicies: policies }),
    };
  }

  #change(parts: PlanChange["parts"]): void {
    /** Groups that may be different. */
    const groups = new Set<string>();
    let isAccessChanged = false;
    for (const [key, part] of parts) {
      const before = this.#parts.get(key);
      if (part === null) this.#parts.delete(key);
      else this.#parts.set(key, part);
      const id = key.slice(key.indexOf(" ") + 1);
      if (key.startsWith("route ")) this.#changeRoute(before, part ?? undefined, groups);
      else if (key.startsWith("group ")) groups.add(id);
      else {
        isAccessChanged = true;
        if (part !== null && "targets" in part) this.#access.set(id, part.targets);
        else this.#access.delete(id);
      }
    }
    for (const id of groups) this.#changeGroup(id);
    if (!isAccessChanged) return;
    this.#targets = [...this.#access].sort(([a], [b]) => compareText(a, b))
      .flatMap(([, targets]) => targets);
  }

  #changeRoute(before: Part | undefined, after: Part | undefined, groups: Set<string>): void {
    const [was, is] = [routeOf(before), routeOf(after)];
    this.#services.change(was?.service, is?.service);
    this.#aliases.change(was?.alias, is?.alias);
    this.#name(was?.service, -1, groups);
    this.#name(is?.service, 1, groups);
  }

  /** Counts the groups that a Service names; those that may be different for it are added to `groups`. */
  #name(service: PlanService | undefined, count: number, groups: Set<string>): void {
    for (const id of service === undefined ? [] : groupsNamedBy(service)) {
      const uses = (this.#named.get(id) ?? 0) + count;
      if (uses > 0) this.#named.set(id, uses);
      else this.#named.delete(id);
      groups.add(id);
    }
  }

  /** A group that is not held has no endpoints, and is in the plan where a route leads there. */
  #changeGroup(id: string): void {
    const part = this.#parts.get(groupKey(id));
    const held = part !== undefined && "endpoints" in part ? part : undefined;
    const empty = this.#named.has(id) ? NO_ENDPOINTS : undefined;
    this.#groups.set(id, held?.endpoints ?? empty);
    this.#policies.set(id, held?.policy);
  }
}

function routeOf(part: Part | undefined) {
  return part === undefined || "targets" in part || "endpoints" in part ? undefined : part;
}

/** A list by namespace and name. A list that was taken never changes. */
class NamedList<Item extends { readonly namespace: string; readonly name: string }> {
  #items: readonly Item[] = [];
  readonly #gone = new Set<Item>();
  #come: Item[] = [];

  change(was: Item | undefined, is: Item | undefined): void {
    if (was === is) return;
    // What came and went since the last list is as if it had not been.
    const at = was === undefined ? -1 : this.#come.indexOf(was);
    if (at >= 0) this.#come.splice(at, 1);
    else if (was !== undefined) this.#gone.add(was);
    if (is === undefined) return;
    if (!this.#gone.delete(is)) this.#come.push(is);
  }

  take(): readonly Item[] {
    if (this.#gone.size + this.#come.length === 0) return this.#items;
    const kept = this.#items.filter((item) => !this.#gone.has(item));
    // Nearly sorted, which is as good as sorted.
    this.#items = [...kept, ...this.#come].sort((a, b) =>
      compareText(a.namespace, b.namespace) || compareText(a.name, b.name)
    );
    this.#gone.clear();
    this.#come = [];
    return this.#items;
  }
}

/** A record. One that was taken never changes. */
class ChangingRecord<Value> {
  #record: Record<string, Value> = {};
  #isTaken = false;
  size = 0;

  /** @param value undefined: there is none */
  set(key: string, value: Value | undefined): void {
    const before = Object.hasOwn(this.#record, key) ? this.#record[key] : undefined;
    if (before === value) return;
    if (this.#isTaken) this.#record = { ...this.#record };
    this.#isTaken = false;
    if (before === undefined) this.size++;
    if (value !== undefined) this.#record[key] = value;
    else {
      delete this.#record[key];
      this.size--;
    }
  }

  take(): Readonly<Record<string, Value>> {
    this.#isTaken = true;
    return this.#record;
  }
}
