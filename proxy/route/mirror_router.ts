/** MirrorRouter: sends copies of requests to a mirror's endpoints, whatever they ask for. */
import type { EndpointSet } from "../../routing/table/table.ts";
import type { EndpointPool } from "../pool/pool.ts";
import type { Destination } from "./destination.ts";
import type { Router } from "./router.ts";
import type { Io } from "../io/io.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { BackendState } from "../policy/backend_state.ts";

export class MirrorRouter implements Router {
  readonly listener = -1;
  readonly #backend: BackendState;
  readonly #set: EndpointSet;
  readonly #takesHttp2: boolean;
  readonly #clock: Pick<Io, "nowMs">;

  /** @param takesHttp2 the requests themselves go by HTTP/2, so their copies do */
  constructor(
    backend: BackendState,
    set: EndpointSet,
    takesHttp2: boolean,
    clock: Pick<Io, "nowMs">,
  ) {
    this.#backend = backend;
    this.#set = set;
    this.#takesHttp2 = takesHttp2;
    this.#clock = clock;
  }

  route(_request: Request, destination: Destination): void {
    destination.backend = this.#backend;
    destination.endpoints = this.#set;
    destination.takesHttp2 = this.#takesHttp2;
  }

  next(destination: Destination): EndpointPool | null {
    const choice = this.#backend.pick(this.#set, 0, destination.choice, this.#clock.nowMs);
    destination.choice = choice;
    return choice === null ? null : choice.target.pool;
  }
}
