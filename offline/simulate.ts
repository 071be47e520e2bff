/**
 * `--request`: sends one request again and again through the routing of one client proxy, without sending anything. It uses the
 * `decide` and the balancing of the proxy. No two requests overlap, and all endpoints are well. Split sequences and endpoints
 * have their canonical order, so a run can be repeated.
 */
import { assert } from "../base/assert.ts";
import { Random } from "../base/random.ts";
import { Balancing } from "../proxy/balance/balancing.ts";
import type { Plan } from "../routing/plan.ts";
import { type RefusalReason, REFUSALS } from "../base/refusals.ts";
import { readAsked } from "../proxy/run/read_asked.ts";
import { DEFAULT_PORT, type RequestHead } from "../routing/request.ts";
import { decide, decideWhole, Decision } from "../routing/table/decide.ts";
import { type Asked, explainAsked } from "../routing/table/explain.ts";
import type { NearestTarget } from "../routing/table/explanation.ts";
import { SplitState } from "../routing/table/split.ts";
import { buildTable } from "../routing/table/build.ts";
import type { EndpointSet, TableEndpoint } from "../routing/table/endpoint_set.ts";
import type { Table, TableBackend, TableRoute } from "../routing/table/table.ts";
import type { RequestLine, RequestSender } from "../console/values.ts";
import { LISTED_REQUESTS_MAX } from "./limits.ts";

/** Where the request comes from: with `sourceIp` all of one caller go to one endpoint, whichever that is. */
const UNKNOWN_PEER = "";

export interface SimulatedRequest extends RequestLine {
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly from: RequestSender;
  readonly count: number;
}

export interface Simulation {
  readonly request: SimulatedRequest;
  /** The rule that took the request, `namespace/group#match`; null: none did, or it got no further than the host. */
  readonly rule: string | null;
  /** `namespace/name`; null: the Service's own endpoints, or refused before a route was found. */
  readonly split: string | null;
  /** In the order sent; empty where there are too many to list. */
  readonly outcomes: readonly SimulatedOutcome[];
  /** In written order of the route's backends. */
  readonly distribution: readonly BackendCount[];
  /** By reason. */
  readonly refusals: readonly SimulatedRefusal[];
}

interface SimulatedRefusal {
  readonly reason: string;
  readonly status: number;
  readonly count: number;
  /** The traffic target that came nearest to allowing it; left out where none is at fault, or none comes near. */
  readonly nearest?: NearestTarget;
}

interface SimulatedOutcome {
  /** `namespace/service`, or null if the proxy answers by itself. */
  readonly backend: string | null;
  /** `address:port`, or `pod:port` where the input gives no address. */
  readonly endpoint: string | null;
  readonly pod: string | null;
  /** Null if it is forwarded. */
  readonly refusal: { readonly reason: string; readonly status: number } | null;
}

interface BackendCount {
  readonly backend: string;
  readonly weight: number;
  /** The share that the weights ask for, 0 to 1. */
  readonly expected: number;
  readonly count: number;
  readonly endpoints: readonly { readonly endpoint: string; readonly count: number }[];
}

/**
 * Decides `request.count` requests one after another.
 * @param listedMax of so many each outcome is kept
 */
export function simulate(
  plan: Plan,
  request: SimulatedRequest,
  listedMax: number = LISTED_REQUESTS_MAX,
): Simulation {
  const table = buildTable(plan, { ...request.from, seed: null });
  const state = new SplitState(table);
  const balancers = new Balancers();
  const asked = readAsked(request);
  const { head } = asked;
  const decision = new Decision();
  const tally = new Tally();
  const outcomes: SimulatedOutcome[] = [];
  for (let sent = 0; sent < request.count; sent++) {
    const outcome = asked.unrouted === null
      ? outcomeOf(decideAsked(table, asked, state, decision), head, balancers)
      : refusedBy(asked.unrouted);
    tally.add(outcome);
    if (request.count <= listedMax) outcomes.push(outcome);
  }
  const route = decision.route;
  const match = route?.rule?.match;
  const split = route?.plan.split;
  return {
    request,
    rule: match ? `${match.group.namespace}/${match.group.name}#${match.name}` : null,
    split: split ? `${split.namespace}/${split.name}` : null,
    outcomes,
    distribution: route === null ? [] : tally.distribution(route),
    refusals: tally.refusals().map((refusal) => ({
      ...refusal,
      ...(refusal.reason === "access-denied" ? nearestTo(table, asked) : {}),
    })),
  };
}

