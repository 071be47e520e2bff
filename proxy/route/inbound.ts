/** InboundRouter: everything that may goes to one port of the application beside this sidecar. */
import type { Lazy } from "../../base/lazy.ts";
import type { CallerCounts } from "../observe/callers.ts";
import { isStrictAt, type MtlsRules, parseMtlsRules, STRICT } from "../../base/mtls_mode.ts";
import type { InboundListener, ProbeRequest } from "../config.ts";
import { Probes } from "./probes.ts";
import { headText, type RequestHead } from "../../routing/request.ts";
import type { CallExplanation, CallOrigin } from "../../routing/table/explanation.ts";
import type { Asked } from "../../routing/table/explain.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { RouteStats } from "../observe/telemetry.ts";
import type { EndpointPool } from "../pool/pool.ts";
import { formatAuthority } from "../../base/ip.ts";
import type { OriginalDestination } from "../io/io.ts";
import { type Destination, hashAfter, NO_FACTS, refused, toPool } from "./destination.ts";
import type { ClientFacts, Router } from "./router.ts";
import { unreachedLine } from "./unreached.ts";
import { type Refusal, REFUSALS } from "../../base/refusals.ts";
import type { PlanIngress, PlanTarget } from "../../routing/plan.ts";
import type { PlanView } from "../../routing/plan_view.ts";
import { CallerAccess } from "../../routing/table/caller_access.ts";
import {
  type IngressPlace,
  IngressRules,
  type IngressTls,
} from "../../routing/table/ingress_rules.ts";
import { explainCall } from "../../routing/table/explain_call.ts";
import { ACCESS_PORTS_MAX } from "../limits.ts";
import type { Caller } from "../tls/caller.ts";

/** What callers are held to. */
interface InboundRules {
  /** `namespace/serviceaccount` of the application; empty: nothing is enforced, because callers are not asked who they are. */
  readonly destination: string;
  /** Its own address; null: only loopback leads to it. */
  readonly pod: string | null;
  /** Of callers whose identities count. */
  readonly trustDomain: string;
  /** Null: whether callers come by mutual TLS is not asked. */
  readonly mtls: Pick<InboundListener, "namespace" | "mtls"> | null;
  readonly probes: readonly ProbeRequest[];
  readonly counts: CallerCounts;
  readonly onDenied: (denial: Denial) => void;
}

/** Where a client connected to; null: that is not known. */
type Called = () => OriginalDestination | null;

/** A caller was turned away. */
interface Denial {
  /** `namespace/serviceaccount`; empty if that is not known. */
  readonly source: string;
  readonly peer: string;
  /** `namespace/serviceaccount` of the application. */
  readonly destination: string;
  readonly port: number;
  readonly reason: string;
}

/**
 * Whether the application beside this sidecar takes what a caller sends: by whether it must come by mutual TLS, by the traffic targets of
 * the plan in force, and by what that lets in from outside the mesh. Inside it decides by verified identity alone.
 */
export class InboundAccess {
  readonly #destination: string;
  readonly #pod: string | null;
  readonly #trustDomain: string;
  readonly #mtls: InboundRules["mtls"];
  readonly #probes: Probes;
  readonly #counts: CallerCounts;
  readonly #onDenied: InboundRules["onDenied"];
  /** The nearest to the application first. */
  #mtlsRules: readonly MtlsRules[] = [];
  #plan: PlanView;
  #planHash = NO_FACTS.planHash;
  #allTargets: readonly PlanTarget[] = [];
  /** Those of the plan that are about the application. */
  #targets: readonly PlanTarget[] = [];
  /** By the application's port, made of them. */
  readonly #byPort = new Map<number, CallerAccess>();
  /** Null: no one is let in from outside the mesh. */
  #ingress: { readonly of: readonly PlanIngress[]; readonly rules: IngressRules } | null = null;

  constructor(
    { destination, pod, trustDomain, mtls, probes, counts, onDenied }: InboundRules,
    plan: PlanView,
  ) {
    this.#destination = destination;
    this.#pod = pod;
    this.#trustDomain = trustDomain;
    this.#counts = counts;
    this.#onDenied = onDenied;
    this.#mtls = mtls;
    this.#probes = new Probes(probes);
    this.#plan = plan;
    this.rebind(plan);
  }

