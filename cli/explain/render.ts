/** An Explanation for a person: from the host to the endpoint, one step a line. */
import type {
  AccessExplanation,
  CallExplanation,
  Explanation,
  HostExplanation,
  PlanInquiry,
  PortExplanation,
  RouteExplanation,
  RuleExplanation,
} from "../../routing/table/explanation.ts";
import { failureText, nearestText } from "../../routing/table/explanation.ts";
import { formatDuration } from "../../base/duration.ts";
import { type RefusalReason, REFUSALS } from "../../base/refusals.ts";
import { carriesHttp } from "../../routing/plan.ts";
import type { Output } from "../../console/output.ts";
import { describeSection } from "../policy_text.ts";
import { type Cell, renderTable } from "../../console/table.ts";
import { foldText, listText, printable } from "../../console/text.ts";
import { LISTED_BACKENDS_MAX, NAMED_ENDPOINTS_MAX, STEP_WIDTH_MIN } from "../limits.ts";
import { askedText, type RequestLine } from "../../console/values.ts";

/** Renders every step the request took, and where it ended. */
export function renderExplanation(
  output: Output,
  request: RequestLine,
  explanation: Explanation,
): string {
  const { client, host, port, rules, route, access, reason, inquiry } = explanation;
  const steps: (readonly [string, string])[] = [
    ["client", client.identity || `unknown, in namespace ${client.namespace}`],
    ...(inquiry === undefined ? [] : [["asked", inquiryText(inquiry)] as const]),
    ...(isUnrouted(explanation) ? [] : [["host", hostText(host)] as const]),
    ...(port === null ? [] : [["port", portText(port)] as const]),
    ...(port === null || route === null ? [] : [["rules", rulesText(explanation, route)] as const]),
    ...(reason !== null && isUnrouted(explanation) ? [["why", whyUnrouted(reason)] as const] : []),
    ...(reason === "not-http"
      ? [["why", `no request goes to it: ${askedAsTcp(explanation)}`] as const]
      : []),
  ];
  let rendered = titleOf(output, request) + noteOf(output, request, explanation);
  rendered += stepLines(output, steps) + renderRules(output, rules);
  if (route !== null) {
    rendered += stepLines(output, [["route", routeText(route, rules)], [
      "backends",
      turnText(route),
    ]]);
    rendered += renderBackends(output, route) + renderPolicies(output, route);
  }
  if (access?.isEnforced) rendered += renderAccess(output, access);
  rendered += stepLines(output, [["outcome", outcomeText(output, explanation)]], false);
  return rendered + stepLines(output, [["plan", explanation.planHash]]);
}

/** Renders what becomes of a request to the application beside a proxy. */
export function renderCall(
  output: Output,
  request: RequestLine,
  explanation: CallExplanation,
): string {
  const { caller, destination, port, access, reason, planHash } = explanation;
  const outcome = reason === null
    ? output.style("good", printable(`forwarded to the application, port ${port}`))
    : output.style("error", printable(refusalText(reason, explanation)));
  const steps = [
    ["caller", caller || "unknown"],
    ["called", destination || "the application, whose identity the proxy does not enforce"],
  ] as const;
  return titleOf(output, request) + noteOf(output, request, explanation) +
    stepLines(output, steps) +
    (access.isEnforced
      ? renderAccess(output, access)
      : stepLines(output, [["access", "not enforced"]])) +
    stepLines(output, [["outcome", outcome]], false) + stepLines(output, [["plan", planHash]]);
}

function titleOf(output: Output, request: RequestLine): string {
  return `${output.style("strong", printable(askedText(request)))}\n`;
}

