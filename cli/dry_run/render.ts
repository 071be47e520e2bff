/** The report of a dry run as tables for a person. */
import type { Position } from "../../base/finding.ts";
import type { PolicySection } from "../../base/policy.ts";
import { renderBars } from "../../console/bar_chart.ts";
import { renderFindings, summarizeFindings } from "../../console/findings.ts";
import type { Output } from "../../console/output.ts";
import { type Cell, renderTable } from "../../console/table.ts";
import { counted } from "../../base/text.ts";
import { listText, printable } from "../../console/text.ts";
import { askedText, isConnection, type RequestLine } from "../../console/values.ts";
import { nearestText } from "../../routing/table/explanation.ts";
import type { PlanMatch } from "../../routing/plan.ts";
import { describeMatch } from "../../routing/match/match.ts";
import { comersOf, requestsLetIn } from "../../offline/ingress_text.ts";
import { describeSection } from "../../offline/policy_text.ts";
import type { DryRunReport, ReportEndpoint, ReportPort, ReportRoute } from "./report.ts";
import type { Simulation } from "../../offline/simulate.ts";
import { NAMED_BACKENDS_MAX } from "../limits.ts";
import { LISTED_BACKENDS_MAX, NAMED_ENDPOINTS_MAX } from "../../offline/limits.ts";

/**
 * Renders the Findings, services, splits, routes, and the simulation if there is one. Findings come first, because hundreds of lines
 * may follow, and their count comes last, because it is what a terminal shows.
 */
export function renderReport(output: Output, report: DryRunReport): string {
  const sections = [
    renderFindings(output, report.findings),
    renderServices(output, report),
    renderSplits(output, report),
    renderPolicies(output, report),
    ...renderRoutes(output, report),
    renderAccess(output, report),
    renderEgress(output, report),
    renderIngress(output, report),
    report.simulation === undefined ? "" : renderSimulation(output, report.simulation),
    `${summarizeFindings(report.findings)}\n`,
  ];
  return sections.filter((section) => section !== "").join("\n");
}

function renderServices(output: Output, { services }: DryRunReport): string {
  if (services.length === 0) return "No services\n";
  const rows = services.flatMap((service) => {
    const ports = service.ports.length === 0 ? [null] : service.ports;
    return ports.map((port): Cell[] => [
      service.namespace,
      { text: service.name, style: "strong" },
      port === null ? "" : portText(port),
      port?.protocol ?? "",
      service.clusterIps.join(","),
      port === null ? "" : endpointsText(port.endpoints),
    ]);
  });
  const heads = ["NAMESPACE", "SERVICE", "PORT", "PROTOCOL", "CLUSTER-IP", "ENDPOINTS"];
  return renderTable(output, heads, rows);
}

function renderSplits(output: Output, { splits }: DryRunReport): string {
  if (splits.length === 0) return "No splits\n";
  const rows = splits.map((split): Cell[] => [
    split.namespace,
    { text: split.name, style: "strong" },
    split.service,
    listText(split.matches, NAMED_BACKENDS_MAX),
    listText(
      split.backends.map(({ service, weight }) => `${service}=${weight}`),
      NAMED_BACKENDS_MAX,
    ),
    placeText(split.position),
  ]);
  return renderTable(
    output,
    ["NAMESPACE", "SPLIT", "ROOT", "MATCHES", "BACKENDS", "DEFINED AT"],
    rows,
  );
}

/** Who may call what, where that is enforced. */
function renderAccess(output: Output, { access }: DryRunReport): string {
  if (access === undefined) return "";
  if (access.length === 0) return "No caller may do anything: no traffic target allows it\n";
  const rows = access.map(({ service, port, destination, source, may, target }) => [
    ...[`${service}:${port}`, destination, source, may, target],
  ]);
  return renderTable(output, ["SERVICE", "CALLED", "CALLER", "MAY", "BY"], rows);
}

/** What may leave the mesh, where egress is off. */
function renderEgress(output: Output, { egress }: DryRunReport): string {
  if (egress === undefined) return "";
  if (egress.length === 0) return "Nothing leaves the mesh: no Egress allows it\n";
  const rows = egress.map(({ source, hosts, ranges, ports, http, ref }): Cell[] => [
    source,
    ports.map(({ port, protocol }) => `${port}/${protocol}`).join(","),
    hosts === null ? "any" : listText(hosts, NAMED_BACKENDS_MAX),
    ranges === null ? "any" : listText(ranges, NAMED_BACKENDS_MAX),
    http === null ? "any" : listText(http.map(matchName), NAMED_BACKENDS_MAX),
    `${ref.namespace}/${ref.name}`,
  ]);
  const heads = ["CALLER", "PORTS", "HOSTS", "ADDRESSES", "REQUESTS", "EGRESS"];
  return renderTable(output, heads, rows);
}