  rebind(plan: PlanView): void {
    this.#plan = plan;
    const hash = hashAfter(this.#planHash, plan);
    this.#planHash = this.#isEnforced ? hash : NO_FACTS.planHash;
    this.#mtlsRules = this.#mtls === null ? [] : mtlsRulesOf(this.#mtls, plan);
    this.#rebindIngress(plan);
    if (plan.targets === this.#allTargets) return;
    this.#allTargets = plan.targets;
    const own = plan.targets.filter(({ destination }) => destination === this.#destination);
    const isSame = own.length === this.#targets.length &&
      own.every((target, i) => target === this.#targets[i]);
    if (isSame) return;
    this.#targets = own;
    this.#byPort.clear();
  }

  #rebindIngress({ ingress = {} }: PlanView): void {
    const destination = this.#destination;
    const of = Object.hasOwn(ingress, destination) ? ingress[destination] : null;
    if (of === (this.#ingress?.of ?? null)) return;
    this.#ingress = of && { of, rules: new IngressRules(of, this.#trustDomain) };
  }

  /** Of the plan that decides; empty if none does. */
  get planHash(): Lazy<string> {
    return this.#planHash;
  }

  /**
   * Why a request does not get through to the application's `port`; null if it does. `head` is null for a connection
   * that is relayed whole, which only TCP rules allow.
   *
   * @param called where the client connected to; asked only where that decides
   */
  refusalOf(
    client: Pick<ClientFacts, "caller" | "peer">,
    port: number,
    head: RequestHead | null,
    called: Called = () => null,
  ): Refusal | null {
    const { caller, peer } = client;
    const isUnknown = caller.problem === "identity-missing";
    if (isUnknown && head !== null && this.#probes.has(port, head)) return null;
    const within = isUnknown && isStrictAt(port, this.#mtlsRules)
      ? REFUSALS["mtls-required"]
      : this.#refusalByTargets(caller, port, head);
    const refusal = within && this.#refusalFromOutside(within, client, port, head, called);
    const isPlain = isUnknown && caller.serverName === null;
    if (isPlain && this.#mtls !== null) this.#counts.plain(peer, refusal === null);
    if (refusal !== null) this.#denied(caller.identity, peer, port, refusal.reason);
    return refusal;
  }

  /** @param within why a caller of the mesh would be refused */
  #refusalFromOutside(
    within: Refusal,
    { caller: { identity, serverName }, peer }: Pick<ClientFacts, "caller" | "peer">,
    port: number,
    head: RequestHead | null,
    called: Called,
  ): Refusal | null {
    if (this.#ingress === null) return within;
    const { rules } = this.#ingress;
    const call = { pod: called()?.address ?? null, port, peer, identity, serverName, head };
    if (rules.allowing(call) === null) return within;
    return rules.isAmbiguous(call) ? REFUSALS["path-ambiguous"] : null;
  }

  /** Some client's TLS is for the sidecar to end. */
  get endsAnyTls(): boolean {
    return this.#ingress?.of.some(({ protocol }) => protocol === "https") === true;
  }

  /** At one place. */
  endsTlsAt(place: IngressPlace): boolean {
    return this.#ingress?.rules.endsTlsAt(place) === true;
  }

  /** How that of a client which gives this name is to be ended; null: it is not. */
  tlsOf(place: IngressPlace, serverName: string): IngressTls | null {
    return this.#ingress?.rules.tlsOf(place, serverName.toLowerCase()) ?? null;
  }

  #denied(source: string, peer: string, port: number, reason: string): void {
    const destination = this.#destination;
    this.#counts.denied(source || peer, destination, reason);
    this.#onDenied({ source, peer, destination, port, reason });
  }

  #refusalByTargets(
    { problem, identity }: Caller,
    port: number,
    head: RequestHead | null,
  ): Refusal | null {
    if (!this.#isEnforced) return null;
    if (problem !== null) return REFUSALS[problem];
    const reason = this.#at(port).refusalOf(identity, head);
    return reason === null ? null : REFUSALS[reason];
  }

  /** What would become of a request of `caller` (`namespace/serviceaccount`), and why. */
  explain(
    caller: string,
    port: number,
    asked: Asked,
    origin: CallOrigin | null = null,
  ): CallExplanation {
    const plan = this.#isEnforced ? this.#plan : { ...this.#plan, permissive: true, targets: [] };
    const outside = origin && {
      ...origin,
      pod: this.#pod,
      isStrict: isStrictAt(port, this.#mtlsRules),
      trustDomain: this.#trustDomain,
    };
    return explainCall(plan, { caller, destination: this.#destination, port }, asked, outside);
  }

  get #isEnforced(): boolean {
    return this.#destination !== "" && !this.#plan.permissive;
  }

  #at(port: number): CallerAccess {
    let access = this.#byPort.get(port);
    if (access === undefined) {
      if (this.#byPort.size >= ACCESS_PORTS_MAX) this.#byPort.clear();
      access = new CallerAccess({ targets: this.#targets }, this.#destination, port);
      this.#byPort.set(port, access);
    }
    return access;
  }
}

/** What says whether callers of an application may do without mutual TLS, the nearest to it first. */
function mtlsRulesOf(
  { mtls, namespace = "" }: Pick<InboundListener, "namespace" | "mtls">,
  { mtls: said }: PlanView,
): MtlsRules[] {
  const ofNamespace = said !== undefined && Object.hasOwn(said.namespaces, namespace)
    ? said.namespaces[namespace]
    : undefined;
  const texts = [ofNamespace, said?.mesh].filter((text) => text !== undefined);
  // The plan has been checked: none is unreadable.
  const ofPlan = texts.map((text) => parseMtlsRules(text) ?? STRICT);
  return mtls === undefined ? ofPlan : [mtls, ...ofPlan];
}

/** Where the application listens, and what is counted of it. */
interface ApplicationPort {
  readonly port: number;
  readonly pool: EndpointPool;
  readonly stats: RouteStats;
}

export class InboundRouter implements Router {
  readonly place = "inbound";
  readonly listener: number;
  readonly access: InboundAccess;
  readonly application: ApplicationPort;
  readonly #called: Called;
  #unreachedLine: Uint8Array<ArrayBuffer> | null | undefined;

  /** @param called where the client connected to; asked only where that is to be said */
  constructor(
    listener: number,
    access: InboundAccess,
    application: ApplicationPort,
    called: Called = () => null,
  ) {
    this.listener = listener;
    this.access = access;
    this.application = application;
    this.#called = called;
  }

  /** The same for one connection. */
  of(called: Called): InboundRouter {
    return new InboundRouter(this.listener, this.access, this.application, called);
  }

  get unreachedLine(): Uint8Array<ArrayBuffer> | null {
    if (this.#unreachedLine === undefined) {
      const called = this.#called();
      this.#unreachedLine = called && unreachedLine(formatAuthority(called.address, called.port));
    }
    return this.#unreachedLine;
  }

  route(request: Request | null, client: ClientFacts): Destination {
    const { port, pool, stats } = this.application;
    const facts = { ...NO_FACTS, planHash: this.access.planHash, stats };
    const refusal = this.access.refusalOf(client, port, request?.routed ?? null, this.#called);
    if (refusal !== null) return refused(facts, refusal);
    // The client's sidecar has chosen what the application speaks.
    return toPool(facts, pool, null, client.expectsHttp2);
  }

  /** What `route` would do with a request of `caller`, and why. */
  explain(caller: string, asked: Asked, origin: CallOrigin | null): CallExplanation {
    const { head } = asked;
    const authority = headText(head, head.authorityStart, head.authorityEnd);
    // A capturing listener leads to whichever port is called.
    const port = this.application.port || Number(/:(\d{1,5})$/.exec(authority)?.[1] ?? 0);
    return this.access.explain(caller, port, asked, origin);
  }
}
