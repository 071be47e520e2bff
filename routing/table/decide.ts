/**
 * decide: the one matcher. From a request head to the endpoints that may answer it, or to the
 * reason why none may. Allocates nothing once the caches of a table are warm; makes no string from
 * bytes.
 */
import { REFUSALS } from "../../base/refusals.ts";
import { CONNECT, type RequestHead } from "../request.ts";
import type { PodAddress } from "./address_index.ts";
import type { Affinity } from "./affinity.ts";
import { HostMatch } from "./host_index.ts";
import { NO_KEY } from "./request_key.ts";
import type { SplitState } from "./split.ts";
import type {
  RouteRefusal,
  Table,
  TableBackend,
  TablePort,
  TableRoute,
  TableService,
} from "./table.ts";
import type { EndpointSet } from "./endpoint_set.ts";

/** What one request gets. Filled by `decide`, reused by its owner. */
export class Decision {
  outcome: "forward" | "refuse" = "refuse";
  /** Null if the outcome is `forward`. */
  reason: RouteRefusal | null = null;
  /** The HTTP status of a refusal; 0 if the outcome is `forward`. */
  status = 0;
  /** As far as the request got; never null if the outcome is `forward`. */
  service: TableService | null = null;
  port: TablePort | null = null;
  route: TableRoute | null = null;
  backend: TableBackend | null = null;
  /** The endpoints of the backend that the client may send this request to. */
  endpointSet: EndpointSet | null = null;
  /** The caller asks for the backend that its point falls on (affinity), and no place in the sequence was taken. */
  isPinned = false;
}

/** A connection has a port, and no other is meant. */
const NO_PORT = -1;

// Decisions are made one at a time and never nest, so all share one scratch object.
const host = new HostMatch<TableService>();

/**
 * Decides one request, and takes the next place in its route's split sequence.
 *
 * @param defaultPort the port meant where the authority has none: 80 for plain HTTP
 * @param state the client's sequences, bound to `table`
 * @param decision overwritten
 */
export function decide(
  table: Table,
  head: RequestHead,
  defaultPort: number,
  state: SplitState,
  decision: Decision,
): void {
  const port = findAsked(table, head, defaultPort, decision);
  if (port !== null) takeRequest(port, findRoute(port, host.pod, head), head, state, decision);
}

/** As `decide`, for a whole connection to the host and port that `head` names, whatever the port speaks. */
export function decideWhole(
  table: Table,
  head: RequestHead,
  state: SplitState,
  decision: Decision,
): void {
  const port = findAsked(table, head, NO_PORT, decision);
  if (port !== null) takeConnection(port, connectionRoute(port, host.pod), state, decision);
}

/**
 * As `decide`, for a request whose port is known by other means than its authority: its connection was captured
 * on the way to the Service's address.
 */
export function decideAt(
  port: TablePort,
  head: RequestHead,
  state: SplitState,
  decision: Decision,
): void {
  clear(decision);
  decision.service = port.service;
  takeRequest(port, findRoute(port, -1, head), head, state, decision);
}

/**
 * As `decide`, for a request whose connection was captured on the way to a pod: where its host names a headless Service that
 * the pod is behind, that Service's rules count. False: they do not, and the pod's address decides.
 */
export function decideBehind(
  table: Table,
  { asked, listed, headless }: PodAddress,
  head: RequestHead,
  state: SplitState,
  decision: Decision,
): boolean {
  table.hosts.find(head.bytes, head.authorityStart, head.authorityEnd, host);
  const { service } = host;
  if (service === null || !headless.includes(service.key)) return false;
  const own = listed.find((each) => each.service === service.key);
  // No Service lists the pod's port: its name with the Service's own port is understood, though nothing listens there.
  const named = listed.length > 0 ? undefined : asked;
  const wanted = own?.port.port ?? named;
  const port = service.ports.find((each) => each.port === wanted);
  if (port === undefined) return false;
  // The name of one pod goes with that pod's address alone.
  const pod = host.pod === -1 ? null : service.plan.podHosts[host.pod];
  if (pod !== null && own !== undefined && own.endpoint.hostname !== pod) return false;
  clear(decision);
  decision.service = service;
  takeRequest(port, findRoute(port, host.pod, head), head, state, decision);
  return true;
}

