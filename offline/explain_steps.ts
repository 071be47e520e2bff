/**
 * An Explanation in words: from the host to the endpoint, one step after another. The one wording for the terminal and the page; how
 * it is laid out is theirs.
 */
import { formatDuration } from "../base/duration.ts";
import { type RefusalReason, REFUSALS } from "../base/refusals.ts";
import { listText } from "../console/text.ts";
import type { RequestLine } from "../console/values.ts";
import { carriesHttp } from "../routing/plan.ts";
import {
  type AccessExplanation,
  type CallExplanation,
  type Explanation,
  failureText,
  type HostExplanation,
  nearestText,
  type PlanInquiry,
  type PortExplanation,
  type RouteExplanation,
  type RuleExplanation,
} from "../routing/table/explanation.ts";
import { LISTED_BACKENDS_MAX, NAMED_ENDPOINTS_MAX } from "./limits.ts";
import { describeSection } from "./policy_text.ts";

export interface ExplainStep {
  readonly name: string;
  readonly text: string;
  /** Null: neither well nor ill. */
  readonly tone: "good" | "error" | null;
  /** `file:line:column`, which stands in the text too. */
  readonly place: string | null;
  readonly rows: readonly (readonly ExplainCell[])[];
}

export interface ExplainCell {
  readonly text: string;
  readonly tone?: "good" | "warning" | "error" | "faint";
  /** It is a `file:line:column`. */
  readonly isPlace?: true;
}

/** Every step the request took, and where it ended. */
export function explainSteps(asked: RequestLine, explanation: Explanation): ExplainStep[] {
  const { client, host, port, rules, route, access, reason, inquiry, planHash } = explanation;
  const isEarly = isUnrouted(explanation);
  return [
    ...noteOf(asked, explanation),
    step("client", client.identity || `unknown, in namespace ${client.namespace}`),
    ...(inquiry === undefined ? [] : [step("asked", inquiryText(inquiry))]),
    ...(isEarly ? [] : [step("host", hostText(host))]),
    ...(port === null ? [] : [step("port", portText(port))]),
    ...(port === null || route === null
      ? []
      : [step("rules", rulesText(explanation, route), { rows: rules.map(ruleRow) })]),
    ...(reason !== null && isEarly ? [step("why", whyUnrouted(reason))] : []),
    ...(reason === "not-http"
      ? [step("why", `no request goes to it: ${askedAsTcp(explanation)}`)]
      : []),
    ...(route === null ? [] : routeSteps(route, rules)),
    ...(access?.isEnforced ? accessSteps(access) : []),
    ...egressSteps(explanation),
    outcomeStep(explanation),
    step("plan", planHash),
  ];
}

/** Where a proxy that captures passes on what the mesh does not know. */
function egressSteps({ egress, client }: Explanation): ExplainStep[] {
  if (egress === undefined) return [];
  const { allowedBy, position } = egress;
  return [
    allowedBy === null
      ? step("egress", `off, and no Egress lets ${client.identity || "this client"} call it`)
      : step("egress", `off, but Egress ${allowedBy} lets a captured call out`, {
        place: position,
      }),
  ];
}

/** What becomes of a request to the application beside a proxy. */
export function callSteps(asked: RequestLine, explanation: CallExplanation): ExplainStep[] {
  const { caller, destination, port, access, reason, planHash } = explanation;
  return [
    ...noteOf(asked, explanation),
    step("caller", caller || "unknown"),
    step("called", destination || "the application, whose identity the proxy does not enforce"),
    ...(access.isEnforced ? accessSteps(access) : [step("access", "not enforced")]),
    ...ingressSteps(explanation),
    reason === null
      ? step("outcome", `forwarded to the application, port ${port}`, { tone: "good" })
      : step("outcome", refusalText(reason, explanation), { tone: "error" }),
    step("plan", planHash),
  ];
}

/** Of a caller from outside the mesh. */
function ingressSteps({ ingress }: CallExplanation): ExplainStep[] {
  if (ingress === undefined) return [];
  const { peer, serverName, isStrict, endsTls, allowedBy, position } = ingress;
  const isPassed = serverName !== null && !endsTls;
  const name = serverName === "" ? "no name" : serverName;
  const how = serverName === null ? "in plain" : `by TLS to ${name}`;
  const must = isStrict ? "must" : "need not";
  return [
    step("outside", `from ${peer}, ${how}, where callers ${must} come by mutual TLS`),
    allowedBy === null
      ? step("ingress", `no IngressBackend ${isPassed ? "ends its TLS" : "lets it in"}`)
      : step("ingress", `IngressBackend ${allowedBy} lets it in`, { place: position }),
  ];
}

