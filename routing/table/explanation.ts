/**
 * Explanation: a decision with its reasons, as plain data for people and for JSON. `explain.ts`
 * makes it.
 */
import { formatPosition, type Position, type ResourceRef } from "../../base/finding.ts";
import type { RefusalReason } from "../../base/refusals.ts";
import type { FailedClause } from "../match/condition.ts";
import type { BackendReadiness, PlanSection, PlanSectionName, PortProtocol } from "../plan.ts";
import type { PlanQuestion } from "../source/messages.ts";
import type { SkipReason } from "./table.ts";

export interface Explanation {
  readonly planHash: string;
  readonly client: { readonly namespace: string; readonly identity: string };
  readonly request: {
    readonly method: string;
    readonly authority: string;
    readonly path: string;
  };
  readonly host: HostExplanation;
  /** Null if the host is not known. */
  readonly port: PortExplanation | null;
  /**
   * Every rule of the port, in match order; empty if the request got no further than the port.
   */
  readonly rules: readonly RuleExplanation[];
  /** Null if no route was chosen. */
  readonly route: RouteExplanation | null;
  /** Null if no backend was chosen. */
  readonly access: AccessExplanation | null;
  readonly outcome: "forward" | "refuse";
  /** Also why a request is not even routed. */
  readonly reason: RefusalReason | null;
  /** The HTTP status of a refusal; 0 if the outcome is `forward`, and for a connection (method `TCP`), which is closed. */
  readonly status: number;
  /** `namespace/service` of the backend whose turn it is. */
  /** Where the client is sent, if it is. */
  readonly location?: string;
  readonly backend: string | null;
  /** Where the request may go; the proxy takes them in turn. */
  readonly endpoints: readonly EndpointExplanation[];
  /** Of what the mesh does not know, where its plan has egress off. */
  readonly egress?: EgressExplanation;
  /** What a running proxy asked the source of its plan first. Left out: what there is to know was known. */
  readonly inquiry?: PlanInquiry;
}

interface EgressExplanation {
  /** The Egress that lets it out, if its address is one of those that the Egress names; null: none does. */
  readonly allowedBy: string | null;
  readonly position: string | null;
}

/** A question to the source of a plan, and what became of it. */
export interface PlanInquiry {
  readonly question: PlanQuestion;
  /** `late`: not in the time that requests wait; `away`: nothing waits. What is explained is then as if the mesh had nothing of it. */
  readonly outcome: "answered" | "late" | "away";
  readonly waitedMs: number;
}

export interface HostExplanation {
  /**
   * Lower case, without port, brackets and trailing dot; empty if the authority is not valid.
   */
  readonly name: string;
  /**
   * The form the name was recognised in, such as `service.namespace.svc`; `external-name`: it is an ExternalName Service; null
   * where it was not.
   */
  readonly spelling: string | null;
  /** `namespace/name`. */
  readonly service: string | null;
  /** The single pod that is meant, behind a headless Service. */
  readonly pod: string | null;
  /** The host outside the mesh that the name stands for. */
  readonly outside: string | null;
}

export interface PortExplanation {
  /** Null: the authority has none. */
  readonly asked: number | null;
  /** Where the number came from: the authority, the default, or the Service's only port. */
  readonly source: "authority" | "default" | "only-port";
  readonly number: number;
  /** False: the Service does not have it. */
  readonly isKnown: boolean;
  readonly name: string | null;
  readonly protocol: PortProtocol | null;
}

export interface RuleExplanation {
  /** `namespace/name` of the HTTPRouteGroup. */
  readonly group: string;
  /** What that is, where it is no HTTPRouteGroup: `HTTPRoute`. */
  readonly kind?: string;
  readonly match: string;
  /** `namespace/name` of the TrafficSplit. */
  readonly split: string | null;
  /** `file:line:column` of the match. */
  readonly position: string | null;
  readonly outcome: "matched" | "failed" | "not-reached";
  /** The first clause that did not hold. */
  readonly failed: FailedClause | null;
}

export interface RouteExplanation {
  readonly id: string;
  /** `rule`: the rule that matched; `fallback`: none did; `pod`: a single pod was asked for. */
  readonly kind: "rule" | "fallback" | "pod";
  /** `namespace/name` of the TrafficSplit; null: the Service's own endpoints. */
  readonly split: string | null;
  /** What that is, where it is no TrafficSplit: `HTTPRoute`. */
  readonly splitKind?: string;
  /** The proxy answers by itself. */
  readonly answer?: "no-rule" | "redirect";
  /** `file:line:column` of the split. */
  readonly position: string | null;
  readonly backends: readonly BackendExplanation[];
  /**
   * The request's place in the split sequence, from 0; the sequence repeats after `weightTotal`.
   */
  readonly sequencePosition: number;
  readonly weightTotal: number;
  /** True: the backend is where the caller stays, and no place in the sequence is taken. Else left out. */
  readonly isPinned?: true;
  /** Of the route, and of the chosen backend's endpoints; left out where there are none. */
  readonly policies?: readonly PolicyExplanation[];
}

