/**
 * Routes of captured connections, whose clients know nothing of the proxy: where they were going stands in for what they
 * do not say. One object a connection.
 */
import type { MeshAddress } from "../../routing/table/address_index.ts";
import type { OriginalDestination } from "../io/io.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { Egress } from "./egress.ts";
import type { OutboundRouter } from "./outbound.ts";
import type { Destination } from "./destination.ts";
import type { ClientFacts, Router } from "./router.ts";

/** Finds what an address means by the plan in force. */
export interface AddressBook {
  find(address: string, port: number): MeshAddress | null;
}

/**
 * A connection of the application. Requests go by their host, with the port that the client connected to where they name
 * none; a host that the mesh does not know, and whatever is no request, goes by address: to the Service or pod that has it, else
 * out of the mesh.
 */
export class CapturedRoute implements Router {
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

  route(request: Request | null, client: ClientFacts): Destination {
    if (request === null) return this.#routeByAddress(null, client);
    const destination = this.#router.routeByHost(request, client, this.#original.port);
    const reason = destination.refusal?.reason;
    // HTTP/1.0 need not name a host.
    return reason === "host-unknown" || reason === "host-invalid"
      ? this.#routeByAddress(request, client)
      : destination;
  }

  #routeByAddress(request: Request | null, client: ClientFacts): Destination {
    // Looked up each time: a plan may have come while the connection was open.
    const { address, port } = this.#original;
    const known = this.#addresses.find(address, port);
    return known === null
      ? this.#egress.toAddress(this.#original, this.listener, client)
      : this.#router.routeByAddress(known, request, client);
  }
}

/** A listener's connections that all go to one port of one Service, whatever they carry. */
export class PortRoute implements Router {
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

  route(_request: Request | null, client: ClientFacts): Destination {
    const { namespace, service, port } = this.#target;
    const { services } = this.#router.table;
    const found = services.find(({ plan }) =>
      plan.namespace === namespace && plan.name === service
    );
    const tablePort = found?.ports.find((each) => each.port === port) ?? null;
    return this.#router.connectionTo(tablePort, client);
  }
}