function step(name: string, text: string, more: Partial<ExplainStep> = {}): ExplainStep {
  return { name, text, tone: null, place: null, rows: [], ...more };
}

/** What of the URL counts otherwise than it looks. */
function noteOf(asked: RequestLine, { request }: Pick<Explanation, "request">): ExplainStep[] {
  const { authority, method } = request;
  if (method === "TCP" && asked.method !== "TCP") {
    const text = `TLS: a proxy sees a connection to ${authority}, and no request in it. ` +
      `Sent to the proxy as a request it is answered ${REFUSALS["scheme-unsupported"].status}`;
    return [step("note", text)];
  }
  const hasOwnHost = asked.url.toLowerCase().replace(/^[^@/]*\/\/([^@/]*@)?/, "")
    .startsWith(authority.toLowerCase());
  return hasOwnHost ? [] : [step("note", `the header Host counts: ${authority}`)];
}

function inquiryText({ outcome, waitedMs }: PlanInquiry): string {
  const time = formatDuration(Math.max(1, Math.round(waitedMs)));
  switch (outcome) {
    case "answered":
      return `the source of the plan, which answered after ${time}`;
    case "late":
      return `the source of the plan, without an answer in ${time}: as if the mesh had nothing of it`;
    case "away":
      return "nothing: the source of the plan is away, so as if the mesh had nothing of it";
  }
}

/** What is wrong with the head itself, so that it does not come to hosts and rules. */
function isUnrouted({ host, reason }: Explanation): boolean {
  return host.name === "" && reason !== "host-invalid";
}

function askedAsTcp({ host, port }: Explanation): string {
  return `ask for the connection, tcp://${host.name}:${port?.number}`;
}

function whyUnrouted(reason: RefusalReason): string {
  const { text } = REFUSALS[reason];
  if (reason !== "bad-start-line") return text;
  return `${text}: what a URL may not hold is percent-encoded, and CONNECT takes HOST:PORT`;
}

/** A connection has no answer. */
function refusalText(
  reason: string,
  { request, status, location }: Pick<Explanation, "request" | "status" | "location">,
) {
  if (location !== undefined) return `the proxy answers ${status}: to ${location}`;
  return request.method === "TCP"
    ? `the proxy closes the connection: ${reason}`
    : `the proxy answers ${status}: ${reason}`;
}

function accessSteps({ isAllowed, guards, nearest }: AccessExplanation): ExplainStep[] {
  const rows = guards.map((guard): ExplainCell[] => [
    { text: listText(guard.endpoints, NAMED_ENDPOINTS_MAX) },
    guard.isAllowed ? { text: "allowed by" } : { text: "denied", tone: "error" },
    { text: guard.allowedBy ?? listText(guard.targets, NAMED_ENDPOINTS_MAX) },
    { text: guard.match ?? "" },
    placeCell(guard.position),
  ]);
  const verdict = isAllowed
    ? "allowed"
    : guards.length === 0
    ? "denied: no traffic target lets the caller in"
    : "denied";
  const access = step("access", verdict, { rows });
  if (nearest === undefined) return [access];
  return [access, step("nearest", nearestText(nearest), { place: nearest.position })];
}

function placeCell(position: string | null): ExplainCell {
  return position === null ? { text: "" } : { text: position, isPlace: true };
}

function hostText({ name, spelling, service, pod, outside }: HostExplanation): string {
  if (outside !== null) return `${name} is another name of ${outside}, outside the mesh`;
  if (service === null) return name === "" ? "not a host" : `${name} is no Service`;
  const target = pod === null ? `Service ${service}` : `pod ${pod} of Service ${service}`;
  return `${name} is ${target}${spelling === null ? "" : `, spelt as ${spelling}`}`;
}

const PORT_SOURCES = {
  "authority": "named in the URL",
  "default": "the default of HTTP",
  "only-port": "the only port of the Service",
} as const;

function portText({ number, source, isKnown, name, protocol }: PortExplanation): string {
  const text = `${number}, ${PORT_SOURCES[source]}`;
  if (!isKnown) return `${text}; the Service does not have it`;
  return `${text}${name ? `; named ${name}` : ""}; speaks ${protocol}`;
}