function nearestTo(table: Table, asked: Asked): Pick<SimulatedRefusal, "nearest"> {
  const { access } = explainAsked(table, asked, DEFAULT_PORT, new SplitState(table));
  return access?.nearest === undefined ? {} : { nearest: access.nearest };
}

function decideAsked(
  table: Table,
  { head, isWhole }: Asked,
  state: SplitState,
  decision: Decision,
): Decision {
  if (isWhole) decideWhole(table, head, state, decision);
  else decide(table, head, DEFAULT_PORT, state, decision);
  return decision;
}

function refusedBy(reason: RefusalReason): SimulatedOutcome {
  const { status } = REFUSALS[reason];
  return { backend: null, endpoint: null, pod: null, refusal: { reason, status } };
}

function outcomeOf(
  decision: Decision,
  head: RequestHead,
  balancers: Balancers,
): SimulatedOutcome {
  const { backend, endpointSet, reason } = decision;
  if (decision.outcome === "refuse" || backend === null || endpointSet === null) {
    return refusedBy(reason ?? "no-endpoints");
  }
  const endpoint = balancers.pick(backend, endpointSet, head);
  return { backend: backend.key, endpoint: endpoint.key, pod: endpoint.plan.pod, refusal: null };
}

/** The proxy's balancing of each backend, by its policy. Nothing is ever under way, as one request ends before the next. */
class Balancers {
  readonly #random = new Random(0, "balancing");
  /** By key of the backend's endpoints. */
  readonly #byKey = new Map<string, Balancing<TableEndpoint>>();

  /** @param set what traffic targets leave of the backend's endpoints */
  pick(backend: TableBackend, set: EndpointSet, head: RequestHead): TableEndpoint {
    const balancing = this.#of(backend);
    const hash = balancing.hashOf(head, UNKNOWN_PEER);
    const choice = balancing.pick(set, hash, 0, () => true);
    assert(choice !== null, "A set of endpoints is never empty");
    return choice.target;
  }

  #of({ endpointSet, policy }: TableBackend): Balancing<TableEndpoint> {
    const { key, endpoints } = endpointSet;
    let balancing = this.#byKey.get(key);
    if (balancing === undefined) {
      balancing = new Balancing(key, null, this.#random);
      const targets = endpoints.map((target) => ({ key: target.key, target }));
      balancing.bind(endpointSet, targets, policy?.loadBalancing, 0, 0);
      this.#byKey.set(key, balancing);
    }
    return balancing;
  }
}

/** Counts outcomes by backend and endpoint, and refusals by reason. */
class Tally {
  readonly #backends = new Map<string, Map<string, number>>();
  readonly #refusals = new Map<string, { reason: string; status: number; count: number }>();

  add({ backend, endpoint, refusal }: SimulatedOutcome): void {
    if (refusal !== null) {
      const known = this.#refusals.get(refusal.reason) ?? { ...refusal, count: 0 };
      this.#refusals.set(refusal.reason, { ...known, count: known.count + 1 });
    } else if (backend !== null && endpoint !== null) {
      const endpoints = this.#backends.get(backend) ?? new Map<string, number>();
      this.#backends.set(backend, endpoints.set(endpoint, (endpoints.get(endpoint) ?? 0) + 1));
    }
  }

  distribution(route: TableRoute): BackendCount[] {
    return route.plan.backends.map((planned) => {
      const backend = `${planned.namespace}/${planned.service}`;
      const usable = route.backends.find(({ key }) => key === backend);
      const endpoints = [...this.#backends.get(backend) ?? []]
        .map(([endpoint, count]) => ({ endpoint, count }));
      return {
        backend,
        weight: planned.weight,
        expected: usable === undefined ? 0 : usable.weight / route.weightTotal,
        count: endpoints.reduce((sum, { count }) => sum + count, 0),
        endpoints,
      };
    });
  }

  refusals(): { reason: string; status: number; count: number }[] {
    return [...this.#refusals.values()];
  }
}
