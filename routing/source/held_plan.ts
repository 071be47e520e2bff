/**
 * HeldPlan: the plan that an event loop works by, brought up to date by differences. It is what `composePlan` makes of the parts, at the
 * cost of what is different: lists that did not change are the same in the next plan.
 */
import { compareText } from "../../base/order.ts";
import { VersionedMap } from "../../base/versioned_map.ts";
import { type AccessPart, groupKey, groupsNamedBy, type Part, type PartKey } from "../parts.ts";
import type {
  PlanAlias,
  PlanEndpoint,
  PlanEndpointPolicy,
  PlanService,
  PlanTarget,
} from "../plan.ts";
import type { PlanView } from "../plan_view.ts";
import type { PlanChange } from "./held_parts.ts";

const NO_ENDPOINTS: readonly PlanEndpoint[] = [];

export class HeldPlan {
  readonly #parts = new Map<PartKey, Part>();
  readonly #services = new NamedList<PlanService>();
  readonly #aliases = new NamedList<PlanAlias>();
  readonly #groups = new ChangingMap<readonly PlanEndpoint[]>();
  readonly #policies = new ChangingMap<PlanEndpointPolicy>();
  /** How often Services name each group. */
  readonly #named = new Map<string, number>();
  /** By identity. */
  readonly #access = new Map<string, AccessPart>();
  #targets: readonly PlanTarget[] = [];
  #egress: Pick<PlanView, "egress"> = {};

  /** What comes of a change. Objects of parts that did not change are the same as in the plan before. */
  take(change: PlanChange): { readonly plan: PlanView; readonly undo: () => void } {
    const { parts } = change;
    const before = parts.map(([key]) => [key, this.#parts.get(key) ?? null] as const);
    this.#change(parts);
    const plan = this.#plan(change);
    const undo = () => {
      this.#change(before);
      this.#groups.undo();
      this.#policies.undo();
    };
    return { plan, undo };
  }

  #plan(change: PlanChange): PlanView {
    const aliases = this.#aliases.take();
    return {
      ...change.header,
      get hash() {
        return change.hash;
      },
      services: this.#services.take(),
      groups: this.#groups.take(),
      targets: this.#targets,
      ...this.#egress,
      ...(aliases.length === 0 ? {} : { aliases }),
      endpointPolicies: this.#policies.take(),
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
        if (part !== null && "targets" in part) this.#access.set(id, part);
        else this.#access.delete(id);
      }
    }
    for (const id of groups) this.#changeGroup(id);
    if (!isAccessChanged) return;
    const access = [...this.#access].sort(([a], [b]) => compareText(a, b));
    this.#targets = access.flatMap(([, { targets }]) => targets);
    const egress = access.flatMap(([id, { egress }]) => egress === undefined ? [] : [[id, egress]]);
    this.#egress = egress.length === 0 ? {} : { egress: Object.fromEntries(egress) };
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
class NamedList<Item extends Named> {
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
    const changes = this.#gone.size + this.#come.length;
    if (changes === 0) return this.#items;
    if (changes <= FEW_CHANGES) this.#items = this.#withFew();
    else {
      const kept = this.#items.filter((item) => !this.#gone.has(item));
      // Nearly sorted, which is as good as sorted.
      this.#items = [...kept, ...this.#come].sort(compareNames);
    }
    this.#gone.clear();
    this.#come = [];
    return this.#items;
  }

  #withFew(): Item[] {
    const items = this.#items.slice();
    for (const item of this.#gone) items.splice(placeOf(items, item), 1);
    for (const item of this.#come) items.splice(placeOf(items, item), 0, item);
    return items;
  }
}

/** Up to so many changes of a list are cheaper one by one than a look at all of it. */
const FEW_CHANGES = 16;

type Named = Pick<PlanService, "namespace" | "name">;

function compareNames(a: Named, b: Named): number {
  return compareText(a.namespace, b.namespace) || compareText(a.name, b.name);
}

/** Of the first item of a sorted list that is not before this one. */
function placeOf(items: readonly Named[], item: Named): number {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareNames(items[middle], item) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A map of which each version that was taken never changes. */
class ChangingMap<Value> {
  #taken = VersionedMap.empty<Value>();
  #before = this.#taken;
  #changes = new Map<string, Value | undefined>();

  /** @param value undefined: there is none */
  set(key: string, value: Value | undefined): void {
    const before = this.#changes.has(key) ? this.#changes.get(key) : this.#taken.get(key);
    if (before !== value) this.#changes.set(key, value);
  }

  take(): VersionedMap<Value> {
    this.#before = this.#taken;
    if (this.#changes.size > 0) this.#taken = this.#taken.with(this.#changes);
    this.#changes = new Map();
    return this.#taken;
  }

  /** The version that was taken last has not been. */
  undo(): void {
    this.#taken = this.#before;
    this.#changes = new Map();
  }
}
