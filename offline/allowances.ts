/** What traffic targets allow where a Service leads: which callers, and what of them. A plan in permissive mode has no targets. */
import { compareText } from "../base/order.ts";
import { describeMatch } from "../routing/match/match.ts";
import { groupsNamedBy } from "../routing/parts.ts";
import type {
  Plan,
  PlanEndpoint,
  PlanIngress,
  PlanPort,
  PlanService,
  PlanTarget,
} from "../routing/plan.ts";
import { comersOf, requestsLetIn } from "./ingress_text.ts";

/** Something that a target allows, or an IngressBackend. */
export interface Allowance {
  /** `namespace/name`. */
  readonly service: string;
  readonly port: number;
  /** `namespace/serviceaccount` of the pods that are called, and of the caller. */
  readonly destination: string;
  /** Of one from outside the mesh: where it comes from, and who it has to be. */
  readonly source: string;
  readonly may: string;
  /** `namespace/name`; of an IngressBackend with that word before it. */
  readonly target: string;
}

/** By port, then by who is called, then by caller. */
export function allowancesOf(plan: Plan, service: PlanService): Allowance[] {
  return service.ports.flatMap((port) =>
    Array.from(
      calledAt(plan, service, port),
      ([destination, numbers]) =>
        plan.targets.filter((target) => target.destination === destination)
          .flatMap((target) => allowedBy(target, [...numbers])),
    ).flat()
      .sort((a, b) => compareText(a.destination, b.destination) || compareText(a.source, b.source))
      .map((each) => ({ service: nameOf(service), port: port.port, ...each }))
  );
}

/** What IngressBackends allow callers from outside the mesh at the Service's own pods, as `allowancesOf` has what targets do. */
export function entriesOf(plan: Plan, service: PlanService): Allowance[] {
  return service.ports.flatMap(({ port }) => {
    const id = `${nameOf(service)}:${port}`;
    const endpoints = Object.hasOwn(plan.groups, id) ? plan.groups[id] : [];
    const entries = new Set(endpoints.flatMap((endpoint) => entriesAt(plan, endpoint)));
    return [...entries].flatMap((ingress) =>
      comersOf(ingress).flatMap((source) =>
        requestsLetIn(ingress).map((may) => ({
          ...{ service: nameOf(service), port, destination: ingress.destination, source, may },
          target: `IngressBackend ${ingress.ref.namespace}/${ingress.ref.name}`,
        }))
      )
    );
  });
}

function entriesAt({ ingress = {} }: Plan, endpoint: PlanEndpoint): PlanIngress[] {
  const { identity, address, port, targetPort = port } = endpoint;
  const own = Object.hasOwn(ingress, identity) ? ingress[identity] : [];
  return own.filter((each) => each.port === targetPort && (each.pods?.includes(address) ?? true));
}

/** Whom calls of a port may reach, whichever route they take, and at which ports of theirs. */
function calledAt(plan: Plan, service: PlanService, port: PlanPort): Map<string, Set<number>> {
  const own = `${nameOf(service)}:${port.port}`;
  const called = new Map<string, Set<number>>();
  for (const id of new Set([own, ...groupsNamedBy({ ...service, ports: [port] })])) {
    const endpoints = Object.hasOwn(plan.groups, id) ? plan.groups[id] : [];
    for (const { identity, port: number, targetPort = number } of endpoints) {
      if (identity === "") continue;
      called.set(identity, (called.get(identity) ?? new Set()).add(targetPort));
    }
  }
  return called;
}

type Allowed = Omit<Allowance, "service" | "port">;

function allowedBy(target: PlanTarget, numbers: readonly number[]): Allowed[] {
  const { ref, destination, sources, http, tcpPorts } = target;
  if (target.port !== null && !numbers.includes(target.port)) return [];
  const isTcp = tcpPorts !== null &&
    (tcpPorts.length === 0 || numbers.some((number) => tcpPorts.includes(number)));
  const may = isTcp ? ["everything: a TCP rule has the port"] : http.map(describeMatch);
  return sources.flatMap((source) =>
    may.map((each) => ({
      ...{ destination, source, may: each },
      target: `${ref.namespace}/${ref.name}`,
    }))
  );
}

function nameOf({ namespace, name }: PlanService): string {
  return `${namespace}/${name}`;
}
