/** Attempts: how the attempts of an exchange, or of a relayed connection, at its destination go. Reused by its owner. */
import { type Refusal, REFUSALS } from "../../base/refusals.ts";
import type { AttemptFailure } from "../balance/retry_policy.ts";
import type { Router } from "../route/router.ts";
import type { Routed, RouteFacts, Telemetry } from "../observe/telemetry.ts";
import { CONNECT_ATTEMPTS_MAX, OTHER_BACKENDS_MAX, OTHER_WAYS_MS } from "../limits.ts";
import type { TunnelOwner } from "../loop/tunnel.ts";
import type { Choice } from "../policy/backend_state.ts";
import type { EndpointPool } from "../pool/pool.ts";
import { type Destination, type PendingDecision, UNDECIDED } from "../route/destination.ts";
import type { Response } from "../protocol/http1/response.ts";
import type { Loop } from "../loop/loop.ts";
import { type CarrierFailure, FAILURES, unreachedSaidBy } from "./failures.ts";
import type { Carrier } from "./sides.ts";
import type { EndpointSet, TableEndpoint } from "../../routing/table/endpoint_set.ts";

export class Attempts implements Routed {
  destination: Destination = UNDECIDED;
  /** What balancing knows of the endpoint chosen last. */
  #choice: Choice | null = null;
  endpoint: TableEndpoint | null = null;
  /** When the attempt under way began. */
  #startedMs = 0;
  /** It counts among the requests that the chosen endpoint has under way. */
  #isUnderWay = false;
  /** Attempts so far, since the last wait. */
  count = 0;
  /** Attempts that followed others at once, without a policy that says so. */
  repeats = 0;
  /** How the last one failed; null: none did. */
  #failure: CarrierFailure | null = null;
  /** When the first attempt of all began, and when the last one failed. */
  #begunMs = 0;
  #failedMs = 0;
  /** Where it was to go before any other way was taken. */
  #decided: Destination = UNDECIDED;
  /** Endpoints that it has reached none of, one set for each backend. */
  readonly #missed: EndpointSet[] = [];

  /** Nothing has been tried yet. */
  begin(destination: Destination): void {
    if (destination === UNDECIDED) this.#missed.length = 0;
    if (this.#missed.length === 0) this.#decided = destination;
    this.destination = destination;
    this.#choice = null;
    this.endpoint = destination.endpoint;
    this.count = 0;
    this.repeats = 0;
    this.#failure = null;
  }

  /** The request has waited, and is tried once more. */
  restart(): void {
    this.count = 0;
  }

  get areLeft(): boolean {
    return this.count === 0 || this.repeats < CONNECT_ATTEMPTS_MAX - 1;
  }

  /** Whether another endpoint may be tried after this failure, without asking a policy. */
  mayRepeat(failure: CarrierFailure, isIdempotent: boolean): boolean {
    const { repeat } = FAILURES[failure];
    return this.areLeft && (repeat === "always" || (repeat === "idempotent" && isIdempotent));
  }

  /** What the client is told where no attempt is left: why the last one failed, or why there was none. */
  get refusal(): Refusal {
    const reason = this.destination.backend?.emptyReason ?? "no-address";
    return this.#failure === null ? REFUSALS[reason] : FAILURES[this.#failure].refusal;
  }

  /** The same as this proxy says it: that the application has not got the request, where its place is beside that one. */
  refusalBy({ unreachedLine }: Router): Refusal {
    return this.#isUnreached && unreachedLine
      ? { ...this.refusal, headers: unreachedLine }
      : this.refusal;
  }

  /** The last attempt has reached no application. */
  get #isUnreached(): boolean {
    return this.#failure !== null && FAILURES[this.#failure].isUnreached;
  }