/** One section of what is done with the request. */
interface PolicyExplanation {
  readonly section: PlanSectionName;
  readonly settings: PlanSection;
  /** `namespace/name` of what asks for it. */
  readonly policy: string;
  /** What that is: `Service`, whose `sessionAffinity` asks for it. Left out for a TrafficPolicy. */
  readonly kind?: string;
  /** What it is attached to: `Service app/web`, `HTTPRouteGroup app/group#match`. */
  readonly target: string;
  /** `file:line:column` of the section. */
  readonly position: string | null;
}

export interface BackendExplanation {
  /** `namespace/service`. */
  readonly service: string;
  /** As written. */
  readonly weight: number;
  readonly state: BackendReadiness;
  /** From 0 to 1, of what the route forwards. */
  readonly share: number;
  /** Why it takes nothing; null if it takes its share. */
  readonly skipped: SkipReason | null;
  readonly isChosen: boolean;
}

export interface AccessExplanation {
  /** False: permissive mode, every request is allowed. */
  readonly isEnforced: boolean;
  readonly isAllowed: boolean;
  /** One for each set of endpoints that the same targets guard. */
  readonly guards: readonly GuardExplanation[];
  /** Of a refused request, what came nearest to allowing it; left out where nothing was refused, or nothing comes near. */
  readonly nearest?: NearestTarget;
}

/** The TrafficTarget that would have to change least to allow a request, and what of it does not hold. */
export interface NearestTarget {
  /** `namespace/name`. */
  readonly target: string;
  /** `file:line:column` of the target, or of the match that does not hold. */
  readonly position: string | null;
  /** `group/match`; null: it is not about the request. */
  readonly match: string | null;
  /** Its clause is `destination`, `source`, `port`, `rules`, `path`, `method` or `header`. */
  readonly failed: FailedClause;
}

export interface GuardExplanation {
  /** `address:port` each. */
  readonly endpoints: readonly string[];
  /** `namespace/name` of the TrafficTargets that name this client and these endpoints' identity. */
  readonly targets: readonly string[];
  readonly isAllowed: boolean;
  /** The target that allowed it. */
  readonly allowedBy: string | null;
  /** `group/match` of the HTTP rule that allowed it; null if a TCP rule did. */
  readonly match: string | null;
  /** `file:line:column` of the target. */
  readonly position: string | null;
}

/** What a sidecar does with a request for its application. */
export interface CallExplanation {
  readonly planHash: string;
  /** `namespace/serviceaccount`; empty: not known. */
  readonly caller: string;
  readonly destination: string;
  /** Where the application listens. */
  readonly port: number;
  readonly request: Explanation["request"];
  /** Its guards, if any, are the targets that name caller and destination. */
  readonly access: AccessExplanation;
  /** Of a caller from outside the mesh; else left out. */
  readonly ingress?: IngressExplanation;
  readonly outcome: "forward" | "refuse";
  readonly reason: RefusalReason | null;
  /** As in `Explanation`. */
  readonly status: number;
}

/** Whether a caller from outside the mesh is let in. */
export interface IngressExplanation extends CallOrigin {
  /** Callers must come by mutual TLS. */
  readonly isStrict: boolean;
  /** The sidecar ends its TLS; else that is for the application. */
  readonly endsTls: boolean;
  /** The IngressBackend that lets it in, `namespace/name`; null: none does. */
  readonly allowedBy: string | null;
  /** `file:line:column` of it. */
  readonly position: string | null;
}

/** Where a caller outside the mesh is. */
export interface CallOrigin {
  /** Its address. */
  readonly peer: string;
  /** The name that it gives by TLS, perhaps empty. Null: it comes in plain. */
  readonly serverName: string | null;
}

interface EndpointExplanation {
  /** `address:port`. */
  readonly endpoint: string;
  readonly pod: string;
  readonly workload: string;
}

/** `namespace/name`. */
export function refText(ref: ResourceRef): string {
  return `${ref.namespace}/${ref.name}`;
}

/** `file:line:column`; null if it is not known. */
export function positionText(position: Position | null): string | null {
  return position === null ? null : formatPosition(position);
}

/** `path: wants /a, has /b`. */
export function failureText({ clause, header, expected, seen }: FailedClause): string {
  const subject = header === null ? clause : `${clause} ${header}`;
  return `${subject}: wants ${expected}, ${seen === null ? "has none" : `has ${seen}`}`;
}

/** `app/readers (reading/read) path: wants /a, has /b, at targets.yaml:1:1`. */
export function nearestText(
  { target, match, failed, position }: NearestTarget,
  { knowsHeaders = true } = {},
): string {
  const rule = match === null ? "" : ` (${match})`;
  const what = failed.clause === "header" && !knowsHeaders
    ? `header ${failed.header}: wants ${failed.expected}`
    : failureText(failed);
  return `${target}${rule} ${what}${position === null ? "" : `, at ${position}`}`;
}
