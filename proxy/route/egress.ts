/**
 * Egress: what becomes of destinations that the mesh does not know. Where egress is on they are passed on, by address, or by a DNS
 * name that the thread which started the proxy looks up; else those that the plan's Egresses allow their caller. Nothing leads back to the
 * proxy itself.
 */
import { REFUSALS } from "../../base/refusals.ts";
import { isLocal, parseIp } from "../../base/ip.ts";
import type { PlanEgress } from "../../routing/plan.ts";
import type { PlanView } from "../../routing/plan_view.ts";
import { CONNECT, DEFAULT_PORT } from "../../routing/request.ts";
import { type EgressCall, EgressRules } from "../../routing/table/egress_rules.ts";
import type { OriginalDestination } from "../io/io.ts";
import { latin1 } from "../protocol/http1/lexical.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { RouteStats } from "../observe/telemetry.ts";
import { NameCache } from "./name_cache.ts";
import type { Waiter } from "./name_cache.ts";
import { afterDecision } from "./interest.ts";
import type { OutboundRouter } from "./outbound.ts";
import { type Destination, NO_FACTS, PendingDecision, refused, toPool } from "./destination.ts";
import type { ClientFacts, Router, RouteServices } from "./router.ts";

/** `host` or `host:port`, the host a name or an IP address, IPv6 in brackets (RFC 9110 4.2.1). */
const AUTHORITY = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/i;

/** What is sent there, as far as it is seen. */
type Sent = Omit<EgressCall, "address" | "port">;

/** Where nothing is allowed. */
const NO_RULES = new EgressRules([]);

interface EgressSettings {
  /** Whether this proxy passes anything on, whatever the plan says. */
  readonly isOn: boolean;
  /** Who calls, by listener: `namespace/serviceaccount`, empty where not known. */
  readonly callers: readonly string[];
}

export class EgressGate {
  readonly #settings: EgressSettings;
  readonly #services: RouteServices;
  readonly #names: NameCache;
  /** Where this proxy listens. */
  readonly #ownPlaces: OriginalDestination[] = [];
  #isOffByPlan = false;
  /** By caller, with what they were made of. */
  #rules: ReadonlyMap<string, { readonly of: readonly PlanEgress[]; readonly rules: EgressRules }> =
    new Map();

  /** @param lookUp starts to look a name up; `resolved` is called later */
  constructor(
    services: RouteServices,
    settings: EgressSettings,
    plan: PlanView,
    lookUp: (name: string) => void,
  ) {
    this.#services = services;
    this.#settings = settings;
    this.#names = new NameCache(lookUp);
    this.rebind(plan);
  }

  rebind({ egressOff, egress = {} }: PlanView): void {
    this.#isOffByPlan = egressOff === true;
    const before = this.#rules;
    const callers = new Set(this.#settings.callers);
    const rules = [...callers].filter((caller) => Object.hasOwn(egress, caller)).map((caller) => {
      const of = egress[caller];
      const known = before.get(caller);
      return [caller, known?.of === of ? known : { of, rules: new EgressRules(of) }] as const;
    });
    this.#rules = new Map(rules);
  }

  /** Everything is passed on. */
  get isOn(): boolean {
    return this.#settings.isOn && !this.#isOffByPlan;
  }

  /** Whether anything of a listener's clients may ever be passed on, whatever plans come. */
  mayPass(listener: number): boolean {
    return this.#settings.isOn || this.#settings.callers[listener] !== "";
  }

  /** Whether a client that is silent has to speak first, because what it speaks decides. */
  awaitsClient({ address, port }: OriginalDestination, listener: number): boolean {
    return !this.isOn && this.#rulesOf(listener).asksForProtocol(address, port);
  }

  #rulesOf(listener: number): EgressRules {
    return this.#rules.get(this.#settings.callers[listener] ?? "")?.rules ?? NO_RULES;
  }

  resolved(name: string, addresses: readonly string[]): void {
    this.#names.resolved(name, addresses, this.#services.loop.io.nowMs);
  }

  /** The proxy listens there. */
  addOwnPlace(place: OriginalDestination): void {
    this.#ownPlaces.push(place);
  }

