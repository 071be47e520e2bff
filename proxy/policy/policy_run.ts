/**
 * PolicyRun: what the policies of its route and backend make of one exchange. They say whether and when it may go on, how long an
 * attempt may take, and whether it is tried again. Made with the first exchange of its client that has a policy, and used for the
 * next ones.
 */
import { type Refusal, refusalBy, REFUSALS } from "../../base/refusals.ts";
import type { Random } from "../../base/random.ts";
import type { RequestHead } from "../../routing/request.ts";
import type { AttemptFailure } from "../balance/retry_policy.ts";
import type { BackendLimits } from "./backend_limits.ts";
import type { BackendState } from "./backend_state.ts";
import type { RouteState } from "./route_state.ts";
import { Timer, type Timers } from "../loop/timers.ts";

/** What a run asks of its exchange. */
export interface PolicedExchange {
  /** It is a call by gRPC. */
  readonly needsHttp2: boolean;
  /** Goes on to an endpoint; the request's head has to be read again. */
  proceed(): void;
  /** Answers in place of an endpoint. */
  refuse(refusal: Refusal): void;
  /** The time for this attempt is over. */
  onAttemptExpired(): void;
  /** Ends it: a defect has shown. */
  abort(): void;
}

/** What the one timer of the steps is for; they never overlap. */
type Step = "none" | "delay" | "pending" | "attempt" | "backoff";

/** Whether an exchange goes on. */
type Verdict = "proceed" | "wait" | "refused";

const TWO_32 = 2 ** 32;

export class PolicyRun {
  readonly #exchange: PolicedExchange;
  readonly #timers: Timers;
  readonly #random: Random;
  readonly #stepTimer: Timer;
  #step: Step = "none";
  #route: RouteState | null = null;
  #backend: BackendState | null = null;
  /** Where the request is counted, and where it waits for a connection: the limits of the plan that was in force then. */
  #counting: BackendLimits | null = null;
  #waiting: BackendLimits | null = null;
  #method = 0;
  #retries = 0;

  constructor(exchange: PolicedExchange, timers: Timers, random: Random) {
    this.#exchange = exchange;
    this.#timers = timers;
    this.#random = random;
    this.#stepTimer = new Timer(() => this.#onStep(), exchange);
  }

  /** Null: no policy has a say in the requests' way. */
  get route(): RouteState | null {
    return this.#route;
  }

  /** How often the request was tried again by the policy. */
  get retries(): number {
    return this.#retries;
  }

  /** The request waits here, and no endpoint is at work on it. */
  get isHolding(): boolean {
    return this.#step === "delay" || this.#step === "pending" || this.#step === "backoff";
  }

  /** Judges a request that has just been routed. */
  start(
    route: RouteState | null,
    backend: BackendState | null,
    { method }: RequestHead,
    nowMs: number,
  ): Verdict {
    this.#route = route;
    this.#backend = backend;
    this.#method = method;
    this.#retries = 0;
    if (route !== null && !route.allowsRequest(nowMs)) {
      const headers = route.limitHeaders(this.#exchange.needsHttp2, nowMs);
      return this.#refuse(refusalBy("rate-limited", route.limitStatus, headers));
    }
    const abort = route?.fault?.abort ?? null;
    if (abort !== null && this.draws(abort.percent)) {
      route?.faultInjected("abort");
      return this.#refuse(refusalBy("fault-abort", abort.status, null));
    }
    const limits = backend?.limits ?? null;
    if (limits?.takeRequest() === false) return this.#refuse(REFUSALS["request-limit"]);
    this.#counting = limits;
    route?.depositRetry();
    const delay = route?.fault?.delay ?? null;
    if (delay === null || !this.draws(delay.percent)) return "proceed";
    route?.faultInjected("delay");
    this.#startStep("delay", delay.durationMs);
    return "wait";
  }

  #refuse(refusal: Refusal): Verdict {
    this.#exchange.refuse(refusal);
    return "refused";
  }

