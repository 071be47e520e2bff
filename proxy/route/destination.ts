/** Destination: what one request was decided to get, and how its attempts to get it go. */
import type { PlanRule } from "../../routing/plan.ts";
import type {
  EndpointSet,
  TableBackend,
  TableEndpoint,
  TablePort,
  TableRoute,
} from "../../routing/table/table.ts";
import type { AttemptFailure } from "../balance/retry_policy.ts";
import type { BackendState, Choice } from "../policy/backend_state.ts";
import type { RouteState } from "../policy/route_state.ts";
import type { RouteStats } from "../observe/telemetry.ts";
import { type Caller, NOBODY } from "../tls/caller.ts";
import type { ExchangeClient } from "../exchange/sides.ts";
import type { EndpointPool } from "../pool/pool.ts";

/** Reused by its connection from exchange to exchange. */
export class Destination {
  /** Of the plan that decided; empty where none did. */
  planHash = "";
  /** The port of the Service that was asked for; null where there is none, or none of the mesh. */
  port: TablePort | null = null;
  /** Endpoints to choose from; null where there is one fixed endpoint. */
  endpoints: EndpointSet | null = null;
  /** The one place there is to go to, outside every set of endpoints; null where there is a choice. */
  pool: EndpointPool | null = null;
  /** Told by the exchange: the client took HTTP/2 for granted; and it sends what only HTTP/2 can carry (gRPC). */
  expectsHttp2 = false;
  needsHttp2 = false;
  /** The endpoints are spoken to by HTTP/2. */
  takesHttp2 = false;
  /** What is known of the backend; null for a fixed endpoint. */
  backend: BackendState | null = null;
  /** What its route's policy says; null where it says nothing. */
  route: RouteState | null = null;
  /** The rule that the request satisfied; null where none, or none was asked for. */
  rule: PlanRule | null = null;
  /** The client's IP address, who it is by its certificate, and what the request is hashed by. */
  peer = "";
  caller: Caller = NOBODY;
  hash = 0;
  /** Where a caller is put who is to stay on its backend from now on; negative: nowhere new. */
  newPoint = -1;
  /** What balancing knows of the endpoint chosen last. */
  choice: Choice | null = null;
  /** The endpoint chosen last. */
  endpoint: TableEndpoint | null = null;
  /** The turn that a whole connection has taken in a split; null where it took none, and for requests. */
  turn: { readonly route: TableRoute; readonly backend: TableBackend } | null = null;
  /** Counters of the route and backend. */
  stats: RouteStats | null = null;
  /** Above 0: the request is refused with this status. */
  refusalStatus = 0;
  refusalReason = "";
  /** It is not decided yet: a name is being looked up. */
  pending: PendingDecision | null = null;

  /** When the attempt under way began. */
  #attemptStartedMs = 0;
  /** An attempt counts among the requests that the chosen endpoint has under way. */
  #isAttempting = false;

  /** Nothing is decided yet about a request of this client. */
  begin(
    { peer, caller, expectsHttp2, needsHttp2 }: Pick<
      ExchangeClient,
      "peer" | "caller" | "expectsHttp2" | "needsHttp2"
    >,
  ): void {
    this.peer = peer;
    this.caller = caller;
    this.expectsHttp2 = expectsHttp2;
    this.needsHttp2 = needsHttp2;
    this.backend = null;
    this.route = null;
    this.rule = null;
    this.choice = null;
    this.newPoint = -1;
    this.planHash = "";
    this.port = null;
    this.endpoint = null;
    this.stats = null;
  }

  // What balancing has to know of each attempt at the chosen endpoint.

  startAttempt(nowMs: number): void {
    if (this.choice === null) return;
    this.choice.active++;
    this.#attemptStartedMs = nowMs;
    this.#isAttempting = true;
  }

  /** Safe to call twice. */
  endAttempt(): void {
    if (!this.#isAttempting) return;
    this.#isAttempting = false;
    if (this.choice !== null) this.choice.active--;
  }

  /** The attempt has failed without an answer, and the endpoint is to blame. */
  failAttempt(failure: AttemptFailure, nowMs: number): void {
    if (this.#isAttempting && this.choice !== null) {
      this.backend?.failed(this.choice, failure, nowMs);
    }
    this.endAttempt();
  }

  /** The endpoint answers. `outcome` is a status of HTTP; 0: what it comes to is told later, to `judge`. */
  answered(outcome: number, nowMs: number): void {
    if (this.choice === null) return;
    this.backend?.answered(this.choice, outcome, nowMs - this.#attemptStartedMs, nowMs);
  }

  /** What an answer came to, whose head did not say it; 0: its end did not either. */
  judge(outcome: number, nowMs: number): void {
    if (this.choice !== null && outcome > 0) this.backend?.judge(this.choice, outcome, nowMs);
  }
}

/** A decision that waits. The exchange sets `onResolved`, and calls `cancel` where it no longer cares. */
export interface PendingDecision {
  onResolved: () => void;
  cancel(): void;
}
