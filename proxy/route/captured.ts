/**
 * Routes of captured connections, whose clients know nothing of the proxy: where they were going stands in for what they
 * do not say. One object a connection.
 */
import type { Refusal } from "../../base/refusals.ts";
import type { AddressIndex, MeshAddress } from "../../routing/table/address_index.ts";
import type { EndpointSet, TableEndpoint } from "../../routing/table/endpoint_set.ts";
import type { OriginalDestination } from "../io/io.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { EgressGate } from "./egress.ts";
import type { OutboundRouter, PortTarget } from "./outbound.ts";
import { type Destination, PendingDecision, refused } from "./destination.ts";
import { afterDecision } from "./interest.ts";
import type { ClientFacts, Router } from "./router.ts";

/** What captured connections share. */
export interface AddressBook {
  /** What addresses mean by the plan in force. */
  readonly addresses: AddressIndex;
  /** A request's host names another Service than the address that its connection was going to, which counts. */
  overruled(original: OriginalDestination): void;
}

/**
 * A connection of the application: where it was going decides. To a Service's address: that Service. To a pod's: that pod, or
 * the headless Service that it is behind and that the request names. To any other: the Service that a request's host names,
 * else where it was going.
 */
export class CapturedRoute implements Router {
  readonly place = "captured";
  readonly listener: number;
  readonly #router: OutboundRouter;
  readonly #egress: EgressGate;
  readonly #book: AddressBook;
  readonly #original: OriginalDestination;
  /** What the address meant when it was last looked up, and by which plan. */
  #generation = -1;
  #meaning: MeshAddress | null = null;

  constructor(
    router: OutboundRouter,
    egress: EgressGate,
    book: AddressBook,
    original: OriginalDestination,
  ) {
    this.listener = router.listener;
    this.#router = router;
    this.#egress = egress;
    this.#book = book;
    this.#original = original;
  }

  route(request: Request | null, client: ClientFacts): Destination | PendingDecision {
    const isNew = this.#lookUp();
    const meaning = this.#meaning;
    if (meaning === null) return this.#routeByHost(request, client);
    if (isNew && request !== null && meaning.kind === "service") {
      this.#router.whenOther(meaning, request, () => this.#book.overruled(this.#original));
    }
    return this.#router.routeByAddress(meaning, request, client) ??
      this.#egress.pass(this.#original, this.listener, client);
  }

  /**
   * The own address of the Service that was to take it: the cluster sends what comes there to the pods that there are now, also while the plan
   * hears late of them. Nothing that the mesh decides is given up for it: the Service is the one that was decided, the pod has to
   * be who the plan says, and where traffic targets or limits cut its endpoints there is no such way.
   */
  lastResort(
    failed: Destination,
    tried: TableEndpoint,
    refusal: Refusal,
  ): Destination | PendingDecision | null {
    const { endpoints, backend } = failed;
    if (endpoints === null || endpoints.whole !== null || backend?.limits !== null) return null;
    const at = endpoints.key.lastIndexOf(":");
    const [service, port] = [endpoints.key.slice(0, at), Number(endpoints.key.slice(at + 1))];
    const to = (address: string | null) =>
      address === null
        ? refused(failed.facts, refusal)
        : this.#router.toServiceAddress({ address, port }, failed, tried);
    const known = this.#router.addressOf(service);
    if (known === null) return this.#egress.byName(this.#router.nameOf(service), to);
    return known === "" ? null : to(known);
  }

  otherBackend(failed: Destination, missed: readonly EndpointSet[]): Destination | null {
    return this.#router.otherBackend(failed, missed);
  }

  /** True: for the first time by this plan. One may have come while the connection was open. */
  #lookUp(): boolean {
    const { addresses } = this.#book;
    if (addresses.generation === this.#generation) return false;
    const { address, port } = this.#original;
    this.#generation = addresses.generation;
    this.#meaning = addresses.find(address, port);
    return true;
  }

  /** Nothing is known of the address. */
  #routeByHost(request: Request | null, client: ClientFacts): Destination | PendingDecision {
    const { port } = this.#original;
    if (request === null) return this.#outside(request, client);
    const byHost = this.#router.routeByHost(request, client, port);
    return byHost instanceof PendingDecision
      ? afterDecision(
        byHost,
        (later) => this.#isLost(later) ? this.#outside(request, client) : later,
      )
      : this.#isLost(byHost)
      ? this.#outside(request, client)
      : byHost;
  }

  /** HTTP/1.0 need not name a host; and what a Service does not list may still be there. */
  #isLost({ refusal }: Destination): boolean {
    const reason = refusal?.reason ?? "";
    return ["host-unknown", "host-invalid", "alias-outside"].includes(reason) ||
      (reason === "port-unknown" && this.#egress.isOn);
  }

  #outside(request: Request | null, client: ClientFacts): Destination {
    return this.#egress.toAddress(this.#original, this.listener, client, request);
  }
}

/** A listener's connections that all go to one port of one Service, whatever they carry. */
export class PortRoute implements Router {
  readonly place = "outbound";
  readonly listener: number;
  readonly #router: OutboundRouter;
  readonly #target: PortTarget;

  constructor(router: OutboundRouter, target: PortTarget) {
    this.listener = router.listener;
    this.#router = router;
    this.#target = target;
  }

  route(_request: Request | null, client: ClientFacts): Destination | PendingDecision {
    return this.#router.routeToPort(this.#target, client);
  }
}