function rulesText(
  { request, port, rules }: Explanation,
  route: RouteExplanation,
): string {
  if (route.kind === "pod") return "none: a single pod was asked for";
  const isHttp = port !== null && port.protocol !== null && carriesHttp(port.protocol);
  if (request.method === "TCP" || !isHttp) return "none: they are not for connections";
  if (rules.length === 0) return "none";
  return "first match wins";
}

const RULE_OUTCOMES = {
  matched: { text: "matched", tone: "good" },
  failed: { text: "failed", tone: "warning" },
  "not-reached": { text: "not reached", tone: "faint" },
} as const satisfies Record<RuleExplanation["outcome"], ExplainCell>;

function ruleRow(rule: RuleExplanation, index: number): ExplainCell[] {
  return [
    { text: String(index + 1) },
    RULE_OUTCOMES[rule.outcome],
    { text: `${rule.group}#${rule.match}` },
    placeCell(rule.position),
    ...(rule.failed === null ? [] : [{ text: failureText(rule.failed) }]),
  ];
}

function routeSteps(route: RouteExplanation, rules: readonly RuleExplanation[]): ExplainStep[] {
  const { policies = [] } = route;
  const policyRows = policies.map(({ section, settings, policy, kind, position }) => [
    { text: section },
    { text: describeSection(section, settings) },
    { text: `${kind ?? "TrafficPolicy"} ${policy}` },
    ...(position === null ? [] : [placeCell(position)]),
  ]);
  return [
    step("route", routeText(route, rules), { place: route.position }),
    step("backends", turnText(route), { rows: backendRows(route) }),
    ...(policies.length === 0
      ? []
      : [step("policies", String(policies.length), { rows: policyRows })]),
  ];
}

function routeText(route: RouteExplanation, rules: readonly RuleExplanation[]): string {
  const winner = rules.findIndex(({ outcome }) => outcome === "matched");
  const by = winner === -1
    ? route.kind === "pod" ? "pod" : rules.length === 0 ? "" : "no rule matched"
    : `rule ${winner + 1} (${rules[winner].group}#${rules[winner].match})`;
  const to = route.split === null
    ? "the Service's own endpoints"
    : `${route.splitKind ?? "TrafficSplit"} ${route.split}`;
  if (route.answer === "no-rule") return "no rule matched, and there are routes that have some";
  const at = route.position === null ? "" : `, ${route.position}`;
  return `${by === "" ? "" : `${by}: `}${to}${at}`;
}

function turnText(
  { sequencePosition, weightTotal, backends, isPinned, answer }: RouteExplanation,
): string {
  if (answer !== undefined) return "none is asked";
  if (isPinned) return "the one that this caller stays on";
  if (weightTotal === 0) return "none can take a request";
  if (backends.length === 1) return "one";
  return `this request is number ${
    sequencePosition + 1
  } of the ${weightTotal} that the split repeats after`;
}

/** A Service's own endpoints have no written weight, so none is shown. */
function backendRows({ split, backends }: RouteExplanation): ExplainCell[][] {
  // The one that takes it is among them, wherever it stands.
  const shown = backends.filter(({ isChosen }, index) => isChosen || index < LISTED_BACKENDS_MAX);
  const more = backends.length - shown.length;
  const rows = shown.map((backend): ExplainCell[] => [
    backend.isChosen ? { text: "->", tone: "good" } : { text: "  " },
    { text: backend.service },
    ...(split === null
      ? []
      : [{ text: `weight ${backend.weight}` }, { text: `${(backend.share * 100).toFixed(1)}%` }]),
    ...(backend.skipped === null ? [] : [{ text: backend.skipped, tone: "warning" } as const]),
  ]);
  if (more > 0) rows.push([{ text: "  " }, { text: `and ${more} more` }]);
  return rows;
}

function outcomeStep(explanation: Explanation): ExplainStep {
  const { outcome, backend, endpoints, reason } = explanation;
  if (outcome === "refuse") {
    return step("outcome", refusalText(reason ?? "", explanation), { tone: "error" });
  }
  const places = endpoints.map(({ endpoint, pod }) =>
    pod === "" || endpoint.startsWith(`${pod}:`) ? endpoint : `${endpoint} (${pod})`
  );
  const text = `forwarded to ${backend}, endpoint ${listText(places, NAMED_ENDPOINTS_MAX, " or ")}`;
  return step("outcome", text, { tone: "good" });
}
