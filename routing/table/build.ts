/**
 * buildTable: from a plan to a table for one client. A Service of the table before is taken over as it is, if all that it was made
 * of is the same object in the new plan. The others are made anew (`build_service.ts`).
 */
import { VersionedMap } from "../../base/versioned_map.ts";
import { compareNames } from "../parts.ts";
import { keysToCompare, type PlanView, policyOf, servicesOf } from "../plan_view.ts";
import { ServiceBuilder } from "./build_service.ts";
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

const NO_SERVICES = VersionedMap.empty<TableService>();

/**
 * Makes a plan executable for one client. That costs in proportion to what is another object than in the plan before; where both are
 * versions of what is held, nothing else is even looked at.
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
  const planned = servicesOf(plan);
  const changed = new Map<string, TableService | undefined>();
  const changes = { gone: [] as TableService[], come: [] as TableService[] };
  for (const key of keysThatMayDiffer(before, plan, planned)) {
    const [was, is] = [before?.services.get(key), planned.get(key)];
    if (before !== undefined && was !== undefined) {
      if (is === was.plan && isSame(was, before.plan, plan, groups)) continue;
      changes.gone.push(was);
      changed.set(key, undefined);
      builder.release(was);
    }
    if (is === undefined) continue;
    const service = builder.build(is, [was ?? null, beside?.services.get(key) ?? null]);
    changes.come.push(service);
    changed.set(key, service);
  }
  const known = before?.services ?? NO_SERVICES;
  const services = changed.size === 0 ? known : known.with(changed);
  const all = () => [...services.values()].sort((a, b) => compareNames(a.plan, b.plan));
  const hosts = before === undefined
    ? new HostIndex(all(), client.namespace, plan)
    : before.hosts.after(changes, all, plan);
  return { plan, client, services, hosts, groups, routeNumbers, backendNumbers };
}

/** Of Services. */
function keysThatMayDiffer(
  before: Table | undefined,
  plan: PlanView,
  planned: ReturnType<typeof servicesOf>,
): Iterable<string> {
  if (before === undefined) return planned.keys();
  const { services, permissive } = before.plan;
  const isVersion = services instanceof VersionedMap && permissive === plan.permissive;
  return keysToCompare(isVersion ? services : before.services, planned);
}

/** Whether the groups of a Service, and what policies say of them, are what they were. */
function isSame(
  { groups, ports }: TableService,
  before: PlanView,
  after: PlanView,
  seen: EndpointGroups,
): boolean {
  for (const group of groups) if (!seen.isSame(group)) return false;
  if (before.endpointPolicies === after.endpointPolicies) return true;
  const isPolicySame = (id: string) => policyOf(before, id) === policyOf(after, id);
  return groups.every(({ id }) => isPolicySame(id)) &&
    ports.every(({ group }) => isPolicySame(group));
}
