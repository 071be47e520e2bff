/** What a plan says as rows of a table: its routes in match order, its backends, its endpoints. */
import {
  type Plan,
  type PlanMatch,
  type PlanPort,
  type PlanRoute,
  type PlanService,
  routingsOf,
} from "../../routing/plan.ts";

export interface PlanTable {
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A line for each rule, in match order, and for what no rule takes. */
export function routeRows(plan: Plan): PlanTable {
  const rows = eachPort(plan).flatMap(({ service, port }) => [
    ...port.rules.map(({ match, route }) => [
      ...placeOf(service, port),
      `${match.group.namespace}/${match.group.name}#${match.name}`,
      conditionsOf(match),
      destinationOf(service, route),
    ]),
    [...placeOf(service, port), "", "everything else", destinationOf(service, port.fallback)],
  ]);
  return { heads: ["service", "port", "protocol", "rule", "match", "goes to"], rows };
}

/** A line for each backend of each route. */
export function clusterRows(plan: Plan): PlanTable {
  const rows = eachPort(plan).flatMap(({ service, port }) => {
    const routes = [...port.rules.map(({ route }) => route), port.fallback];
    const unique = new Map(routes.map((route) => [route.id, route]));
    return [...unique.values()].flatMap(({ split, backends }) => {
      const total = backends.reduce((sum, { weight }) => sum + weight, 0);
      return backends.map((backend) => [
        nameOf(service),
        String(port.port),
        split === null ? "" : `${split.namespace}/${split.name}`,
        `${backend.namespace}/${backend.service}`,
        total === 0 ? "" : `${Number((backend.weight / total * 100).toFixed(2))}%`,
        backend.state,
        String(plan.groups[backend.group]?.length ?? 0),
      ]);
    });
  });
  const heads = ["service", "port", "split", "backend", "share", "state", "endpoints"];
  return { heads, rows };
}

export function endpointRows(plan: Plan): PlanTable {
  const rows = Object.entries(plan.groups).flatMap(([group, endpoints]) =>
    endpoints.map(({ address, port, pod, workload, identity }) => [
      group,
      `${address.includes(":") ? `[${address}]` : address}:${port}`,
      pod,
      workload,
      identity,
    ])
  );
  return { heads: ["group", "address", "pod", "workload", "identity"], rows };
}

/** A port as clients of any namespace see it, and as those do that have routes of their own. */
function eachPort(plan: Plan): { service: PlanService; port: PlanPort }[] {
  return plan.services.flatMap((service) =>
    service.ports.flatMap((port) =>
      routingsOf(port).map((routing) => ({ service, port: { ...port, ...routing } }))
    )
  );
}

function nameOf({ namespace, name }: PlanService): string {
  return `${namespace}/${name}`;
}

function placeOf(service: PlanService, { port, protocol }: PlanPort): string[] {
  return [nameOf(service), String(port), protocol];
}

function conditionsOf({ path, methods, headers, queries = [] }: PlanMatch): string {
  const conditions = [
    ...methods === null ? [] : [methods.join(",")],
    ...path === null ? [] : [path],
    ...headers.map(({ name, pattern }) => `${name}: ${pattern}`),
    ...queries.map(({ name, pattern }) => `?${name}=${pattern}`),
  ];
  return conditions.length === 0 ? "any request" : conditions.join(" ");
}

function destinationOf(service: PlanService, { split, backends, answer }: PlanRoute): string {
  if (answer !== undefined) return answer.kind === "redirect" ? String(answer.status) : "404";
  if (split === null) return nameOf(service);
  const shares = backends.map(({ service, weight }) => `${service} ${weight}`).join(", ");
  return `${split.namespace}/${split.name}: ${shares}`;
}