function takeRequest(
  port: TablePort,
  route: TableRoute,
  head: RequestHead,
  state: SplitState,
  decision: Decision,
): void {
  decision.port = port;
  if (!port.isHttp) {
    // CONNECT asks for a connection, whatever the port speaks.
    if (head.method !== CONNECT) return refuse(decision, "not-http");
    return takeConnection(
      port,
      isPodRoute(port, route) ? route : port.connections,
      state,
      decision,
    );
  }
  const backend = takeBackend(route, head, state, decision);
  if (backend === null || backend.guarded === null) return;
  decision.endpointSet = backend.guarded.http(head);
  if (decision.endpointSet === null) refuse(decision, backend.refusal ?? "access-denied");
}

/**
 * Decides one connection to a port that does not speak HTTP. Rules do not apply to it (smi-facts 3.3), only the port's fallback
 * does. Only TCP rules of traffic targets allow it.
 */
export function decideConnection(
  port: TablePort,
  state: SplitState,
  decision: Decision,
): void {
  clear(decision);
  decision.service = port.service;
  takeConnection(port, port.connections, state, decision);
}

function takeConnection(
  port: TablePort,
  route: TableRoute,
  state: SplitState,
  decision: Decision,
): void {
  decision.port = port;
  const backend = takeBackend(route, null, state, decision);
  if (backend === null || backend.guarded === null) return;
  decision.endpointSet = backend.guarded.tcp;
  if (decision.endpointSet === null) refuse(decision, backend.refusal ?? "access-denied");
}

/** The port that the host and port of `head` mean, and in `host` what the host is; null: it is refused. */
function findAsked(
  table: Table,
  head: RequestHead,
  defaultPort: number,
  decision: Decision,
): TablePort | null {
  clear(decision);
  table.hosts.find(head.bytes, head.authorityStart, head.authorityEnd, host);
  if (!host.isValid) return refused(decision, "host-invalid");
  const { service } = host;
  if (service === null) {
    return refused(decision, host.alias === null ? "host-unknown" : "alias-outside");
  }
  decision.service = service;
  return findPort(service, host.port, defaultPort) ?? refused(decision, "port-unknown");
}

/**
 * The port of a Service that a request means; null if there is none. A request that names no
 * port, sent to a Service that has exactly one, means that one.
 *
 * @param asked the port in the authority; -1 for none
 */
export function findPort(
  service: TableService,
  asked: number,
  defaultPort: number,
): TablePort | null {
  const wanted = asked === -1 ? defaultPort : asked;
  for (const port of service.ports) {
    if (port.port === wanted) return port;
  }
  return asked === -1 && service.ports.length === 1 ? service.ports[0] : null;
}

function findRoute(port: TablePort, pod: number, head: RequestHead): TableRoute {
  if (pod !== -1) return port.pods[pod];
  const rule = port.matches.find(head);
  return rule === -1 ? port.fallback : port.rules[rule];
}

/** Rules do not apply to connections; a single pod that is asked for is. */
export function connectionRoute(port: TablePort, pod: number): TableRoute {
  return pod === -1 ? port.connections : port.pods[pod];
}

/** Whether a route is that of a single pod. */
export function isPodRoute(port: TablePort, route: TableRoute): boolean {
  return route.rule === null && route !== port.fallback && route !== port.connections;
}

/** Fills route, backend and endpoints; null if it had to refuse. */
function takeBackend(
  route: TableRoute,
  head: RequestHead | null,
  state: SplitState,
  decision: Decision,
): TableBackend | null {
  decision.route = route;
  const pinned = route.affinity === null || head === null
    ? null
    : pinnedBackend(route.affinity, head);
  decision.isPinned = pinned !== null;
  const backend = pinned ?? state.pick(route);
  if (backend === null) {
    refuse(decision, route.refusal ?? "no-endpoints");
    if (route.plan.answer?.kind === "redirect") decision.status = route.plan.answer.status;
    return null;
  }
  decision.backend = backend;
  decision.endpointSet = backend.endpointSet;
  decision.outcome = "forward";
  return backend;
}

/** The backend that the caller stays on; null if the request does not say who calls. */
export function pinnedBackend(
  affinity: Affinity<TableBackend>,
  head: RequestHead,
): TableBackend | null {
  const point = affinity.pointOf(head);
  return point === NO_KEY ? null : affinity.backendAt(point);
}

function clear(decision: Decision): void {
  decision.outcome = "refuse";
  decision.reason = null;
  decision.status = 0;
  decision.service = null;
  decision.port = null;
  decision.route = null;
  decision.backend = null;
  decision.endpointSet = null;
  decision.isPinned = false;
}

function refused(decision: Decision, reason: RouteRefusal): null {
  refuse(decision, reason);
  return null;
}

function refuse(decision: Decision, reason: RouteRefusal): void {
  decision.outcome = "refuse";
  decision.reason = reason;
  decision.status = REFUSALS[reason].status;
  decision.endpointSet = null;
}
