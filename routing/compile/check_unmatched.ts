/**
 * Finds requests that fall past every rule of a root to the root's own endpoints, if those are endpoints that the rules' shares
 * protect (the canary guide's last step and `POST /demo`). Every request that it names was looked up in the rules: it proposes,
 * and the match index decides.
 */
import { MatchIndex } from "../match/match_index.ts";
import { carriesHttp, type PlanEndpoint } from "../plan.ts";
import { requestHeadOf } from "../request.ts";
import { backendShares, planBackend, type ServiceLookup } from "./backends.ts";
import { keyOf } from "./keys.ts";
import type { ResolvedPort, ResolvedService } from "./endpoints.ts";
import { type Findings, plainList, quoted, quotedList } from "./findings.ts";
import type { RootRouting } from "./ports.ts";
import { portProtocol } from "./port_protocol.ts";
import { compareText } from "../../base/order.ts";

/** Methods that have a path, the likeliest first. */
const METHODS_TRIED = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"];
/** No set of rules that is written by hand takes all of these and yet leaves others. */
const PATHS_TRIED = ["/demo", "/", "/other/path", "/zz-0"];

interface UnmatchedCheck {
  readonly root: ResolvedService;
  readonly routing: RootRouting;
  readonly lookup: ServiceLookup;
  readonly findings: Findings;
}

export function checkUnmatched({ root, routing, lookup, findings }: UnmatchedCheck): void {
  const { rules, plain } = routing;
  if (plain !== undefined || rules.length === 0) return;
  const ports = root.ports.filter(({ port }) => carriesHttp(portProtocol(port)));
  const exposed = [
    ...new Set(ports.flatMap((port) => backendsBehindRoot(port, root, rules, lookup))),
  ]
    .sort(compareText);
  if (exposed.length === 0) return;
  const example = unmatchedExample(
    root,
    ports[0],
    new MatchIndex(rules.map(({ match }) => match.plan)),
  );
  if (example === undefined) return;
  const { methods, path } = example;
  const isEveryMethod = methods.length === METHODS_TRIED.length;
  // The last rule is the widest: the one that was meant to take the rest.
  const { split } = rules[rules.length - 1];
  const name = root.service.meta.name;
  findings.add({
    code: "unmatched-reaches-backends",
    meta: split.meta,
    path: ["spec", "matches"],
    message: `No rule of ${quoted(name)} takes ${methods[0]} ${path}` +
      (isEveryMethod
        ? ", or any other request outside its rules: "
        : methods.length === 1
        ? ": "
        : `, nor ${plainList(methods.slice(1))} there: `) +
      `such requests go to all endpoints that ${quoted(name)} selects, among them those of ` +
      quotedList(exposed),
    hint: `Add a TrafficSplit for ${quoted(name)} without matches, which takes what no rule takes`,
  });
}

/** Backends with a share of some rule whose endpoints the root selects too, leaving out the root itself. */
function backendsBehindRoot(
  port: ResolvedPort,
  root: ResolvedService,
  rules: RootRouting["rules"],
  lookup: ServiceLookup,
): string[] {
  const own = new Set(port.endpoints.map(endpointText));
  const names: string[] = [];
  for (const split of new Set(rules.map(({ split }) => split))) {
    for (const share of backendShares(split, lookup.clusterDomain)) {
      const isRoot = share.namespace === root.service.meta.namespace &&
        share.name === root.service.meta.name;
      const { state } = planBackend(share, port.port.port, root, lookup);
      if (share.weight === 0 || isRoot || state !== "ready") continue;
      const backend = lookup.services.get(keyOf(share.namespace, share.name))
        ?.ports.find((candidate) => candidate.port.port === port.port.port);
      if (backend?.endpoints.some((endpoint) => own.has(endpointText(endpoint)))) {
        names.push(share.name);
      }
    }
  }
  return names;
}

/** The pod where it is known: a root and a backend may lead to different ports of one pod. */
function endpointText({ pod, address, port }: PlanEndpoint): string {
  return pod === "" ? `${address}:${port}` : pod;
}

/** A path and all the methods with which no rule takes it. The request has no header but Host. */
function unmatchedExample(
  root: ResolvedService,
  { port: { port } }: ResolvedPort,
  index: MatchIndex,
): { readonly methods: readonly string[]; readonly path: string } | undefined {
  const { namespace, name } = root.service.meta;
  const authority = port === 80 ? `${name}.${namespace}` : `${name}.${namespace}:${port}`;
  for (const path of PATHS_TRIED) {
    const methods = METHODS_TRIED.filter((method) =>
      index.find(requestHeadOf({ method, url: `http://${authority}${path}` })) < 0
    );
    if (methods.length > 0) return { methods, path };
  }
  return undefined;
}