/** What of the URL counts otherwise than it looks. */
function noteOf(output: Output, asked: RequestLine, { request }: Pick<Explanation, "request">) {
  const { authority, method } = request;
  if (method === "TCP" && asked.method !== "TCP") {
    const text = `TLS: a proxy sees a connection to ${authority}, and no request in it. ` +
      `Sent to the proxy as a request it is answered ${REFUSALS["scheme-unsupported"].status}`;
    return stepLines(output, [["note", text]]);
  }
  const hasOwnHost = asked.url.toLowerCase().replace(/^[^@/]*\/\/([^@/]*@)?/, "")
    .startsWith(authority.toLowerCase());
  return hasOwnHost ? "" : stepLines(output, [["note", `the header Host counts: ${authority}`]]);
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
function refusalText(reason: string, { request, status }: Pick<Explanation, "request" | "status">) {
  return request.method === "TCP"
    ? `the proxy closes the connection: ${reason}`
    : `the proxy answers ${status}: ${reason}`;
}

function renderAccess(output: Output, { isAllowed, guards, nearest }: AccessExplanation): string {
  const rows = guards.map((guard): Cell[] => [
    listText(guard.endpoints, NAMED_ENDPOINTS_MAX),
    guard.isAllowed ? "allowed by" : { text: "denied", style: "error" },
    guard.allowedBy ?? listText(guard.targets, NAMED_ENDPOINTS_MAX),
    guard.match ?? "",
    guard.position ?? "",
  ]);
  const verdict = isAllowed
    ? "allowed"
    : guards.length === 0
    ? "denied: no traffic target lets the caller in"
    : "denied";
  return stepLines(output, [["access", verdict]]) + renderTable(output, [], rows, 4) +
    (nearest === undefined ? "" : stepLines(output, [["nearest", nearestText(nearest)]]));
}

/** Where the text of a step begins. */
const STEP_INDENT = 12;

function stepLines(
  output: Output,
  steps: readonly (readonly [string, string])[],
  isInput = true,
): string {
  const width = Math.max(STEP_WIDTH_MIN, (output.columns ?? Infinity) - STEP_INDENT);
  return steps.map(([name, text]) => {
    const lines = isInput ? foldText(printable(text), width) : [text];
    const rest = lines.slice(1).map((line) => `${" ".repeat(STEP_INDENT)}${line}\n`).join("");
    return `  ${output.style("faint", name.padEnd(8))}  ${lines[0]}\n${rest}`;
  }).join("");
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

function renderRules(output: Output, rules: readonly RuleExplanation[]): string {
  const rows = rules.map((rule, index): Cell[] => [
    String(index + 1),
    rule.outcome === "matched"
      ? { text: "matched", style: "good" }
      : rule.outcome === "failed"
      ? { text: "failed", style: "warning" }
      : { text: "not reached", style: "faint" },
    `${rule.group}#${rule.match}`,
    rule.position ?? "",
    rule.failed === null ? " " : failureText(rule.failed),
  ]);
  return renderTable(output, [], rows.map(withoutBlankEnd), 4);
}

/** A blank last cell would leave spaces at the end of a line. */
function withoutBlankEnd(row: Cell[]): Cell[] {
  return row[row.length - 1] === " " ? row.slice(0, -1) : row;
}

function routeText(route: RouteExplanation, rules: readonly RuleExplanation[]): string {
  const winner = rules.findIndex(({ outcome }) => outcome === "matched");
  const by = winner === -1
    ? route.kind === "pod" ? "pod" : rules.length === 0 ? "" : "no rule matched"
    : `rule ${winner + 1} (${rules[winner].group}#${rules[winner].match})`;
  const to = route.split === null ? "the Service's own endpoints" : `TrafficSplit ${route.split}`;
  const at = route.position === null ? "" : `, ${route.position}`;
  return `${by === "" ? "" : `${by}: `}${to}${at}`;
}

function turnText(
  { sequencePosition, weightTotal, backends, isPinned }: RouteExplanation,
): string {
  if (isPinned) return "the one that this caller stays on";
  if (weightTotal === 0) return "none can take a request";
  if (backends.length === 1) return "one";
  return `this request is number ${
    sequencePosition + 1
  } of the ${weightTotal} that the split repeats after`;
}

/** A Service's own endpoints have no written weight, so none is shown. */
function renderBackends(output: Output, { split, backends }: RouteExplanation): string {
  // The one that takes it is among them, wherever it stands.
  const shown = backends.filter(({ isChosen }, index) => isChosen || index < LISTED_BACKENDS_MAX);
  const more = backends.length - shown.length;
  const rows = shown.map((backend): Cell[] => [
    backend.isChosen ? { text: "->", style: "good" } : "  ",
    backend.service,
    ...(split === null ? [] : [`weight ${backend.weight}`, `${(backend.share * 100).toFixed(1)}%`]),
    ...(backend.skipped === null ? [] : [{ text: backend.skipped, style: "warning" } as const]),
  ]);
  if (more > 0) rows.push(["  ", `and ${more} more`]);
  return renderTable(output, [], rows, 4);
}

function renderPolicies(output: Output, { policies = [] }: RouteExplanation): string {
  if (policies.length === 0) return "";
  const rows = policies.map(({ section, settings, policy, kind, position }): Cell[] => [
    section,
    describeSection(section, settings),
    `${kind ?? "TrafficPolicy"} ${policy}`,
    ...(position === null ? [] : [position]),
  ]);
  return stepLines(output, [["policies", String(rows.length)]]) + renderTable(output, [], rows, 4);
}

function outcomeText(output: Output, explanation: Explanation): string {
  const { outcome, backend, endpoints, reason } = explanation;
  if (outcome === "refuse") {
    return output.style("error", printable(refusalText(reason ?? "", explanation)));
  }
  const places = endpoints.map(({ endpoint, pod }) =>
    pod === "" || endpoint.startsWith(`${pod}:`) ? endpoint : `${endpoint} (${pod})`
  );
  const text = `forwarded to ${backend}, endpoint ${listText(places, NAMED_ENDPOINTS_MAX, " or ")}`;
  return output.style("good", printable(text));
}
