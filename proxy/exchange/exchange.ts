/**
 * Exchange: one request and its answer, whatever protocols carry them: decided once, passed to an endpoint, to
 * another one where that fails before it answered, and counted at the end. The side that asks is an
 * `ExchangeClient`, the side that answers a `Carrier`; neither knows which protocol the other speaks.
 */
import { CONNECT_ATTEMPTS_MAX } from "../limits.ts";
import { Mirror } from "./mirror.ts";
import { PolicyRun } from "../policy/policy_run.ts";
import type { RouteState } from "../policy/route_state.ts";
import type { PolicedExchange } from "../policy/policy_run.ts";
import type { AttemptFailure } from "../balance/retry_policy.ts";
import type { Request } from "../protocol/http1/request.ts";
import { grpcStatusIn, httpStatusOfGrpc } from "../protocol/http2/grpc.ts";
import type { FieldList } from "../protocol/http2/hpack/field_list.ts";
import type { Response } from "../protocol/http1/response.ts";
import type { ExchangeTrace } from "../tracing/tracer.ts";
import type { Context } from "../loop/context.ts";
import { openCarrier, reuseCarrier } from "./carrier_source.ts";
import { FAILURES } from "./carrier_failure.ts";
import type { CarrierFailure } from "./carrier_failure.ts";
import type { Carrier, ExchangeClient } from "./sides.ts";
import { attemptLine, editHead, editRequest } from "./head_changes.ts";
import { hopLines, lastWordOn } from "./hops.ts";
import type { EndpointPool } from "../pool/pool.ts";
import { Attempts } from "./attempts.ts";
import { ReportedRequest } from "./report.ts";
import { type Destination, PendingDecision, UNDECIDED } from "../route/destination.ts";
import type { Router } from "../route/router.ts";

const NO_HEADERS = new Uint8Array(0);

export class Exchange implements PolicedExchange {
  readonly #context: Context;
  readonly #router: Router;
  readonly client: ExchangeClient;
  /** Where the request goes, and how its attempts to get there go. */
  readonly #tries = new Attempts();
  /** Where it goes is not decided yet. */
  #pending: PendingDecision | null = null;
  #carrier: Carrier | null = null;
  isHead = false;
  /** Lines that an answer of the proxy itself has besides its own. */
  ownHeaders = NO_HEADERS;
  /** The client asks for another protocol, and the endpoint may take it up with 101. */
  wantsUpgrade = false;
  /** The client asks for a tunnel. */
  isConnect = false;
  /** The answer has begun, so that no other can be given. */
  hasAnswer = false;
  #isIdempotent = false;
  #isConnected = false;
  #attempts = 0;
  /** How the last attempt failed; null: none did. */
  #failure: CarrierFailure | null = null;
  #status = 0;
  #reason = "";
  #startedMs = 0;
  /** Made with the first request that a policy has a say in. */
  #run: PolicyRun | null = null;
  /** Null: the request says of traces what its client says. */
  #trace: ExchangeTrace | null = null;
  /** A copy of the request, while that is still coming. */
  #copy: Mirror | null = null;
  /** Null where requests are not reported. */
  #reported: ReportedRequest | null = null;
  /** Begun, and neither answered nor given up. */
  #isUnderWay = false;

  constructor(context: Context, router: Router, client: ExchangeClient) {
    this.#context = context;
    this.#router = router;
    this.client = client;
  }

  get isCall(): boolean {
    return this.client.needsHttp2;
  }

  get carrier(): Carrier | null {
    return this.#carrier;
  }

  /** Whom the request names as its client; empty: nobody, because the proxy on the other side sees the same one. */
  get namedPeer(): string {
    return this.#router.place === "captured" ? "" : this.client.peer;
  }

