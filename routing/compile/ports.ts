/**
 * A Service's ports as the plan has them: rules in match order, and the route of what no rule takes. Where routes of the Gateway API
 * speak for a port, splits do not.
 */
import { carriesHttp, type PlanPort, type PlanRoute, type PlanRouting } from "../plan.ts";
import type { TrafficSplit } from "../../schemas/resources.ts";
import { ownRoute, type ServiceLookup, splitRoute } from "./backends.ts";
import type { ResolvedPort, ResolvedService } from "./endpoints.ts";
import type { GatewayLookup } from "./gateway_backends.ts";
import { type Attachment, planGatewayPort } from "./gateway_ports.ts";
import { type PlanPolicyInput, planPortPolicy, planRulePolicy } from "./plan_policies.ts";
import { declaredProtocol, portProtocol } from "./port_protocol.ts";
import type { RootRule } from "./rules.ts";

/** What the splits of one root come to; a Service that is no split's root has neither. */
export interface RootRouting {
  readonly rules: readonly RootRule[];
  readonly plain: TrafficSplit | undefined;
}

/** What routes of the Gateway API say of one Service. */
interface RootRoutes {
  readonly attachments: readonly Attachment[];
  readonly lookup: GatewayLookup;
}

export function planPorts(
  root: ResolvedService,
  routing: RootRouting,
  { attachments, lookup }: RootRoutes,
  policyInput: PlanPolicyInput,
): PlanPort[] {
  return root.ports.map((port) => {
    const protocol = portProtocol(port.port);
    const { port: number, name } = port.port;
    const policy = planPortPolicy(root, number, policyInput);
    const { own, ...consumers } = planGatewayPort(attachments, {
      ...{ root, port, protocol, policy, lookup },
    });
    return {
      port: number,
      name,
      protocol,
      ...(declaredProtocol(port.port) === undefined ? { isGuessed: true } : {}),
      ...(own ?? splitRouting(root, port, routing, lookup, policyInput)),
      ...consumers,
      ...(policy === undefined ? {} : { policy }),
    };
  });
}

function splitRouting(
  root: ResolvedService,
  port: ResolvedPort,
  { rules, plain }: RootRouting,
  lookup: ServiceLookup,
  policyInput: PlanPolicyInput,
): PlanRouting {
  // One route a split: its rules differ in nothing but the id of their sequence.
  const routes = new Map<TrafficSplit, PlanRoute>();
  const routeOf = (split: TrafficSplit) => {
    const route = routes.get(split) ?? splitRoute(split, root, port, lookup);
    routes.set(split, route);
    return route;
  };
  return {
    rules: !carriesHttp(portProtocol(port.port)) ? [] : rules.map(({ split, match, id }) => {
      const route = routeOf(split);
      const policy = planRulePolicy(match, root, port.port.port, policyInput);
      return {
        match: match.plan,
        route: { ...route, id: `${route.id}/${id}` },
        ...(policy === undefined ? {} : { policy }),
      };
    }),
    fallback: plain === undefined ? ownRoute(root, port) : routeOf(plain),
  };
}
