/**
 * The report of `weft diff`: what `-o json` writes, and what its other forms are made of. Its shape is a promise: fields are added,
 * never renamed or removed, while `apiVersion` stays.
 */
import type { Position } from "../../base/finding.ts";
import type { EdgeChange } from "../../routing/algebra/compare_edge.ts";
import { type AccessChange } from "../../routing/algebra/compare_access.ts";
import {
  type AliasDifference,
  type EndpointDifference,
  type PlanComparison,
  type PortDifference,
} from "../../routing/algebra/compare_plans.ts";
import {
  changedSections,
  type PortAnswer,
  type PortChange,
  ruleName,
} from "../../routing/algebra/compare_ports.ts";
import {
  type Witness,
  witnessArguments,
  witnessText,
  witnessUrl,
} from "../../routing/algebra/witness.ts";
import { type Traffic, trafficKey } from "./traffic.ts";
import { carriesHttp, type PlanPort } from "../../routing/plan.ts";

/** `undecided`: nothing that differs was found, but not all could be looked at. */
type Verdict = "alike" | "different" | "undecided";

export interface DiffReport {
  readonly apiVersion: "weft.dev/v1alpha1";
  readonly kind: "Diff";
  readonly before: string;
  readonly after: string;
  readonly verdict: Verdict;
  /** The input says nothing of endpoints, so that every backend counts as if it had some. */
  readonly ignoresEndpoints: boolean;
  readonly requests: readonly ChangedRequests[];
  /** Only with `--log`. */
  readonly log?: DiffTraffic;
  readonly ports: readonly ChangedPort[];
  readonly deadRules: readonly DeadRule[];
  readonly names: readonly AliasDifference[];
  readonly endpoints: readonly EndpointDifference[];
  /** Counts where traffic targets are enforced. */
  readonly access: readonly ChangedAccess[];
  /** Counts where egress is off, and where callers from outside the mesh are held to mutual TLS or targets. */
  readonly edge: readonly ChangedEdge[];
  /** `namespace/service:port` each, `access` and `edge`: more may change than is listed. */
  readonly undecided: readonly string[];
}

/** Of the requests of a log. */
interface DiffTraffic extends Omit<Traffic, "byRoutes"> {
  /** Those that are answered otherwise. */
  readonly changed: number;
}

/** Requests that go elsewhere, or are treated otherwise. */
export interface ChangedRequests {
  /** `namespace/service`. */
  readonly service: string;
  readonly port: number;
  /** A shortest one of them; null: they are connections, not requests. */
  readonly request: DiffRequest | null;
  /** They are of clients in this namespace alone, which has routes of its own; left out: of all others. */
  readonly consumers?: string;
  readonly before: DiffAnswer;
  readonly after: DiffAnswer;
  /** From 0 to 1; by those that change most. */
  readonly backends: readonly BackendChange[];
  /** Sections of policies that ask for something else. */
  readonly policies: readonly string[];
  /** How many of the log's requests; only with `--log`. */
  readonly traffic?: number;
  /** A rule or split took them, and none does; or the other way round. */
  readonly hole: "opened" | "closed" | null;
}

interface DiffRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** For a person: `GET /a with x: y`. */
  readonly text: string;
  /** What `weft explain` is given to explain it. */
  readonly explain: readonly string[];
  /** It comes to the Service only where the address of its connection has decided. */
  readonly isCapturedOnly: boolean;
}

export interface DiffAnswer {
  /** `namespace/group#match`; null: no rule takes them. */
  readonly rule: string | null;
  /** `namespace/name`; null: the Service's own endpoints. */
  readonly split: string | null;
  /** Of the rule, else of the split. */
  readonly position: Position | null;
  /** The proxy itself answers: no rule takes them, or with a redirect. Left out: a backend answers, or none of them can. */
  readonly answered?: "no-rule" | "redirect";
}

interface BackendChange {
  /** `namespace/service`. */
  readonly backend: string;
  readonly before: number;
  readonly after: number;
}

export interface ChangedPort {
  readonly service: string;
  readonly port: number;
  readonly change: "added" | "removed" | "protocol";
  /** What it speaks; null: it is not there. */
  readonly before: string | null;
  readonly after: string | null;
}

interface DeadRule {
  readonly service: string;
  readonly port: number;
  readonly rule: string;
  readonly position: Position | null;
}

export interface ChangedAccess
  extends Pick<AccessChange, "source" | "destination" | "port" | "change" | "what"> {
  readonly request: DiffRequest | null;
  /** The TrafficTargets that allow it, `namespace/name`. */
  readonly targets: readonly { readonly target: string; readonly position: Position | null }[];
}

/** What crosses the edge of the mesh. */
export interface ChangedEdge
  extends
    Pick<EdgeChange, "side" | "account" | "port" | "protocol" | "change">,
    Pick<EdgeChange, "host" | "place" | "principal"> {
  /** Null: all that is spoken there. */
  readonly request: DiffRequest | null;
  /** The Egresses or IngressBackends that allow it, `namespace/name`. */
  readonly rules: readonly { readonly rule: string; readonly position: Position | null }[];
}

