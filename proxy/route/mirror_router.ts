/** MirrorRouter: sends the copy of a request to a mirror's endpoints, whatever it asks for. */
import type { EndpointSet } from "../../routing/table/table.ts";
import type { BackendState } from "../policy/backend_state.ts";
import { type Destination, NO_FACTS, toEndpoints } from "./destination.ts";
import type { Router } from "./router.ts";

export class MirrorRouter implements Router {
  readonly place = "copy";
  readonly listener = -1;
  readonly #destination: Destination;

  /** @param takesHttp2 the request itself goes by HTTP/2, so its copy does */
  constructor(backend: BackendState, endpoints: EndpointSet, takesHttp2: boolean) {
    this.#destination = toEndpoints(NO_FACTS, {
      ...{ endpoints, backend, takesHttp2 },
      ...{ route: null, hash: 0, newPoint: -1, turn: null },
    });
  }

  route(): Destination {
    return this.#destination;
  }
}
