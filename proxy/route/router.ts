/**
 * Router: where what comes by one listener, or one captured connection, goes. A `Destination` belongs to the one that asked,
 * so that a new plan does not touch what is under way.
 */
import type { StateStore } from "../../base/state_store.ts";
import type { Loop } from "../loop/loop.ts";
import type { Telemetry } from "../observe/telemetry.ts";
import type { Pools } from "../pool/pools.ts";
import type { Refusal } from "../../base/refusals.ts";
import type { EndpointSet, TableEndpoint } from "../../routing/table/endpoint_set.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { Caller } from "../tls/caller.ts";
import type { Destination, PendingDecision } from "./destination.ts";
import type { Interest } from "./interest.ts";

/**
 * Where the proxy stands: before clients that send to it, clients that know nothing of it, or the application beside it. A copy has the
 * head that its request went out with.
 */
export type Place = "outbound" | "captured" | "inbound" | "copy";

/** What routing has to know of a client. */
export interface ClientFacts {
  /** The client's IP address. */
  readonly peer: string;
  /** Who the client is, as TLS has verified. */
  readonly caller: Caller;
  /** The client came by TLS other than the mesh's own. */
  readonly isSecure: boolean;
  readonly speaksHttp2: boolean;
  /** The client took for granted that its server speaks HTTP/2; and it sends what only HTTP/2 can carry (gRPC). */
  readonly expectsHttp2: boolean;
  readonly needsHttp2: boolean;
  /** Of TLS within a connection that is relayed; empty: it names none. Undefined: what is relayed is not seen to be TLS. */
  readonly serverName?: string | undefined;
}

/** What the routers of one event loop share. */
export interface RouteServices {
  readonly loop: Loop;
  readonly pools: Pools;
  readonly telemetry: Telemetry;
  /** What event loops of one proxy have in common. */
  readonly state: StateStore;
  readonly interest: Interest;
}

export interface Router {
  readonly place: Place;
  /** Place of the listener in the proxy's configuration: outbound ones first. */
  readonly listener: number;
  /**
   * Where the proxy stands beside the application that its clients call: the line that tells their own proxies that a request has
   * not reached it. Null: nothing is known of where they called.
   */
  readonly unreachedLine?: Uint8Array<ArrayBuffer> | null;
  /** Decides about a request; with null about a whole connection, which is relayed as it is. */
  route(request: Request | null, client: ClientFacts): Destination | PendingDecision;
  /**
   * Where else a request may go that has reached none of the endpoints of where it was to go; null: nowhere.
   * @param tried the last of them
   * @param refusal what it gets otherwise
   */
  lastResort?(
    failed: Destination,
    tried: TableEndpoint,
    refusal: Refusal,
  ): Destination | PendingDecision | null;
  /**
   * Where it may go after that: the backend with the largest weight among the others of its split, as if those that were missed had no
   * endpoints. Null: there is none, or its plan is not in force any more.
   */
  otherBackend?(failed: Destination, missed: readonly EndpointSet[]): Destination | null;
}
