/**
 * buildTable: from a plan to a table for one client. A Service of the table before is taken over as it is, if all that it was made
 * of is the same object in the new plan. The others are made anew (`build_service.ts`).
 */
import type { Plan, PlanService } from "../plan.ts";
import { ServiceBuilder } from "./build_service.ts";
import { changesBetween, pairByName } from "./changes.ts";
import { EndpointGroups } from "./endpoint_groups.ts";
import type { TableClient } from "./endpoint_set.ts";
import { HostIndex } from "./host_index.ts";
import { Numbers } from "./numbers.ts";
import { policyOf } from "./endpoint_policies.ts";
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
  plan: Plan,
  client: TableClient,
  { before, beside }: OtherTables = {},
): Table {
  const { namespace } = client;
  const groups = new EndpointGroups(plan, client, before?.groups ?? null);
  const routeNumbers = new Numbers(before?.routeNumbers ?? null);
  const backendNumbers = new Numbers(before?.backendNumbers ?? null);
  const places = placesOf(plan, before, groups);
  for (const { was, isKept } of places) {
    if (was === null || isKept) continue;
    for (const { index, backends } of was.routes) {
      routeNumbers.giveBack(index);
      for (const backend of backends) backendNumbers.giveBack(backend.index);
    }
  }
  const builder = new ServiceBuilder(plan, groups, routeNumbers, backendNumbers);
  const services: TableService[] = [];
  for (const { is, was, isKept } of places) {
    if (is === null) continue;
    const other = beside?.services[services.length] ?? null;
    services.push(was !== null && isKept ? was : builder.build(is, [was, other]));
  }
  const hosts = before === undefined
    ? new HostIndex(services, namespace, plan)
    : before.hosts.after(changesBetween(before.services, services), services, plan);
  return { plan, hash: plan.hash, client, services, hosts, groups, routeNumbers, backendNumbers };
}

/** A Service of the table before, of the new plan, or of both. */
interface Place {
  readonly was: TableService | null;
  readonly is: PlanService | null;
  readonly isKept: boolean;
}

function placesOf(plan: Plan, before: Table | undefined, groups: EndpointGroups): Place[] {
  const places: Place[] = [];
  pairByName(before?.services ?? [], plan.services, (each) => each, (was, is) => {
    const isKept = was !== null && is === was.plan && before !== undefined &&
      isSame(was, before.plan, plan, groups);
    places.push({ was, is, isKept });
  });
  return places;
}

/** Whether the groups of a Service, and what policies say of them, are what they were. */
function isSame(service: TableService, before: Plan, after: Plan, groups: EndpointGroups): boolean {
  for (const group of service.groups) if (!groups.isSame(group)) return false;
  if (before.endpointPolicies === after.endpointPolicies) return true;
  for (const { id } of service.groups) {
    if (policyOf(before, id) !== policyOf(after, id)) return false;
  }
  return service.ports.every(({ group }) => policyOf(before, group) === policyOf(after, group));
}
