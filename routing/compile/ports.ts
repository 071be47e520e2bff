/**
 * A Service's ports as the plan has them: rules in match order, and the route of what no rule takes.
 */
import { carriesHttp, type PlanPort, type PlanRoute } from "../plan.ts";
import type { TrafficSplit } from "../../schemas/resources.ts";
import { ownRoute, type ServiceLookup, splitRoute } from "./backends.ts";
import type { ResolvedService } from "./endpoints.ts";
import { type PlanPolicyInput, planPortPolicy, planRulePolicy } from "./plan_policies.ts";
import { declaredProtocol, portProtocol } from "./port_protocol.ts";
import type { RootRule } from "./rules.ts";

/** What the splits of one root come to; a Service that is no split's root has neither. */
export interface RootRouting {
  readonly rules: readonly RootRule[];
  readonly plain: TrafficSplit | undefined;
}

export function planPorts(
  resolved: ResolvedService,
  { rules, plain }: RootRouting,
  lookup: ServiceLookup,
  policyInput: PlanPolicyInput,
): PlanPort[] {
  return resolved.ports.map((port) => {
    const protocol = portProtocol(port.port);
    // One route a split: its rules differ in nothing but the id of their sequence.
    const routes = new Map<TrafficSplit, PlanRoute>();
    const routeOf = (split: TrafficSplit) => {
      const route = routes.get(split) ?? splitRoute(split, resolved, port, lookup);
      routes.set(split, route);
      return route;
    };
    const number = port.port.port;
    const policy = planPortPolicy(resolved, number, policyInput);
    return {
      port: number,
      name: port.port.name,
      protocol,
      ...(declaredProtocol(port.port) === undefined ? { isGuessed: true } : {}),
      rules: !carriesHttp(protocol) ? [] : rules.map(({ split, match, id }) => {
        const route = routeOf(split);
        const rulePolicy = planRulePolicy(match, resolved, number, policyInput);
        return {
          match: match.plan,
          route: { ...route, id: `${route.id}/${id}` },
          ...(rulePolicy === undefined ? {} : { policy: rulePolicy }),
        };
      }),
      fallback: plain === undefined ? ownRoute(resolved, port) : routeOf(plain),
      ...(policy === undefined ? {} : { policy }),
    };
  });
}