/** Who may come in from outside, where callers are held to mutual TLS, or to targets. */
function renderIngress(output: Output, { ingress }: DryRunReport): string {
  if (ingress === undefined) return "";
  const rows = ingress.map((each): Cell[] => [
    each.destination,
    `${each.port}/${each.protocol}`,
    listText(comersOf(each), NAMED_BACKENDS_MAX),
    listText(requestsLetIn(each), NAMED_BACKENDS_MAX),
    `${each.ref.namespace}/${each.ref.name}`,
  ]);
  const heads = ["CALLED", "PORT", "FROM OUTSIDE", "MAY", "INGRESSBACKEND"];
  return renderTable(output, heads, rows);
}

function matchName({ group, name }: PlanMatch): string {
  return `${group.name}#${name}`;
}

/**
 * One row a section; the name, the targets and the place of the policy stand in the first. What Services ask for by
 * themselves comes last.
 */
function renderPolicies(output: Output, { services, policies }: DryRunReport): string {
  const ofServices = services.flatMap(({ namespace, name, affinity }): Cell[][] =>
    affinity === undefined ? [] : [[
      namespace,
      "-",
      `Service ${name}`,
      placeText(affinity.position),
      "loadBalancing",
      describeSection("loadBalancing", affinity.loadBalancing),
    ]]
  );
  if (policies.length + ofServices.length === 0) return "";
  const ofPolicies = policies.flatMap(({ namespace, name, targets, settings, position }) => {
    const head: Cell[] = [
      namespace,
      { text: name, style: "strong" },
      listText(targets, NAMED_BACKENDS_MAX),
      placeText(position),
    ];
    const sections = Object.entries(settings);
    if (sections.length === 0) return [[...head, ""]];
    return sections.map(([section, value], index): Cell[] => [
      ...(index === 0 ? head : head.map(() => " ")),
      section,
      describeSection(section as PolicySection, value),
    ]);
  });
  const heads = ["NAMESPACE", "POLICY", "TARGETS", "DEFINED AT", "SECTION", "SETTINGS"];
  return renderTable(output, heads, [...ofPolicies, ...ofServices]);
}

/** One block for each port that a split applies to: the others send all to their own endpoints. */
function renderRoutes(output: Output, { services }: DryRunReport): string[] {
  const blocks: string[] = [];
  for (const { namespace, name, ports } of services) {
    for (const { port, routes } of ports) {
      if (routes.every(({ split }) => split === null)) continue;
      for (const [consumers, some] of Map.groupBy(routes, ({ consumers }) => consumers)) {
        const from = consumers === undefined ? "" : ` for clients in namespace ${consumers}`;
        const title = `Routes of ${namespace}/${name}:${port}${from}, first match wins`;
        const rows = some.flatMap((route, index) => routeRows(route, index + 1, namespace));
        const table = renderTable(output, ROUTE_HEADS, rows, 2);
        blocks.push(`${output.style("strong", printable(title))}\n${table}`);
      }
    }
  }
  return blocks;
}

const ROUTE_HEADS = [
  "#",
  "REQUEST",
  "DEFINED AT",
  "SPLIT",
  "BACKEND",
  "WEIGHT",
  "SHARE",
  "ENDPOINTS",
];

/** One row a backend; what they share stands in the first. Names of `namespace` stand without it. */
function routeRows(route: ReportRoute, place: number, namespace: string): Cell[][] {
  const isOwn = route.split === null;
  const head: Cell[] = [
    String(place),
    route.match === null ? "everything else" : describeMatch(route.match),
    placeText(route.match?.position ?? route.position),
    route.split !== null
      ? kindName(route, localName(route.split, namespace))
      : route.answer === undefined
      ? "own endpoints"
      : "-",
  ];
  if (route.answer !== undefined || route.backends.length === 0) {
    return [[...head, { text: String(route.answer ?? 500), style: "warning" }]];
  }
  const blank = head.map(() => " ");
  const rows = route.backends.slice(0, LISTED_BACKENDS_MAX).map((backend, index): Cell[] => [
    ...(index === 0 ? head : blank),
    localName(backend.service, namespace),
    // A Service's own endpoints have no written weight.
    isOwn ? "" : String(backend.weight),
    percent(backend.share),
    backend.state === "ready"
      ? endpointsText(backend.endpoints)
      : { text: backend.state, style: "warning" },
  ]);
  const more = route.backends.length - rows.length;
  return more === 0 ? rows : [...rows, [...blank, `and ${more} more`]];
}