  /**
   * Where a request goes that none of the endpoints has got, if they did nothing with it: to the Service's own address, then to
   * other backends of its split, and their addresses. Null: nowhere.
   */
  otherWay(router: Router, counts: Telemetry["counts"]): Destination | PendingDecision | null {
    if (!this.#isUnreached || this.#failedMs - this.#begunMs > OTHER_WAYS_MS) return null;
    const { destination, endpoint } = this;
    if (destination.endpoints !== null) {
      this.#missed.push(destination.endpoints);
      const address = endpoint && router.lastResort?.(destination, endpoint, this.refusal);
      if (address) {
        counts.lastResorts++;
        return address;
      }
    }
    if (this.#missed.length > OTHER_BACKENDS_MAX) return null;
    const other = router.otherBackend?.(this.#decided, this.#missed) ?? null;
    if (other !== null) counts.otherBackends++;
    return other;
  }

  /** What policies call the failure of the last attempt, where they may try again; null: they may not. */
  get retriable(): AttemptFailure | null {
    const failure = this.#failure === null ? null : FAILURES[this.#failure];
    return failure?.isRetriable === true ? failure.kind : null;
  }

  get facts(): RouteFacts {
    return this.destination.facts;
  }

  get place(): string {
    return this.endpoint?.key ?? this.destination.pool?.key ?? "";
  }

  /** The next endpoint to try; null: there is none with an address, or none whose application has not just been missed. */
  next(nowMs: number): EndpointPool | null {
    const { pool, backend, endpoints, hash } = this.destination;
    if (pool !== null) return this.#isMissed(pool, nowMs) ? null : pool;
    if (backend === null || endpoints === null) return null;
    const choice = backend.pick(endpoints, hash, this.#choice, nowMs);
    if (choice === null || this.#isMissed(choice.target.pool, nowMs)) return null;
    this.#choice = choice;
    this.endpoint = choice.target.endpoint;
    return choice.target.pool;
  }

  /** To ask once more at once would be in vain. */
  #isMissed(pool: EndpointPool, nowMs: number): boolean {
    return this.count > 0 && pool.isUnreached(nowMs);
  }

  /** The endpoint chosen last is not to blame that there was no room: it is not passed over. */
  forgetChoice(): void {
    this.#choice = null;
  }

  // What balancing has to know of each attempt at the chosen endpoint.

  start(nowMs: number): void {
    this.count++;
    if (this.count > 1) this.repeats++;
    else if (this.#missed.length === 0) this.#begunMs = nowMs;
    if (this.#choice === null) return;
    this.#choice.active++;
    this.#startedMs = nowMs;
    this.#isUnderWay = true;
  }

  /** Safe to call twice. */
  end(): void {
    if (!this.#isUnderWay) return;
    this.#isUnderWay = false;
    if (this.#choice !== null) this.#choice.active--;
  }

  /**
   * The attempt has opened a tunnel: it is under way at the endpoint until that ends.
   * @param endRequest then counts the request as ended
   */
  tunnel(endRequest: () => void): TunnelOwner {
    const choice = this.#isUnderWay ? this.#choice : null;
    this.#isUnderWay = false;
    return {
      onTunnelBytes() {},
      onTunnelEnded() {
        if (choice !== null) choice.active--;
        endRequest();
      },
    };
  }

  /** How the attempt has failed, if its answer is not one to the request; null: it is. */
  failureSaidBy(
    response: Response,
    { pool, isReused }: Carrier,
    router: Router,
    loop: Loop,
  ): CarrierFailure | null {
    if (response.status === 408 && isReused) return "stale-unread";
    return response.saysUnreached ? unreachedSaidBy(response, pool, router, loop) : null;
  }

  /** The attempt has failed without an answer. */
  fail(failure: CarrierFailure, nowMs: number): void {
    const { isEndpointsFault, kind } = FAILURES[failure];
    this.#failure = failure;
    this.#failedMs = nowMs;
    if (isEndpointsFault && this.#isUnderWay && this.#choice !== null) {
      this.destination.backend?.failed(this.#choice, kind, nowMs);
    }
    this.end();
  }

  /** The endpoint answers. `outcome` is a status of HTTP; 0: what it comes to is told later, to `judge`. */
  answered(outcome: number, nowMs: number): void {
    if (this.#choice === null) return;
    const { backend } = this.destination;
    backend?.answered(this.#choice, outcome, nowMs - this.#startedMs, nowMs);
  }

  /** What an answer came to, whose head did not say it; 0: its end did not either. */
  judge(outcome: number, nowMs: number): void {
    if (this.#choice === null || outcome === 0) return;
    this.destination.backend?.judge(this.#choice, outcome, nowMs);
  }
}
