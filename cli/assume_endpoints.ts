/** Manifests without pods say where requests go all the same: then every backend counts as if it had an endpoint. */
import type { Finding } from "../base/finding.ts";
import {
  type Plan,
  type PlanBackend,
  type PlanEndpoint,
  type PlanRoute,
  type PlanRouting,
  routingsOf,
} from "../routing/plan.ts";

const ASSUMED: PlanEndpoint = {
  address: "",
  port: 0,
  pod: "",
  workload: "",
  hostname: "",
  identity: "",
};

/**
 * The errors among Findings. Where the manifests have no pods at all, a split without an endpoint is none, unless it has no backend
 * that could get one.
 */
export function errorsWithoutPods(findings: readonly Finding[], plan: Plan): Finding[] {
  const served = assumeEndpoints(plan);
  return findings.filter(({ code, severity, resource }) => {
    if (severity !== "error" || code !== "split-no-backend" || served === plan) {
      return severity === "error";
    }
    const routes = served.services.flatMap(({ ports }) => ports)
      .flatMap(routingsOf)
      .flatMap(({ rules, fallback }) => [fallback, ...rules.map(({ route }) => route)])
      .filter(({ split }) =>
        split?.namespace === resource?.namespace && split?.name === resource?.name
      );
    return routes.every(({ backends }) =>
      !backends.some(({ state, weight }) => state === "ready" && weight > 0)
    );
  });
}

/** The plan as it is, if any backend of it has an endpoint. */
export function assumeEndpoints(plan: Plan): Plan {
  const groups = Object.entries(plan.groups);
  if (groups.some(([, endpoints]) => endpoints.length > 0)) return plan;
  const assumed = (backend: PlanBackend): PlanBackend =>
    backend.state === "no-endpoints" ? { ...backend, state: "ready" } : backend;
  const route = (each: PlanRoute) => ({ ...each, backends: each.backends.map(assumed) });
  const routing = ({ rules, fallback }: PlanRouting) => ({
    rules: rules.map((rule) => ({ ...rule, route: route(rule.route) })),
    fallback: route(fallback),
  });
  return {
    ...plan,
    groups: Object.fromEntries(groups.map(([id]) => [id, [ASSUMED]])),
    services: plan.services.map((service) => ({
      ...service,
      ports: service.ports.map((port) => ({
        ...port,
        ...routing(port),
        ...(port.consumers === undefined ? {} : {
          consumers: Object.fromEntries(
            Object.entries(port.consumers).map(([namespace, each]) => [namespace, routing(each)]),
          ),
        }),
      })),
    })),
  };
}