  /** Whether a share of the requests, in percent, is to be treated. */
  draws(percent: number): boolean {
    return percent >= 100 || this.#random.next32() / TWO_32 * 100 < percent;
  }

  /** The exchange is over, or will not go on. Safe to call twice. */
  stop(): void {
    this.#timers.stop(this.#stepTimer);
    this.#step = "none";
    const backend = this.#backend;
    this.#backend = null;
    this.#route = null;
    this.#counting?.requestEnded();
    this.#counting = null;
    this.#stopWaiting();
    backend?.limits?.exchangeEnded();
  }

  /** A tunnel has opened: it counts as a request under way until the function that is returned is called. */
  handOver(): () => void {
    const limits = this.#counting;
    this.#counting = null;
    return () => limits?.requestEnded();
  }

  // Waiting for a connection.

  /** There are as many connections as may be: waits for one, no longer than the exchange may be idle. False: as many wait as may. */
  wait(pendingMs: number): boolean {
    const limits = this.#backend?.limits ?? null;
    if (limits === null || !limits.wait(this)) return false;
    this.#waiting = limits;
    if (pendingMs < Infinity) this.#startStep("pending", pendingMs);
    return true;
  }

  #stopWaiting(): void {
    this.#waiting?.stopWaiting(this);
    this.#waiting = null;
  }

  abort(): void {
    this.#exchange.abort();
  }

  onTurn(): void {
    this.#waiting = null;
    this.#endStep();
    this.#exchange.proceed();
  }

  // Attempts.

  attemptStarted(): void {
    const limitMs = this.#route?.retry?.perTryTimeoutMs ?? null;
    if (limitMs !== null && this.#step !== "attempt") this.#startStep("attempt", limitMs);
  }

  /** The answer begins, or the attempt has failed. */
  attemptEnded(): void {
    if (this.#step === "attempt") this.#endStep();
  }

  /** Whether an answer with this status is not the last word; takes the retry out of the budget. */
  retriesStatus(status: number, nowMs: number): boolean {
    const retry = this.#route?.retry ?? null;
    return retry !== null && retry.allowsStatus(status, this.#method) &&
      this.#takeRetry(0, nowMs);
  }

  /**
   * Whether a failure is not the last word; takes the retry out of the budget. `repeats`: attempts that were made without
   * asking, each in place of a retry.
   */
  retriesFailure(failure: AttemptFailure, repeats: number, nowMs: number): boolean {
    const retry = this.#route?.retry ?? null;
    return retry !== null && retry.allowsFailure(failure, this.#method) &&
      this.#takeRetry(repeats, nowMs);
  }

  #takeRetry(repeats: number, nowMs: number): boolean {
    const route = this.#route;
    const attempts = route?.retry?.attempts ?? 0;
    const isLeft = route !== null && this.#retries + repeats < attempts;
    if (!isLeft || !route.withdrawRetry(nowMs)) return false;
    this.#retries++;
    return true;
  }

  /** After a retry was taken: goes on a little later. */
  backOff(): void {
    const retry = this.#route?.retry ?? null;
    this.#startStep("backoff", retry === null ? 0 : retry.backoffMs(this.#retries, this.#random));
  }

  // Timers.

  #startStep(step: Step, delayMs: number): void {
    this.#step = step;
    this.#timers.start(this.#stepTimer, delayMs);
  }

  #endStep(): void {
    this.#step = "none";
    this.#timers.stop(this.#stepTimer);
  }

  #onStep(): void {
    const step = this.#step;
    this.#step = "none";
    switch (step) {
      case "delay":
      case "backoff":
        return this.#exchange.proceed();
      case "pending":
        this.#stopWaiting();
        return this.#exchange.refuse(REFUSALS["pending-timeout"]);
      case "attempt":
        return this.#exchange.onAttemptExpired();
      case "none":
        return;
    }
  }
}