  /** Counters of everything outside the mesh together: names of clients' choosing make no labels. */
  #statsOf(listener: number): RouteStats {
    return this.#services.telemetry.statsOf({
      listener: String(listener),
      service: "egress",
      port: "0",
      split: "",
      backend: "egress",
      rule: "",
    });
  }

  /** Sends a request or connection to an address outside the mesh. */
  toAddress(
    place: OriginalDestination,
    listener: number,
    client: ClientFacts,
    request: Request | null,
  ): Destination {
    const reason = this.isOn
      ? null
      : this.#rulesOf(listener).refusalOf({ ...place, ...this.#sentBy(request, client) });
    return reason === null
      ? this.pass(place, listener, client)
      : refused(NO_FACTS, REFUSALS[reason]);
  }

  #sentBy(request: Request | null, { serverName }: ClientFacts): Sent {
    if (request === null) {
      const protocol = serverName === undefined ? "tcp" : "https";
      return { protocol, host: hostName(serverName ?? ""), head: null };
    }
    const { routed } = request;
    const host = hostName(this.#authorityOf(request).host);
    // What is sent through a tunnel is not seen, but who it is to be opened to is looked up here.
    return routed.method === CONNECT
      ? { protocol: "https", host, head: null }
      : { protocol: "http", host, head: routed };
  }

  /** `host` is empty where it is no authority. */
  #authorityOf({ routed: { authorityStart, authorityEnd } }: Request) {
    const authority = latin1(this.#services.loop.arena, authorityStart, authorityEnd);
    const [, ipv6, host, portText] = AUTHORITY.exec(authority) ?? [];
    const port = portText === undefined ? DEFAULT_PORT : Number(portText);
    return { host: ipv6 ?? host ?? "", port };
  }

  /** Sends a captured request or connection where it was going, whether that is outside or a pod's port that no Service lists. */
  pass(
    { address, port }: OriginalDestination,
    listener: number,
    { expectsHttp2 }: ClientFacts,
  ): Destination {
    const facts = { ...NO_FACTS, stats: this.#statsOf(listener) };
    if (this.isOwn(address, port)) return refused(facts, REFUSALS["loop"]);
    // A server outside speaks HTTP/2 in the clear where its client knows that it does.
    return toPool(facts, this.#services.pools.direct(address, port), null, expectsHttp2);
  }

  /**
   * Sends a request whose host is not of the mesh where its authority says.
   * @param alias what its host is another name of; empty: nothing
   * @param otherwise what becomes of it where DNS does not know the host either
   */
  toAuthority(
    request: Request,
    listener: number,
    client: ClientFacts,
    alias: string,
    otherwise: Destination,
  ): Destination | PendingDecision {
    const { host, port } = this.#authorityOf(request);
    const address = alias || host;
    if (address === "" || port < 1 || port > 65_535) return otherwise;
    const isName = parseIp(address) === null;
    // A name that may not be called is not even looked up.
    if (!this.isOn) {
      const sent = { address: isName ? null : address, port, ...this.#sentBy(request, client) };
      if (this.#rulesOf(listener).refusalOf(sent) === "egress-off") return otherwise;
    }
    if (!isName) return this.toAddress({ address, port }, listener, client, request);
    return this.byName(
      hostName(address),
      (found) =>
        found === null
          ? otherwise
          : this.toAddress({ address: found, port }, listener, client, request),
    );
  }

  /** What comes of a name's address; null: it has none. */
  byName(
    name: string,
    decide: (address: string | null) => Destination,
  ): Destination | PendingDecision {
    const pending = new PendingDecision(() => this.#names.forget(name, waiter));
    const waiter: Waiter = (found) => pending.onDecided(() => decide(found));
    const found = this.#names.addressOf(name, this.#services.loop.io.nowMs, waiter);
    return found === undefined ? pending : decide(found);
  }

  /** Whether the proxy itself listens there. */
  isOwn(address: string, port: number): boolean {
    return this.#ownPlaces.some((own) =>
      own.port === port &&
      (own.address === address || (isLocal(address) && isLocal(own.address)))
    );
  }
}

/** As rules have it. */
function hostName(host: string): string {
  return host.toLowerCase().replace(/\.$/, "");
}

/** Routes a listener's requests by the plan, and what the plan does not know by `EgressGate`. */
export class EgressRouter implements Router {
  readonly place = "outbound";
  readonly listener: number;
  readonly #router: OutboundRouter;
  readonly #egress: EgressGate;

  constructor(router: OutboundRouter, egress: EgressGate) {
    this.listener = router.listener;
    this.#router = router;
    this.#egress = egress;
  }

  route(request: Request | null, client: ClientFacts): Destination | PendingDecision {
    const decided = this.#router.route(request, client);
    if (request === null) return decided;
    return decided instanceof PendingDecision
      ? afterDecision(decided, (later) => this.#pass(later, request, client))
      : this.#pass(decided, request, client);
  }

  #pass(
    destination: Destination,
    request: Request,
    client: ClientFacts,
  ): Destination | PendingDecision {
    const reason = destination.refusal?.reason;
    const isOutside = reason === "host-unknown" || reason === "alias-outside";
    if (!isOutside) return destination;
    const alias = this.#router.aliasOf(request);
    return this.#egress.toAuthority(request, this.listener, client, alias, destination);
  }
}
