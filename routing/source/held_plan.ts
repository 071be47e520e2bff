/**
 * HeldPlan: the plan that an event loop works by, brought up to date by differences. It is what `composePlan` makes of the parts, at the
 * cost of what is different: lists that did not change are the same in the next plan. It knows what leads where, so a version says which
 * Services stand on something that is different.
 */
import { compareText } from "../../base/order.ts";
import { VersionedMap } from "../../base/versioned_map.ts";
import {
  type AccessPart,
  compareNames,
  groupKey,
  groupsNamedBy,
  type Part,
  type PartKey,
  routeKey,
} from "../parts.ts";
import type {
  PlanAlias,
  PlanEndpoint,
  PlanEndpointPolicy,
  PlanService,
  PlanTarget,
} from "../plan.ts";
import type { PlanView } from "../plan_view.ts";
import type { PlanChange } from "./held_parts.ts";
import { UsedBy } from "./used_by.ts";

const NO_ENDPOINTS: readonly PlanEndpoint[] = [];

/** What may be different after a change. */
interface Different {
  /** By `namespace/name`. */
  readonly services: Set<string>;
  readonly groups: Set<string>;
  isAccess: boolean;
  areAliases: boolean;
}

export class HeldPlan {
  readonly #parts = new Map<PartKey, Part>();
  readonly #services = new ChangingMap<PlanService>();
  readonly #groups = new ChangingMap<readonly PlanEndpoint[]>();
  readonly #policies = new ChangingMap<PlanEndpointPolicy>();
  /** Groups by Services whose routes lead there, and identities by groups with an endpoint of theirs. */
  readonly #named = new UsedBy();
  readonly #identities = new UsedBy();
  /** By the Service that is another name. */
  readonly #aliasOf = new Map<string, PlanAlias>();
  #aliases: readonly PlanAlias[] = [];
  /** By identity. */
  readonly #access = new Map<string, AccessPart>();
  #targets: readonly PlanTarget[] = [];
  /** Of what leaves the mesh, and what comes from outside. */
  #outside: Pick<PlanView, "egress" | "ingress"> = {};

  /** What comes of a change. Objects of parts that did not change are the same as in the plan before. */
  take(change: PlanChange): { readonly plan: PlanView; readonly undo: () => void } {
    const { parts } = change;
    const before = parts.map(([key]) => [key, this.#parts.get(key) ?? null] as const);
    this.#change(parts);
    const plan = this.#plan(change);
    const undo = () => {
      this.#change(before);
      for (const values of [this.#services, this.#groups, this.#policies]) values.undo();
    };
    return { plan, undo };
  }

  #plan(change: PlanChange): PlanView {
    return {
      ...change.header,
      get hash() {
        return change.hash;
      },
      services: this.#services.take(),
      groups: this.#groups.take(),
      targets: this.#targets,
      ...this.#outside,
      ...(this.#aliases.length === 0 ? {} : { aliases: this.#aliases }),
      endpointPolicies: this.#policies.take(),
    };
  }

  #change(parts: PlanChange["parts"]): void {
    const different: Different = {
      services: new Set(),
      groups: new Set(),
      isAccess: false,
      areAliases: false,
    };
    for (const [key, part] of parts) {
      const before = this.#parts.get(key);
      if (part === null) this.#parts.delete(key);
      else this.#parts.set(key, part);
      const id = key.slice(key.indexOf(" ") + 1);
      if (key.startsWith("route ")) this.#changeRoute(id, before, part ?? undefined, different);
      else if (key.startsWith("group ")) {
        this.#changeGroup(id, before, part ?? undefined, different);
      } else {
        different.isAccess = true;
        if (part !== null && "targets" in part) this.#access.set(id, part);
        else this.#access.delete(id);
        for (const group of this.#identities.of(id)) this.#leadTo(group, different);
      }
    }
    for (const id of different.groups) this.#takeGroup(id);
    for (const id of different.services) {
      this.#services.change(id, routeOf(this.#parts.get(routeKey(id)))?.service);
    }
    if (different.areAliases) this.#aliases = [...this.#aliasOf.values()].sort(compareNames);
    if (different.isAccess) this.#composeAccess();
  }

  #changeRoute(
    id: string,
    before: Part | undefined,
    after: Part | undefined,
    different: Different,
  ): void {
    const [was, is] = [routeOf(before), routeOf(after)];
    different.services.add(id);
    if (was?.alias !== is?.alias) {
      different.areAliases = true;
      if (is?.alias === undefined) this.#aliasOf.delete(id);
      else this.#aliasOf.set(id, is.alias);
    }
    const groups = groupsOf(is?.service);
    for (const group of groups) this.#named.add(group, id);
    const others = groupsOf(was?.service);
    for (const group of others) if (!groups.has(group)) this.#named.delete(group, id);
    for (const group of groups.union(others)) different.groups.add(group);
  }

  #changeGroup(
    id: string,
    before: Part | undefined,
    after: Part | undefined,
    different: Different,
  ): void {
    different.groups.add(id);
    this.#leadTo(id, different);
    const identities = identitiesOf(after);
    for (const identity of identities) this.#identities.add(identity, id);
    for (const identity of identitiesOf(before)) {
      if (!identities.has(identity)) this.#identities.delete(identity, id);
    }
  }

  /** What leads to a group is different with it: routes, and the Service itself, whose pods have names and addresses. */
  #leadTo(group: string, { services }: Different): void {
    services.add(group.slice(0, group.lastIndexOf(":")));
    for (const service of this.#named.of(group)) services.add(service);
  }

  /** A group that is not held has no endpoints, and is in the plan where a route leads there. */
  #takeGroup(id: string): void {
    const part = this.#parts.get(groupKey(id));
    const held = part !== undefined && "endpoints" in part ? part : undefined;
    const empty = this.#named.has(id) ? NO_ENDPOINTS : undefined;
    this.#groups.change(id, held?.endpoints ?? empty);
    this.#policies.change(id, held?.policy);
  }

  #composeAccess(): void {
    const access = [...this.#access].sort(([a], [b]) => compareText(a, b));
    this.#targets = access.flatMap(([, { targets }]) => targets);
    const said = <Field extends "egress" | "ingress">(field: Field) => {
      const own = access.flatMap(([id, { [field]: list }]) =>
        list === undefined ? [] : [[id, list]]
      );
      return own.length === 0 ? {} : { [field]: Object.fromEntries(own) };
    };
    this.#outside = { ...said("egress"), ...said("ingress") };
  }
}

function routeOf(part: Part | undefined) {
  return part === undefined || "targets" in part || "endpoints" in part ? undefined : part;
}

function groupsOf(service: PlanService | undefined): Set<string> {
  return new Set(service === undefined ? [] : groupsNamedBy(service));
}

/** Of the endpoints of a group. */
function identitiesOf(part: Part | undefined): Set<string> {
  const endpoints = part !== undefined && "endpoints" in part ? part.endpoints : [];
  return new Set(endpoints.map(({ identity }) => identity));
}

/** A map of which each version that was taken never changes. */
class ChangingMap<Value> {
  #taken = VersionedMap.empty<Value>();
  #before = this.#taken;
  #changes = new Map<string, Value | undefined>();

  /** Whatever comes of it, the next version has it as different. @param value undefined: there is none */
  change(key: string, value: Value | undefined): void {
    if (value !== undefined || this.#taken.get(key) !== undefined) this.#changes.set(key, value);
    else this.#changes.delete(key);
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
