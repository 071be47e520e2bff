/** Manifests without pods say where requests go all the same: then every backend counts as if it had an endpoint. */
import type { Plan, PlanBackend, PlanEndpoint, PlanRoute } from "../../routing/plan.ts";

const ASSUMED: PlanEndpoint = {
  address: "",
  port: 0,
  pod: "",
  workload: "",
  hostname: "",
  identity: "",
};

/** The plan as it is, if any backend of it has an endpoint. */
export function assumeEndpoints(plan: Plan): Plan {
  const groups = Object.entries(plan.groups);
  if (groups.some(([, endpoints]) => endpoints.length > 0)) return plan;
  const assumed = (backend: PlanBackend): PlanBackend =>
    backend.state === "no-endpoints" ? { ...backend, state: "ready" } : backend;
  const route = (each: PlanRoute) => ({ ...each, backends: each.backends.map(assumed) });
  return {
    ...plan,
    groups: Object.fromEntries(groups.map(([id]) => [id, [ASSUMED]])),
    services: plan.services.map((service) => ({
      ...service,
      ports: service.ports.map((port) => ({
        ...port,
        rules: port.rules.map((rule) => ({ ...rule, route: route(rule.route) })),
        fallback: route(port.fallback),
      })),
    })),
  };
}
