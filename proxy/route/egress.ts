/**
 * Egress: what becomes of destinations that the mesh does not know. Where egress is on they are passed on, by address, or by a DNS
 * name that the thread which started the proxy looks up; else they are refused. Nothing leads back to the proxy itself.
 */
import { REFUSALS } from "../../base/refusals.ts";
import { isLocal, parseIp } from "../../base/ip.ts";
import { DEFAULT_PORT } from "../../routing/request.ts";
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

export class Egress {
  readonly isOn: boolean;
  readonly #services: RouteServices;
  readonly #names: NameCache;
  /** Where this proxy listens. */
  readonly #ownPlaces: OriginalDestination[] = [];

  /** @param lookUp starts to look a name up; `resolved` is called later */
  constructor(
    services: RouteServices,
    isOn: boolean,
    lookUp: (name: string) => void,
  ) {
    this.#services = services;
    this.isOn = isOn;
    this.#names = new NameCache(lookUp);
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
  toAddress(place: OriginalDestination, listener: number, client: ClientFacts): Destination {
    return this.isOn
      ? this.pass(place, listener, client)
      : refused(NO_FACTS, REFUSALS["egress-off"]);
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
    const { authorityStart, authorityEnd } = request.routed;
    const authority = latin1(this.#services.loop.arena, authorityStart, authorityEnd);
    const [, ipv6, host, portText] = AUTHORITY.exec(authority) ?? [];
    const address = alias || (ipv6 ?? host ?? "");
    const port = portText === undefined ? DEFAULT_PORT : Number(portText);
    if (address === "" || port < 1 || port > 65_535) return otherwise;
    if (parseIp(address) !== null) return this.toAddress({ address, port }, listener, client);
    return this.byName(
      address.toLowerCase().replace(/\.$/, ""),
      (found) =>
        found === null ? otherwise : this.toAddress({ address: found, port }, listener, client),
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

/** Routes a listener's requests by the plan, and what the plan does not know by `Egress`. */
export class EgressRouter implements Router {
  readonly place = "outbound";
  readonly listener: number;
  readonly #router: OutboundRouter;
  readonly #egress: Egress;

  constructor(router: OutboundRouter, egress: Egress) {
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
    if (!isOutside || !this.#egress.isOn) return destination;
    const alias = this.#router.aliasOf(request);
    return this.#egress.toAuthority(request, this.listener, client, alias, destination);
  }
}
