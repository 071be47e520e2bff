/**
 * buildTable: from a plan to a table for one client. A Service of the table before is taken over as it is, if all that it was made
 * of is the same object in the new plan. The others are made anew (`build_service.ts`).
 */
import { type Changed, changedBetween, type PlanView, policyOf } from "../plan_view.ts";
import { ServiceBuilder } from "./build_service.ts";
import { pairByName } from "./changes.ts";
import { EndpointGroups } from "./endpoint_groups.ts";
import type { TableClient } from "./endpoint_set.ts";
import { HostIndex } from "./host_index.ts";
import { Numbers } from "./numbers.ts";
import type { Table, TableService } from "./table.ts";

/** Tables that a new one has something in common with. */
interface OtherTables {
  /** The one before, for the same client. */
  readonly before?: Table | undefined;
  /** Of the same plan, for another client: rules match the same requests for both. */
  readonly beside?: Table | undefined;
}

/**
 * Makes a plan executable for one client. That costs in proportion to what is another object than in the plan before.
 *
 * @param plan of `compile`, or checked by `plan_codec.ts`
 * @throws {Error} where the paths of one port are too many to be matched together
 */
export function buildTable(
  plan: PlanView,
  client: TableClient,
  { before, beside }: OtherTables = {},
): Table {
  const groups = new EndpointGroups(plan, client, before?.groups ?? null);
  const routeNumbers = new Numbers(before?.routeNumbers ?? null);
  const backendNumbers = new Numbers(before?.backendNumbers ?? null);
  const builder = new ServiceBuilder(plan, client, groups, routeNumbers, backendNumbers);
  const services: TableService[] = [];
  const sameness = before && new Sameness(before.plan, plan, groups);
  const changes = { gone: [] as TableService[], come: [] as TableService[] };
  pairByName(before?.services ?? [], plan.services, (each) => each, (was, is) => {
    if (was !== null) {
      if (is === was.plan && sameness?.of(was)) {
        services.push(was);
        return;
      }
      changes.gone.push(was);
      builder.release(was);
    }
    if (is === null) return;
    const service = builder.build(is, [was, beside?.services[services.length] ?? null]);
    changes.come.push(service);
    services.push(service);
  });
  const hosts = before === undefined
    ? new HostIndex(services, client.namespace, plan)
    : before.hosts.after(changes, services, plan);
  return { plan, client, services, hosts, groups, routeNumbers, backendNumbers };
}

/** Whether the groups of a Service, and what policies say of them, are what they were. */
class Sameness {
  readonly #before: PlanView;
  readonly #after: PlanView;
  readonly #groups: EndpointGroups;
  /** Null: it has to be looked at, group by group. */
  readonly #mayPolicyDiffer: Changed | null;

  constructor(before: PlanView, after: PlanView, groups: EndpointGroups) {
    this.#before = before;
    this.#after = after;
    this.#groups = groups;
    this.#mayPolicyDiffer = changedBetween(before.endpointPolicies, after.endpointPolicies);
  }

  of({ groups, ports }: TableService): boolean {
    if (!this.#groups.isAsBefore) {
      for (const group of groups) if (!this.#groups.isSame(group)) return false;
    }
    if (this.#before.endpointPolicies === this.#after.endpointPolicies) return true;
    for (const { id } of groups) if (!this.#isPolicySame(id)) return false;
    return ports.every(({ group }) => this.#isPolicySame(group));
  }

  #isPolicySame(id: string): boolean {
    return this.#mayPolicyDiffer?.(id) === false ||
      policyOf(this.#before, id) === policyOf(this.#after, id);
  }
}
