/** Why traffic targets refuse a request of the local mesh, from what its record tells: for the request log. */
import type { RequestRecord } from "../proxy/observe/request_record.ts";
import { readAsked } from "../proxy/run/read_asked.ts";
import { type Plan, routingsOf } from "../routing/plan.ts";
import { targetPortOf } from "../routing/table/access.ts";
import { nearestText } from "../routing/table/explanation.ts";
import { nearestTarget } from "../routing/table/nearest_target.ts";

/**
 * What came nearest to allowing the request, and what of it does not hold; empty: it was not refused so, or nothing comes near.
 * @param caller `namespace/serviceaccount`
 */
export function whyDeniedIn(plan: Plan, record: RequestRecord, caller: string): string {
  if (record.reason !== "access-denied") return "";
  const { method, authority, path, headers } = record;
  const port = plan.services
    .flatMap(({ namespace, name, ports }) =>
      ports.filter((each) => `${namespace}/${name}:${each.port}` === record.service)
    ).at(0);
  if (port === undefined) return "";
  const backends = routingsOf(port)
    .flatMap(({ rules, fallback }) => [fallback, ...rules.map(({ route }) => route)])
    .flatMap((route) => route.backends)
    .filter(({ namespace, service }) =>
      record.backend === "" || `${namespace}/${service}` === record.backend
    );
  const groups = new Set(backends.map(({ group }) => group));
  const calls = [...groups].flatMap((group) => plan.groups[group] ?? []).map((endpoint) => ({
    caller,
    destination: endpoint.identity,
    port: targetPortOf(endpoint),
  }));
  const isHttp = ["http", "http2", "grpc"].includes(port.protocol);
  const url = `http://${authority}${method === "CONNECT" ? "" : path}`;
  const { head } = readAsked({ method, url, headers: Object.entries(headers) });
  const nearest = nearestTarget(plan.targets, calls, isHttp ? head : null);
  if (nearest === null) return "";
  // Records have only headers that a tap asks for.
  return nearestText(nearest, { knowsHeaders: false });
}
