/**
 * Router: where the requests of one listener go. An exchange holds a `Destination`, so that a new plan does not
 * touch exchanges under way.
 */
import type { Request } from "../protocol/http1/request.ts";
import type { Destination } from "./destination.ts";
import type { EndpointPool } from "../pool/pool.ts";

export interface Router {
  /** Place of the listener in the proxy's configuration: outbound ones first. */
  readonly listener: number;
  /** Decides about the request, and fills `destination`. */
  route(request: Request, destination: Destination): void;
  /** The next endpoint to try; null: there is none with an address. */
  next(destination: Destination): EndpointPool | null;
}