/** Puts together what two plans do otherwise. */
export function buildDiffReport(
  names: { readonly before: string; readonly after: string },
  { ports, endpoints, aliases, access, edge, isComplete, ignoresEndpoints }: PlanComparison,
  traffic: Traffic | null,
): DiffReport {
  const requests = ports.flatMap((port) =>
    port.changes.map((change) => reportChange(port, change, traffic))
  );
  const found = {
    // What most requests are about comes first.
    requests: requests.sort((some, other) => (other.traffic ?? 0) - (some.traffic ?? 0)),
    ports: ports.flatMap(reportPort),
    deadRules: ports.flatMap(reportDead),
    names: aliases,
    endpoints,
    access: access.changes.map(reportAccess),
    edge: edge.changes.map(reportEdge),
  };
  const isDifferent = Object.values(found).some((list) => list.length > 0);
  return {
    apiVersion: "weft.dev/v1alpha1",
    kind: "Diff",
    ...names,
    verdict: isDifferent ? "different" : isComplete ? "alike" : "undecided",
    ignoresEndpoints,
    ...found,
    ...reportTraffic(traffic, requests),
    undecided: [
      ...ports.filter((port) => !port.isComplete).map(({ service, port }) => `${service}:${port}`),
      ...(access.isComplete ? [] : ["access"]),
      ...(edge.isComplete ? [] : ["edge"]),
    ],
  };
}

function reportTraffic(
  traffic: Traffic | null,
  changes: readonly ChangedRequests[],
): Pick<DiffReport, "log"> {
  if (traffic === null) return {};
  const { byRoutes: _byRoutes, ...counts } = traffic;
  const changed = changes.reduce((sum, each) => sum + (each.traffic ?? 0), 0);
  return { log: { ...counts, changed } };
}

function reportChange(
  { service, port, consumers }: PortDifference,
  change: PortChange,
  traffic: Traffic | null,
): ChangedRequests {
  const key = trafficKey(service, port, change.before.route.id, change.after.route.id);
  const { before, after, witness } = change;
  const isOwn = ({ rule, route: { split, answer } }: PortAnswer) =>
    rule === null && split === null && answer === undefined;
  return {
    service,
    port,
    request: witness === null ? null : reportRequest(witness, consumers),
    ...(consumers === undefined ? {} : { consumers }),
    before: reportAnswer(before),
    after: reportAnswer(after),
    backends: backendChanges(before, after),
    policies: changedSections(before.policy, after.policy),
    ...(traffic === null ? {} : { traffic: traffic.byRoutes.get(key) ?? 0 }),
    hole: isOwn(before) === isOwn(after) ? null : isOwn(after) ? "opened" : "closed",
  };
}

function reportRequest(witness: Witness, consumers: string | undefined): DiffRequest {
  const { method, headers, isForeignHost } = witness;
  return {
    method,
    url: witnessUrl(witness),
    headers,
    text: witnessText(witness) +
      (consumers === undefined ? "" : ` from namespace ${consumers}`),
    explain: [
      ...witnessArguments(witness),
      ...(consumers === undefined ? [] : ["--from", consumers]),
    ],
    isCapturedOnly: isForeignHost,
  };
}

function reportAnswer({ rule, route }: PortAnswer): DiffAnswer {
  const { split, position } = route;
  return {
    ...(route.answer === undefined ? {} : { answered: route.answer.kind }),
    rule: rule === null ? null : ruleName(rule),
    split: split === null ? null : `${split.namespace}/${split.name}`,
    position: rule?.match.position ?? position,
  };
}

function backendChanges(before: PortAnswer, after: PortAnswer): BackendChange[] {
  const [old, now] = [before, after].map(({ shares }) =>
    new Map(shares.map(({ backend, share }) => [backend, share]))
  );
  return [...new Set([...old.keys(), ...now.keys()])]
    .map((backend) => ({ backend, before: old.get(backend) ?? 0, after: now.get(backend) ?? 0 }))
    .filter((each) => each.before !== each.after)
    .sort((some, other) =>
      Math.abs(other.after - other.before) - Math.abs(some.after - some.before)
    );
}

function reportPort({ service, port, before, after }: PortDifference): ChangedPort[] {
  const protocols = { before: before?.protocol ?? null, after: after?.protocol ?? null };
  if (before === null) return [{ service, port, change: "added", ...protocols }];
  if (after === null) return [{ service, port, change: "removed", ...protocols }];
  const isSame = carriesHttp(before.protocol) === carriesHttp(after.protocol);
  return isSame ? [] : [{ service, port, change: "protocol", ...protocols }];
}

/** All ports of a Service have the same rules: what is dead is said once. */
function reportDead(
  difference: PortDifference,
  index: number,
  all: readonly PortDifference[],
): DeadRule[] {
  const { service, port, deadRules } = difference;
  const isFirst =
    all.findIndex((each) => each.service === service && hasHttp(each.after)) === index;
  if (!isFirst) return [];
  return deadRules.map((rule) => ({
    service,
    port,
    rule: ruleName(rule),
    position: rule.match.position,
  }));
}

function hasHttp(port: PlanPort | null): boolean {
  return port !== null && carriesHttp(port.protocol);
}

function reportAccess({ witness, targets, ...change }: AccessChange): ChangedAccess {
  return {
    ...change,
    request: witness === null ? null : reportRequest(witness, undefined),
    targets: targets.map(({ ref, position }) => ({
      target: `${ref.namespace}/${ref.name}`,
      position,
    })),
  };
}

function reportEdge({ witness, rules, ...change }: EdgeChange): ChangedEdge {
  return {
    ...change,
    request: witness === null ? null : reportRequest(witness, undefined),
    rules: rules.map(({ ref, position }) => ({ rule: `${ref.namespace}/${ref.name}`, position })),
  };
}
