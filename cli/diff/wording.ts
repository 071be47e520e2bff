/** How differences are put into words, the same in every form of the report. */
import { formatPosition, type Position } from "../../base/finding.ts";
import { counted } from "../../base/text.ts";
import type {
  ChangedAccess,
  ChangedEdge,
  ChangedPort,
  ChangedRequests,
  DiffAnswer,
  DiffReport,
} from "./report.ts";

/** Titles of what differs beside requests. */
export const TITLES = {
  mesh: "Ports, names and endpoints",
  deadRules: "Rules that nothing comes to",
  access: "Who may call whom, where traffic targets are enforced",
  edge:
    "What crosses the edge of the mesh, where egress is off and callers must come by mutual TLS",
};

export const ENDPOINTS_NOTE =
  "One side has no pods or workloads: every backend counts as if it had endpoints";

export function percentText(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}

export function placeText(position: Position | null): string {
  return position === null ? "" : formatPosition(position).replace(/:\d+$/, "");
}

/** Without the namespace where it is that of the Service. */
export function nearName(name: string, service: string): string {
  const namespace = service.slice(0, service.indexOf("/") + 1);
  return name.startsWith(namespace) ? name.slice(namespace.length) : name;
}

/** `GET /a`, or what stands for a connection. */
export function changedText({ request, service, port }: ChangedRequests): string {
  return request?.text ?? `connections to ${service}:${port}`;
}

/** What decides: `app/routes#read`, `split app/web`, `own endpoints`. */
function answerText({ rule, split, answered }: DiffAnswer, service: string): string {
  if (rule !== null) return nearName(rule, service);
  if (answered !== undefined) return answered === "no-rule" ? "no rule" : answered;
  return split === null ? "own endpoints" : `split ${nearName(split, service)}`;
}

/** `no rule takes them any more`, where that changes; else null. */
export function holeText({ hole }: ChangedRequests): string | null {
  if (hole === null) return null;
  return hole === "opened" ? "hole opened: no rule takes them" : "hole closed";
}

/** Of one line: which rule decides, and which did. */
export function decidingText({ before, after, service }: ChangedRequests): string {
  const [old, now] = [answerText(before, service), answerText(after, service)];
  return old === now ? now : `${now} (was ${old})`;
}

export function portText({ service, port, change, before, after }: ChangedPort): string {
  const name = `${service}:${port}`;
  if (change === "added") return `${name} is new (${after})`;
  if (change === "removed") return `${name} is gone (it spoke ${before})`;
  return `${name} speaks ${after}, and spoke ${before}`;
}

export function aliasText({ service, before, after }: DiffReport["names"][number]): string {
  return `${service} leads to ${after ?? "no other name"}, and led to ${before ?? "no other name"}`;
}

export function endpointText(
  { group, policies, identities }: DiffReport["endpoints"][number],
): string {
  const changes = [
    ...(policies.length === 0 ? [] : [`policy ${policies.join(", ")} changed`]),
    ...(identities === null
      ? []
      : [`run as ${identities.after.join(", ")} (was ${identities.before.join(", ")})`]),
  ];
  return `Endpoints of ${group}: ${changes.join(", ")}`;
}

export function accessText(
  { source, destination, port, change, what, request }: ChangedAccess,
): string {
  const asked = what === "connection" ? "anything" : request?.text ?? "some requests";
  const at = port === null ? "" : `, port ${port}`;
  const may = change === "opened" ? "may now send" : "may no longer send";
  return `${source} ${may} ${asked} to ${destination}${at}`;
}

/** What may go out of the mesh, or come in, now or no longer. */
export function edgeText(edge: ChangedEdge): string {
  const { side, account, port, protocol, change, host, place, principal, request } = edge;
  const may = change === "opened" ? "may now" : "may no longer";
  const asked = request === null ? "" : ` ${request.text}`;
  const at = place === null ? "" : ` at ${place}`;
  if (side === "egress") {
    const called = host === "" ? "a host without a name" : host ?? "any host";
    const send = asked === "" ? "call" : `send${asked} to`;
    return `${account} ${may} ${send} ${called}, port ${port} (${protocol})${at}, outside the mesh`;
  }
  const who = principal === null ? "any caller" : principal === "" ? "other callers" : principal;
  const from = place === null ? "" : ` from ${place}`;
  const name = host === null ? "" : ` to the name ${host || "(none)"}`;
  return `${who}${from} ${may} come in${name} to ${account}, port ${port} (${protocol})${
    asked === "" ? "" : `, with${asked}`
  }`;
}

/** `1240 requests, 24.8%`; empty where no log was read. */
export function trafficText({ traffic }: ChangedRequests, { log }: DiffReport): string {
  if (traffic === undefined || log === undefined) return "";
  return `${traffic} of the log, ${percentText(traffic / Math.max(1, log.requests))}`;
}

function logText({ log }: DiffReport): string {
  if (log === undefined) return "";
  const { requests, changed, lost, undecided } = log;
  const parts = [
    `of ${counted(requests, "request")} of the log ${changed} are answered otherwise ` +
    `(${percentText(changed / Math.max(1, requests))})`,
    ...(lost === 0 ? [] : [`${lost} have no Service any more`]),
    ...(undecided === 0 ? [] : [`${undecided} depend on headers that it does not have`]),
  ];
  return `; ${parts.join(", ")}`;
}

/** `2 kinds of requests go elsewhere, 1 hole opened`; `All requests are answered alike`. */
export function summaryText(report: DiffReport): string {
  const { requests, ports, names, endpoints, deadRules, access, edge, undecided } = report;
  const holes = (hole: ChangedRequests["hole"]) =>
    requests.filter((each) => each.hole === hole).length;
  const calls = (change: ChangedAccess["change"]) =>
    access.filter((each) => each.change === change).length;
  const crossings = (change: ChangedEdge["change"]) =>
    edge.filter((each) => each.change === change).length;
  const parts = [
    [requests.length, (n: number) => `${counted(n, "kind")} of requests answered otherwise`],
    [holes("opened"), (n: number) => `${counted(n, "hole")} opened`],
    [holes("closed"), (n: number) => `${counted(n, "hole")} closed`],
    [ports.length, (n: number) => `${counted(n, "port")} changed`],
    [names.length, (n: number) => `${counted(n, "name")} changed`],
    [endpoints.length, (n: number) => `endpoints of ${counted(n, "port")} treated otherwise`],
    [deadRules.length, (n: number) => `${counted(n, "rule")} that nothing comes to`],
    [calls("opened"), (n: number) => `${counted(n, "call")} opened`],
    [calls("closed"), (n: number) => `${counted(n, "call")} closed`],
    [crossings("opened"), (n: number) => `${counted(n, "way")} across the edge opened`],
    [crossings("closed"), (n: number) => `${counted(n, "way")} across the edge closed`],
  ] as const;
  const found = parts.flatMap(([count, text]) => count === 0 ? [] : [text(count)]);
  const rest = undecided.length === 0
    ? "all others are answered alike"
    : `not decided: ${undecided.join(", ")}`;
  if (found.length > 0) return `${found.join(", ")}; ${rest}${logText(report)}`;
  return report.verdict === "alike"
    ? "All requests are answered alike"
    : `Nothing was found to differ, but ${rest}`;
}