  /** A new request; null: one whose head could not be read. */
  begin(request: Request | null): void {
    const { arena, io, telemetry, tracer } = this.#context;
    this.hasAnswer = false;
    this.#attempts = 0;
    this.#failure = null;
    this.#status = 0;
    this.#reason = "";
    this.#startedMs = io.nowMs;
    this.ownHeaders = NO_HEADERS;
    this.#tries.begin(UNDECIDED);
    this.isHead = request !== null && request.isHead;
    this.wantsUpgrade = request !== null && request.wantsUpgrade(arena);
    this.isConnect = request !== null && request.isConnect;
    this.#isIdempotent = request !== null && request.isIdempotent;
    this.#isUnderWay = true;
    const { listener } = this.#router;
    this.#trace = request === null
      ? null
      : tracer.begin(arena, request, listener, this.client.isSecure, io.nowMs);
    this.#reported = telemetry.isReporting || this.#trace?.span
      ? ReportedRequest.of(arena, request, this.client, this.#trace, telemetry.reportedHeaders)
      : null;
  }

  /** Decides where the request goes, and sends it there. */
  route(request: Request): void {
    const lastWord = lastWordOn(request, this.#router.place);
    if (lastWord !== null) return this.client.refuse(lastWord.status, lastWord.reason);
    const decided = this.#router.route(request, this.client);
    if (!(decided instanceof PendingDecision)) return this.#follow(decided, request);
    this.#pending = decided;
    decided.onDecided = (destination) => this.#onDecided(destination);
    this.client.onWaiting();
  }

  /** No connection's event led here, so none would be charged with a fault. */
  #onDecided(destination: Destination): void {
    this.#pending = null;
    try {
      this.#follow(destination, null);
    } catch (error) {
      this.#context.telemetry.fault(error);
      this.client.abort();
    }
  }

  /** Goes where it was decided. `request` is null where its head has to be read again. */
  #follow(destination: Destination, request: Request | null): void {
    this.#tries.begin(destination);
    const { refusal } = destination;
    if (refusal !== null) this.client.refuse(refusal.status, refusal.reason);
    else if (this.#isPoliced) this.#begin(request);
    else this.#tryEndpoint(request);
  }

  /** Some policy has a say in the request's way. */
  get #isPoliced(): boolean {
    const { route, backend } = this.#tries.destination;
    return route !== null || (backend !== null && backend.limits !== null);
  }

