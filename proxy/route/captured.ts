/**
 * Routes of captured connections, whose clients know nothing of the proxy: where they were going stands in for what they
 * do not say. One object a connection.
 */
import type { MeshAddress } from "../../routing/table/address_index.ts";
import type { RequestHead } from "../../routing/request.ts";
import type { OriginalDestination } from "../io/io.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { RouteStats } from "../observe/telemetry.ts";
import type { Egress } from "./egress.ts";
import type { InboundAccess } from "./inbound_access.ts";
import type { OutboundRouter } from "./outbound.ts";
import type { EndpointPool } from "../pool/pool.ts";
import type { Destination } from "./destination.ts";
import type { Router } from "./router.ts";
import type { ConnectionRouter } from "../relay/downstream.ts";

/** Finds what an address means by the plan in force. */
export interface AddressBook {
  find(address: string, port: number): MeshAddress | null;
}

/**
 * A connection of the application. Requests go by their host, with the port that the client connected to where they name
 * none; a host that the mesh does not know, and whatever is no request, goes by address: to the Service or pod that has it, else
 * out of the mesh.
 */
export class CapturedRoute implements Router, ConnectionRouter {
  readonly listener: number;
  readonly #router: OutboundRouter;
  readonly #egress: Egress;
  readonly #addresses: AddressBook;
  readonly #original: OriginalDestination;

  constructor(
    router: OutboundRouter,
    egress: Egress,
    addresses: AddressBook,
    original: OriginalDestination,
  ) {
    this.listener = router.listener;
    this.#router = router;
    this.#egress = egress;
    this.#addresses = addresses;
    this.#original = original;
  }

  route(request: Request, destination: Destination): void {
    this.#router.route(request, destination, this.#original.port);
    const { refusalReason } = destination;
    // HTTP/1.0 need not name a host.
    if (refusalReason === "host-unknown" || refusalReason === "host-invalid") {
      this.#routeByAddress(request, destination);
    }
  }

  routeConnection(destination: Destination): void {
    this.#routeByAddress(null, destination);
  }

  giveBack(destination: Destination): void {
    this.#router.giveBack(destination);
  }

  next(destination: Destination): EndpointPool | null {
    return this.#router.next(destination);
  }

  #routeByAddress(request: Request | null, destination: Destination): void {
    // Looked up each time: a plan may have come while the connection was open.
    const { address, port } = this.#original;
    const known = this.#addresses.find(address, port);
    if (known !== null) this.#router.routeByAddress(known, request, destination);
    else this.#egress.toAddress(this.#original, this.listener, destination);
  }
}

/** A connection to the application: everything goes there, at the port that the client connected to. */
export class CapturedApplication implements Router, ConnectionRouter {
  readonly listener: number;
  readonly #access: InboundAccess;
  readonly #port: number;
  readonly #pool: EndpointPool;
  readonly #stats: RouteStats;

  constructor(
    { index, access }: { readonly index: number; readonly access: InboundAccess },
    port: number,
    pool: EndpointPool,
    stats: RouteStats,
  ) {
    this.listener = index;
    this.#access = access;
    this.#port = port;
    this.#pool = pool;
    this.#stats = stats;
  }

  route(request: Request, destination: Destination): void {
    // The client's sidecar has chosen what the application speaks.
    destination.takesHttp2 = destination.expectsHttp2;
    this.#fill(destination, request.routed);
  }

  routeConnection(destination: Destination): void {
    this.#fill(destination, null);
  }

  #fill(destination: Destination, head: RequestHead | null): void {
    destination.pool = this.#pool;
    destination.stats = this.#stats;
    this.#access.admit(destination, this.#port, head);
  }

  giveBack(): void {}

  next(_destination: Destination): EndpointPool {
    return this.#pool;
  }
}

/** A listener's connections that all go to one port of one Service, whatever they carry. */
export class PortRoute implements ConnectionRouter {
  readonly listener: number;
  readonly #router: OutboundRouter;
  readonly #target: { readonly namespace: string; readonly service: string; readonly port: number };

  constructor(
    router: OutboundRouter,
    target: { readonly namespace: string; readonly service: string; readonly port: number },
  ) {
    this.listener = router.listener;
    this.#router = router;
    this.#target = target;
  }

  routeConnection(destination: Destination): void {
    const { namespace, service, port } = this.#target;
    const { services } = this.#router.table;
    const found = services.find(({ plan }) =>
      plan.namespace === namespace && plan.name === service
    );
    const tablePort = found?.ports.find((each) => each.port === port) ?? null;
    this.#router.routeToPort(tablePort, destination);
  }

  giveBack(destination: Destination): void {
    this.#router.giveBack(destination);
  }

  next(destination: Destination): EndpointPool | null {
    return this.#router.next(destination);
  }
}