/** `HTTPRoute web`; a TrafficSplit by its name alone. */
function kindName({ splitKind }: ReportRoute, name: string): string {
  return splitKind === undefined ? name : `${splitKind} ${name}`;
}

function localName(name: string, namespace: string): string {
  return name.startsWith(`${namespace}/`) ? name.slice(namespace.length + 1) : name;
}

function renderSimulation(output: Output, simulation: Simulation): string {
  const { request, distribution, refusals } = simulation;
  const title = `${counted(request.count, nounOf(request))} ${askedText(request)} ` +
    `from ${request.from.identity}`;
  const rule = simulation.rule === null ? "no rule" : `rule ${simulation.rule}`;
  const split = simulation.split === null ? "own endpoints" : `split ${simulation.split}`;
  let rendered = `${output.style("strong", printable(title))}\n`;
  if (distribution.length > 0) rendered += `  ${printable(`${rule}, ${split}`)}\n`;
  rendered += renderOutcomes(output, simulation);
  const shown = distribution.slice(0, LISTED_BACKENDS_MAX);
  rendered += renderBars(output, barsOf(simulation, shown), 2);
  const hidden = distribution.slice(LISTED_BACKENDS_MAX);
  if (hidden.length > 0) {
    const count = hidden.reduce((sum, backend) => sum + backend.count, 0);
    rendered += `  and ${counted(hidden.length, "more backend")}: ${count}\n`;
  }
  const spread = shown.filter(({ endpoints }) => endpoints.length > 1);
  for (const { backend, endpoints } of spread) {
    const counts = listText(
      endpoints.map(({ endpoint, count }) => `${endpoint} ${count}`),
      LISTED_BACKENDS_MAX,
    );
    rendered += `  ${printable(`${backend}: ${counts}`)}\n`;
  }
  for (const { reason, status, count, nearest } of refusals) {
    const noun = nounOf(request);
    const text = noun === "request"
      ? `${counted(count, noun)} answered ${status} by the proxy: ${reason}`
      : `${counted(count, noun)} closed by the proxy: ${reason}`;
    rendered += `  ${output.style("error", text)}\n`;
    if (nearest !== undefined) {
      rendered += `    nearest TrafficTarget ${printable(nearestText(nearest))}\n`;
    }
  }
  return rendered;
}

function nounOf(request: RequestLine): "request" | "connection" {
  return isConnection(request) ? "connection" : "request";
}

function renderOutcomes(output: Output, { outcomes }: Simulation): string {
  const rows = outcomes.map(({ backend, endpoint, pod, refusal }, index): Cell[] =>
    refusal === null
      ? [String(index + 1), backend ?? "", endpoint ?? "", pod ?? ""]
      : [String(index + 1), { text: `${refusal.status} ${refusal.reason}`, style: "error" }]
  );
  return rows.length === 0 ? "" : renderTable(output, ["#", "BACKEND", "ENDPOINT", "POD"], rows, 2);
}

function barsOf({ request, split }: Simulation, shown: Simulation["distribution"]) {
  return shown.map(({ backend, weight, expected, count }) => {
    const share = request.count === 0 ? 0 : count / request.count;
    const asked = split === null ? "" : `, weight ${weight} asks for ${percent(expected)}`;
    return { label: backend, share, expected, note: `${count} (${percent(share)})${asked}` };
  });
}

function portText({ port, name }: ReportPort): string {
  return name === "" ? String(port) : `${port}/${name}`;
}

function endpointsText(endpoints: readonly ReportEndpoint[]): string {
  if (endpoints.length === 0) return "none";
  const named = endpoints.slice(0, NAMED_ENDPOINTS_MAX)
    .map(({ address, pod, port }) => `${address || pod}:${port}`);
  const more = endpoints.length - named.length;
  return named.join(",") + (more > 0 ? ` +${more}` : "");
}

function placeText(position: Position | null): string {
  return position === null ? "" : `${position.file}:${position.line}`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}