  #begin(request: Request | null): void {
    const { io, timers, random } = this.#context;
    const { route, backend } = this.#tries.destination;
    const { routed } = request ?? this.client.requestAgain();
    this.#run ??= new PolicyRun(this, timers, random);
    const verdict = this.#run.start(route, backend, routed, io.nowMs);
    if (verdict === "refused") return;
    const isMirrored = route !== null && this.#mirror(route);
    if (verdict === "wait") this.#hold();
    else this.#tryEndpoint(isMirrored ? null : request);
  }

  /** A policy holds the request back for now. */
  #hold(): void {
    this.client.onWaiting();
    if (this.client.hasHalfClosed) this.onHalfClosed();
  }

  /**
   * The client sends no more on its connection. It may want its answer still, and may as well be gone: what has not been
   * sent to an endpoint, or would be sent again, is not sent for it.
   */
  onHalfClosed(): void {
    if (this.#run?.isHolding) this.refuse(499, "client-ended");
  }

  /** Begins a copy, where the policy asks for one. True: scratch space has been used for it. */
  #mirror(route: RouteState): boolean {
    const { client } = this;
    const { mirror } = route;
    if (mirror === null || this.isConnect || this.wantsUpgrade) return false;
    if (!this.#run?.draws(mirror.table.percent)) return false;
    const request = this.requestAgain();
    this.#copy = Mirror.begin(
      this.#context,
      route,
      mirror,
      request,
      this.#tries.destination,
      { peer: this.namedPeer, isSecure: client.isSecure, source: client.source },
    );
    this.copy(client.source.sent, client.source.ready);
    return true;
  }

  /** More of the request's body has come, from `from` to `to` of the arena, or its end. Scratch space may be used. */
  copy(from: number, to: number): void {
    const copy = this.#copy;
    if (copy === null) return;
    const isTaken = copy.take(from, to);
    if (isTaken && !this.client.hasWholeRequest) return;
    this.#copy = null;
    if (isTaken) copy.send(this.client.isPlain);
  }

  /** All that has come of the body is now from `from` to `to`, without its framing. */
  copyAgain(from: number, to: number): void {
    this.#copy?.restart();
    if (this.#copy?.take(from, to) === false) this.#copy = null;
  }

  proceed(): void {
    this.#attempts = 0;
    this.#tryEndpoint(null);
  }

  onExpired(): void {
    if (this.hasAnswer) this.cut("deadline-exceeded");
    else this.refuse(504, "deadline-exceeded");
  }

  onAttemptExpired(): void {
    if (this.#carrier !== null && !this.hasAnswer) this.onFailed(this.#carrier, "timeout");
  }

  /** Without a byte in either direction for as long, an answer or a request is given up. */
  get stallMs(): number {
    return this.#run?.route?.idleMs ?? this.#context.timeouts.stallMs;
  }

  /** From the end of the request to the head of the answer. */
  get responseMs(): number {
    const { responseMs } = this.#context.timeouts;
    return Math.min(responseMs, this.#run?.route?.idleMs ?? responseMs);
  }

  /** `request` is null where its head has to be read again. */
  #tryEndpoint(request: Request | null): void {
    const { io } = this.#context;
    while (this.#attempts < CONNECT_ATTEMPTS_MAX) {
      const pool = this.#tries.next(io.nowMs);
      if (pool === null) return this.#giveUp();
      this.#attempts++;
      this.#startAttempt();
      if (this.#take(pool, request)) return;
      pool.avoid(io.nowMs);
      this.#failure = "refused";
      this.#failAttempt("connect-failure");
    }
    this.#giveUp();
  }

  /** No endpoint is left to try: the client is told why the last one failed, or why there was none. */
  #giveUp(): void {
    if (this.#failure === null) return this.client.refuse(503, this.#tries.emptyReason);
    const { status, reason } = FAILURES[this.#failure];
    this.client.refuse(status, reason);
  }

  /** Takes a connection to the endpoint, or a place in the queue for one. False: none can be opened. */
  #take(pool: EndpointPool, request: Request | null): boolean {
    // A second try takes a new connection.
    const isRetry = this.#attempts > 1;
    const { destination } = this.#tries;
    const carrier = reuseCarrier(this.#context, this, destination, pool, isRetry);
    if (carrier !== null && carrier.isConnected) {
      this.#carrier = carrier;
      this.#pass(carrier, request ?? this.client.requestAgain());
      return true;
    }
    this.#isConnected = false;
    this.client.onWaiting();
    if (carrier === null && !pool.takeConnection()) {
      this.#waitForConnection();
      return true;
    }
    this.#carrier = carrier ?? openCarrier(this.#context, this, destination, pool);
    return this.#carrier !== null;
  }

  /** The carrier has no place for this exchange after all: another connection to its endpoint has. */
  onCrowded({ pool }: Carrier): void {
    this.#closeCarrier();
    if (!this.#take(pool, null)) this.client.refuse(503, "upstream-refused");
  }

  #startAttempt(): void {
    if (this.#reported !== null) this.#reported.attempts++;
    this.#run?.attemptStarted();
    this.#tries.start(this.#context.io.nowMs);
  }

  #endAttempt(): void {
    this.#run?.attemptEnded();
    this.#tries.end();
  }

  /** The endpoint is to blame. */
  #failAttempt(failure: AttemptFailure): void {
    this.#run?.attemptEnded();
    this.#tries.fail(failure, this.#context.io.nowMs);
  }

  #waitForConnection(): void {
    this.#endAttempt();
    // No endpoint is to be passed over for that it has no room.
    this.#tries.forgetChoice();
    const isWaiting = this.#run?.wait(this.#context.timeouts.pendingMs) ?? false;
    if (isWaiting) this.#hold();
    else this.client.refuse(503, "pending-limit");
  }

  onConnected(carrier: Carrier): void {
    this.#pass(carrier, this.client.requestAgain());
  }

  #pass(carrier: Carrier, request: Request): void {
    this.#isConnected = true;
    if (this.isConnect) return this.client.openTunnel(carrier, this.#established());
    this.client.onPassing();
    if (!this.#editRequest(request)) return this.refuse(431, "too-many-headers");
    carrier.passRequest(request, this);
  }

  /** What a CONNECT is answered whose connection is there. */
  #established(): Response {
    const { arena, response, texts: { established } } = this.#context;
    response.parse(arena, established.offset, established.offset + established.length);
    return response;
  }

  /** The head of the request once more, as its policy and its trace would have it. */
  requestAgain(): Request {
    const request = this.client.requestAgain();
    this.#editRequest(request);
    return request;
  }

  #editRequest(request: Request): boolean {
    const { arena } = this.#context;
    const run = this.#run;
    const retries = run?.retries ?? 0;
    const hops = hopLines(arena, request, this.#router.place);
    const lines = retries === 0 ? hops : hops + attemptLine(arena, request, retries, this.isCall);
    const edits = run?.route?.requestEdits ?? null;
    return editRequest(this.#context, request, edits, this.#trace, lines);
  }

  /** The carrier can carry this exchange no further. `resetCode`: what its endpoint said of an answer under way. */
  onFailed(carrier: Carrier, failure: CarrierFailure, resetCode?: number): void {
    // It may say so twice: as its connection ends, and to whoever was writing to it.
    if (carrier !== this.#carrier) return;
    const { io, telemetry } = this.#context;
    // A pooled connection may have been closed by the endpoint just as it was taken (RFC 9110 9.2.2).
    const isStale = failure === "reset" && carrier.isReused && this.#isIdempotent;
    this.#failure = failure;
    if (!this.#isConnected) {
      carrier.pool.avoid(io.nowMs);
      telemetry.counts.connectFailures++;
    }
    // Refused after it connected: an HTTP/2 endpoint that took no part in the request (RFC 9113 8.7).
    const isUntouched = !this.#isConnected || failure === "refused";
    const kind = isUntouched ? "connect-failure" : failure === "timeout" ? "timeout" : "reset";
    // Neither a connection that had long been idle nor a client that is late says anything of the endpoint.
    if (isStale || failure === "client-timeout") this.#endAttempt();
    else this.#failAttempt(kind);
    this.#closeCarrier();
    if (this.hasAnswer) return this.cut(FAILURES[failure].reason, resetCode);
    const canRetry = this.client.isReplayable && (isUntouched || isStale);
    if (canRetry && this.#attempts < CONNECT_ATTEMPTS_MAX) {
      this.#noteRetry(FAILURES[failure].reason);
      return this.#tryEndpoint(null);
    }
    const isRetried = failure !== "client-timeout" && this.#mayRetry &&
      this.#run !== null && this.#run.retriesFailure(kind, io.nowMs);
    if (isRetried) this.#retry(FAILURES[failure].reason);
    else this.#giveUp();
  }

  /** The request is still there to be sent again, and so is its client. */
  get #mayRetry(): boolean {
    return this.client.isReplayable && !this.client.hasHalfClosed;
  }

  /** Tries again, a little later. */
  #retry(why: string): void {
    this.#noteRetry(why);
    this.#run?.backOff();
    this.#hold();
  }

  #noteRetry(why: string): void {
    const { telemetry, tracer, io } = this.#context;
    telemetry.counts.retries++;
    const span = this.#trace?.span ?? null;
    if (span === null) return;
    const endpoint = this.#tries.endpoint?.key ?? "";
    span.retries.push({ timeMs: tracer.wallMs(io.nowMs), reason: why, endpoint });
  }

  /**
   * An endpoint's final answer. False: it is not passed on, because the request is tried again, and its carrier has
   * been let go of.
   */
  takeAnswer(response: Response): boolean {
    const { arena, io } = this.#context;
    const { status } = response;
    // A call that fails before its first message is answered by one head; else its trailers say what it came to.
    const outcome = this.isCall && status === 200
      ? httpStatusOfGrpc(response.valueOf(arena, "grpc-status"))
      : status;
    this.#tries.answered(outcome, io.nowMs);
    this.#run?.attemptEnded();
    const route = this.#run?.route ?? null;
    if (route !== null) {
      if (this.#mayRetry && this.#run?.retriesStatus(outcome, io.nowMs)) {
        this.#endAttempt();
        this.#closeCarrier();
        this.#retry(`status-${outcome}`);
        return false;
      }
      const cookie = route.cookieLine(this.#tries.destination.newPoint);
      // An answer keeps what cannot be dropped of it; it is not lost for that.
      editHead(this.#context, response, route.responseEdits, cookie);
    }
    this.#reported?.answered(arena, response, this.isHead);
    this.beginAnswer(status);
    return true;
  }

  /** The request cannot be passed on. `headers` are lines of the answer. */
  refuse(status: number, reason: string, headers = NO_HEADERS): void {
    this.ownHeaders = headers;
    this.dropCarrier();
    this.client.refuse(status, reason);
  }

  /** An answer begins; with a `reason`, the proxy's own. */
  beginAnswer(status: number, reason = ""): void {
    this.hasAnswer = true;
    this.#status = status;
    this.#reason = reason;
    if (reason !== "" && this.client.needsHttp2) this.#reported?.refusedCall(status, reason);
  }

  /** The trailers of an endpoint's answer. */
  takeTrailers(fields: FieldList): void {
    this.#reported?.takeTrailers(fields);
    if (!this.isCall || !this.hasAnswer) return;
    this.#tries.judge(httpStatusOfGrpc(grpcStatusIn(fields)), this.#context.io.nowMs);
  }

  /** The answer has been written: counts the exchange, and lets go of the carrier. */
  end(): void {
    const { telemetry, io } = this.#context;
    const durationMs = io.nowMs - this.#startedMs;
    const { listener } = this.#router;
    this.forget();
    telemetry.answered(
      this.#tries,
      this.#status,
      this.#reason,
      durationMs,
      listener,
      this.#reported,
    );
  }

  /** The answer has opened a tunnel: counts the exchange. The function that is returned is called when the tunnel ends. */
  endInTunnel(): () => void {
    const endAttempt = this.#tries.handOver();
    const endRequest = this.#run?.handOver();
    this.end();
    return () => {
      endAttempt();
      endRequest?.();
    };
  }

  /** Ends without being counted. */
  forget(): void {
    this.#isUnderWay = false;
    this.#carrier = null;
    this.hasAnswer = false;
    this.#leave();
  }

  /** The answer that has begun will not be completed, for a reason that is not the client's. */
  cut(reason: string, resetCode?: number): void {
    this.#reason = reason;
    this.client.abort(resetCode);
  }

  /** Lets go of everything, because the client is gone or is to be cut off; what was under way is reported as such. */
  abandon(): void {
    const { telemetry, io } = this.#context;
    const status = this.hasAnswer ? this.#status : 0;
    this.dropCarrier();
    if (!this.#isUnderWay) return;
    this.#isUnderWay = false;
    telemetry.abandoned(
      this.#tries,
      status,
      this.#reason === "" ? "client-gone" : this.#reason,
      io.nowMs - this.#startedMs,
      this.#router.listener,
      this.#reported,
    );
  }

  /** Nothing more is to come of this request: whatever is held or waited for is let go of. */
  dropCarrier(): void {
    this.#leave();
    this.#pending?.cancel();
    this.#pending = null;
    this.#closeCarrier();
  }

  #closeCarrier(): void {
    const carrier = this.#carrier;
    this.#carrier = null;
    carrier?.close();
  }

  #leave(): void {
    this.#copy?.drop("incomplete");
    this.#copy = null;
    this.#endAttempt();
    this.#run?.stop();
  }
}
