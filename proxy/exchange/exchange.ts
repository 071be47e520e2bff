/**
 * Exchange: one request and its answer, or one connection that is relayed whole, whatever protocols carry them. It alone drives:
 * it has the request decided, takes it to an endpoint, and to another one if that fails before it answers. It passes bodies on
 * both ways, keeps the deadline, and is counted at the end. Its two sides obey and report (`sides.ts`).
 */
import { type EndReason, type Refusal, REFUSALS } from "../../base/refusals.ts";
import { BROKEN } from "../io/io.ts";
import type { Loop } from "../loop/loop.ts";
import { Tunnel, type TunnelOwner } from "../loop/tunnel.ts";
import { type PolicedExchange, PolicyRun } from "../policy/policy_run.ts";
import type { RouteState } from "../policy/route_state.ts";
import type { EndpointPool } from "../pool/pool.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { Response } from "../protocol/http1/response.ts";
import { grpcStatusIn, httpStatusOfGrpc } from "../protocol/http2/grpc.ts";
import type { FieldList } from "../protocol/http2/hpack/field_list.ts";
import { type Destination, PendingDecision, UNDECIDED } from "../route/destination.ts";
import type { Router } from "../route/router.ts";
import { Account } from "./account.ts";
import { Attempts } from "./attempts.ts";
import { ExchangeClock } from "./exchange_clock.ts";
import { type CarrierFailure, FAILURES } from "./failures.ts";
import { editHead, editRequest, establishedResponse, lastWordOn } from "./head_edits.ts";
import type { MirroredRequest } from "./mirror.ts";
import type { ExchangeServices } from "./services.ts";
import type { Carrier, CarrierEvents, ClientEvents, ClientSide } from "./sides.ts";

/** Reused from request to request, of any client. */
export class Exchange implements ClientEvents, CarrierEvents, PolicedExchange, TunnelOwner {
  readonly #services: ExchangeServices;
  readonly #loop: Loop;
  #router: Router;
  client: ClientSide;
  readonly #clock: ExchangeClock;
  /** What is told of it. */
  readonly #account: Account;
  /** Where the request goes, and how its attempts to get there go. */
  readonly #tries = new Attempts();
  /** Where it goes is not decided yet. */
  #pending: PendingDecision | null = null;
  #carrier: Carrier | null = null;
  /** Null: a connection that is relayed whole, or a head that could not be read. */
  #request: Request | null = null;
  isHead = false;
  /** The client asks for another protocol, and the endpoint may take it up with 101. */
  wantsUpgrade = false;
  /** The client asks for a tunnel. */
  isConnect = false;
  #isRelay = false;
  hasAnswer = false;
  /** The request's head has been changed for an attempt. */
  #isEdited = false;
  #isConnected = false;
  /** Made with the first request that a policy has a say in. */
  #run: PolicyRun | null = null;
  /** A copy of the request, while that is still coming. */
  #copy: MirroredRequest | null = null;

  constructor(services: ExchangeServices, router: Router, client: ClientSide) {
    this.#services = services;
    this.#loop = services.loop;
    this.#router = router;
    this.client = client;
    const { loop, telemetry, tracer } = services;
    this.#clock = new ExchangeClock(loop, () => this.#expire(), this);
    this.#account = new Account(loop, telemetry, tracer, router.listener);
  }

  /** The next request is of this client. */
  serve(router: Router, client: ClientSide): void {
    this.#router = router;
    this.client = client;
    this.#account.listener = router.listener;
  }

  get carrier(): Carrier | null {
    return this.#carrier;
  }

  get isSending(): boolean {
    return this.#carrier !== null && this.#carrier.isReady;
  }

  get needsHttp2(): boolean {
    return this.client.client.needsHttp2;
  }

  get mayPipeRequest(): boolean {
    return this.#copy === null && this.isSending && this.#carrier?.takesPipe === true;
  }

  // The request.

  begin(request: Request | null): void {
    this.#reset(request, false);
    this.isHead = request !== null && request.isHead;
    this.wantsUpgrade = request !== null && request.wantsUpgrade(this.#loop.arena);
    this.isConnect = request !== null && request.isConnect;
    this.#account.openRequest(request, this.client.client);
  }

  relay(authority: string): void {
    this.#reset(null, true);
    this.#account.openConnection(this.client.client, authority);
    this.route();
  }

  #reset(request: Request | null, isRelay: boolean): void {
    this.#request = request;
    this.#isRelay = isRelay;
    this.hasAnswer = false;
    this.#isEdited = false;
    this.#tries.begin(UNDECIDED);
    this.#clock.start(request, this.#router.place, isRelay);
    this.client.deadlineMs = this.#clock.dueMs(false);
  }

  route(): void {
    const lastWord = lastWordOn(this.#request, this.#router.place);
    if (lastWord !== null) return this.refuse(lastWord);
    if (this.#clock.isExpired) return this.#expire();
    this.#whenDecided(this.#router.route(this.#request, this.client.client));
  }

  /** Goes where it is decided, now or later. */
  #whenDecided(decided: Destination | PendingDecision): void {
    if (!(decided instanceof PendingDecision)) return this.#follow(decided);
    this.#pending = decided;
    decided.onDecided = (decide) =>
      this.#loop.guard(this, () => {
        this.#pending = null;
        this.#follow(decide());
      });
  }

  /** Goes where it was decided. */
  #follow(destination: Destination): void {
    this.#tries.begin(destination);
    const { refusal, route, backend } = destination;
    if (refusal !== null) return this.refuse(refusal);
    if (route !== null && this.#clock.obey(route, this.#isRelay)) {
      this.client.deadlineMs = this.#clock.dueMs(false);
    }
    const isPoliced = route !== null || (backend !== null && backend.limits !== null);
    if (!isPoliced) this.#tryEndpoint();
    else if (this.#request !== null) this.#startByPolicy(this.#request);
    else if (route?.allowsConnection(this.#loop.io.nowMs) !== false) this.#tryEndpoint();
    else this.refuse(REFUSALS["rate-limited"]);
  }

  #startByPolicy({ routed }: Request): void {
    const { io, timers, random } = this.#loop;
    const { route, backend } = this.#tries.destination;
    this.#run ??= new PolicyRun(this, timers, random);
    const verdict = this.#run.start(route, backend, routed, io.nowMs);
    if (verdict === "refused") return;
    if (route !== null) this.#mirror(route);
    if (verdict === "proceed") this.#tryEndpoint();
  }

  /** Begins a copy, where the policy asks for one. */
  #mirror(route: RouteState): void {
    const client = this.client;
    const { mirror } = route;
    if (mirror === null || this.isConnect || this.wantsUpgrade) return;
    if (this.#run?.draws(mirror.table.percent) !== true) return;
    const request = this.#editedRequest();
    if (request === null) return;
    const { destination } = this.#tries;
    const peer = this.#namedPeer;
    this.#copy = this.#services.mirrors.begin(route, mirror, request, destination, client, peer);
    this.onRequestData(client.body.sent, client.body.ready);
  }

  onRequestUnchunked(from: number, to: number): void {
    this.#copy?.restart();
    this.onRequestData(from, to);
  }

  onRequestData(from: number, to: number): void {
    if (this.#copy?.feed(from, to) === false) this.#copy = null;
  }

  onRequestBody(): void {
    this.#clock.touch();
    // Also where nothing but the end has come.
    this.onRequestData(0, 0);
    this.#passRequestBody();
  }

  // Finding an endpoint.

  proceed(): void {
    this.#tries.restart();
    this.#tryEndpoint();
  }

  #tryEndpoint(): void {
    while (this.#tries.areLeft) {
      const { count, place } = this.#tries;
      const pool = this.#tries.next(this.#loop.io.nowMs);
      if (pool === null) break;
      // All have just failed: another way is quicker than to wait for one of them again.
      if (count > 0 && pool.isAvoided(this.#loop.io.nowMs) && this.#takeOtherWay()) return;
      if (count > 0) this.#account.retried(this.#tries.refusal.reason, place);
      this.#account.attemptStarted();
      this.#run?.attemptStarted();
      this.#tries.start(this.#loop.io.nowMs);
      if (this.#take(pool)) return;
      pool.avoid(this.#loop.io.nowMs);
      this.#failAttempt("refused");
    }
    this.#giveUp();
  }

  /** Takes a connection to the endpoint, or a place in the queue for one. False: none can be opened. */
  #take(pool: EndpointPool): boolean {
    const { dialer, telemetry } = this.#services;
    const { destination } = this.#tries;
    const isTunnel = this.isConnect || this.#isRelay;
    if (!isTunnel) {
      // A second try takes a new connection.
      const carrier = dialer.reuse(pool, destination, this, this.#tries.count > 1);
      if (carrier !== null) return this.#carry(carrier);
    }
    if (!pool.takeConnection()) return this.#waitForConnection();
    telemetry.counts.connects++;
    const carrier = isTunnel ? dialer.connect(pool, this) : dialer.open(pool, destination, this);
    return carrier !== null && this.#carry(carrier);
  }

  #carry(carrier: Carrier): true {
    this.#carrier = carrier;
    this.#isConnected = carrier.isConnected;
    if (carrier.isConnected) this.#pass(carrier);
    return true;
  }

  onCrowded(carrier: Carrier): void {
    if (carrier !== this.#carrier) return;
    this.#closeCarrier();
    if (!this.#take(carrier.pool)) this.refuse(REFUSALS["upstream-refused"]);
  }

  #waitForConnection(): true {
    this.#endAttempt();
    // No endpoint is to be passed over for that it has no room.
    this.#tries.forgetChoice();
    const isWaiting = this.#run?.wait(this.#loop.timeouts.pendingMs) ?? false;
    if (!isWaiting) this.refuse(REFUSALS[this.#isRelay ? "connection-limit" : "pending-limit"]);
    return true;
  }

  #endAttempt(): void {
    this.#run?.attemptEnded();
    this.#tries.end();
  }

  #failAttempt(failure: CarrierFailure): void {
    this.#run?.attemptEnded();
    this.#tries.fail(failure, this.#loop.io.nowMs);
  }

  // Sending the request.

  onConnected(carrier: Carrier): void {
    if (carrier === this.#carrier) this.#pass(carrier);
  }

  #pass(carrier: Carrier): void {
    this.#isConnected = true;
    if (this.#isRelay) return this.#startRelay(carrier);
    if (this.isConnect) return this.onTunnel(carrier, establishedResponse(this.#loop));
    this.#sendRequest(carrier);
  }

  resendRequest(carrier: Carrier): void {
    if (carrier === this.#carrier) this.#sendRequest(carrier);
  }

  #sendRequest(carrier: Carrier): void {
    this.client.rewind();
    this.#clock.rewind();
    const request = this.#editedRequest();
    if (request === null) return this.refuse(REFUSALS["too-many-headers"]);
    carrier.sendRequest(request, this.client, this.#namedPeer);
    // What went out with the head made room for more.
    if (carrier === this.#carrier && carrier.isReady) this.#passRequestBody();
  }

  /** The client that the request names; empty: none, because the proxy on the other side sees the same one. */
  get #namedPeer(): string {
    return this.#router.place === "captured" ? "" : this.client.client.peer;
  }

  /** The request's head as it goes out now. Null: more is taken out of it than a head can lack. */
  #editedRequest(): Request | null {
    const request = this.#request;
    if (request === null) return null;
    if (this.#isEdited) request.undoEdits();
    this.#isEdited = true;
    const run = this.#run;
    const changes = {
      place: this.#router.place,
      edits: run?.route?.requestEdits ?? null,
      rewrite: run?.route?.rewrite ?? null,
      trace: this.#account.trace,
      retries: run?.retries ?? 0,
      isCall: this.needsHttp2,
      callLeftMs: this.#clock.callLeftMs,
    };
    return editRequest(this.#loop, request, changes) ? request : null;
  }

  onCarrierRoom(): void {
    this.#clock.touch();
    this.#passRequestBody();
  }

  /** Passes on what has come of the request's body, and its end. */
  #passRequestBody(): void {
    const client = this.client;
    const carrier = this.#carrier;
    if (carrier === null || !carrier.isReady) return;
    do {
      const result = carrier.sendBody(client);
      if (result === BROKEN) return this.onFailed(carrier, "reset");
      if (result === 0 || carrier !== this.#carrier) return;
      const isSent = client.hasWholeRequest && !client.body.hasUnsent;
      if (isSent && this.#clock.requestSent()) client.deadlineMs = this.#clock.dueMs(false);
    } while (client.requestTaken() && carrier === this.#carrier);
  }

  // Passing the answer on.

  onInterim(carrier: Carrier, response: Response): void {
    if (carrier !== this.#carrier) return;
    this.#clock.touch();
    if (!this.client.sendInterim(response, carrier)) this.cut("");
  }

  onAnswer(carrier: Carrier, response: Response): void {
    if (carrier !== this.#carrier) return;
    const { arena, io, texts: { room } } = this.#loop;
    const { status } = response;
    this.#clock.touch();
    const failure = this.#tries.failureSaidBy(response, carrier, this.#router, this.#loop);
    if (failure !== null && (failure !== "stale-unread" || this.#mayRepeat(failure))) {
      return this.onFailed(carrier, failure);
    }
    // A call that fails before its first message is answered by one head; else its trailers say what it came to.
    const outcome = this.needsHttp2 && status === 200
      ? httpStatusOfGrpc(response.valueOf(arena, "grpc-status"))
      : status;
    this.#tries.answered(outcome, io.nowMs);
    this.#run?.attemptEnded();
    const route = this.#run?.route ?? null;
    if (route !== null) {
      if (this.client.isReplayable && this.#run?.retriesStatus(outcome, io.nowMs)) {
        this.#endAttempt();
        this.#closeCarrier();
        return this.#retry(`status-${outcome}`);
      }
      const cookie = route.cookieLine(this.#tries.destination.newPoint);
      // An answer keeps what cannot be dropped of it; it is not lost for that.
      editHead(arena, room, response, route.responseEdits, cookie);
    }
    this.#account.answerBegun(response, this.isHead);
    this.hasAnswer = true;
    this.#answerPassed(carrier, this.client.sendHead(response, carrier));
  }

  onAnswerBody(carrier: Carrier): void {
    if (carrier !== this.#carrier) return;
    this.#clock.touch();
    this.#answerPassed(carrier, this.client.sendBody(carrier));
  }

  onClientRoom(): void {
    this.#clock.touch();
    const carrier = this.#carrier;
    // A carrier whose answer is under way is this client's to drain.
    if (carrier === null || !this.hasAnswer) return;
    this.#answerPassed(carrier, this.client.sendBody(carrier));
  }

  /** Bytes of the answer went to the client, with this result: makes room for more, and ends the exchange when that was all. */
  #answerPassed(carrier: Carrier, result: number): void {
    while (carrier === this.#carrier) {
      if (result === BROKEN) return this.cut("");
      if (result === 0) return;
      if (!carrier.answerTaken()) break;
      result = this.client.sendBody(carrier);
    }
    if (carrier !== this.#carrier || !carrier.hasWholeAnswer) return;
    const { hasWholeRequest, body, isFlushed } = this.client;
    this.#carrier = null;
    carrier.finish(hasWholeRequest && !body.hasUnsent && isFlushed);
    this.#count();
    this.client.finish();
  }

  onTrailers(fields: FieldList): void {
    this.#account.trailersCame(fields);
    if (!this.needsHttp2 || !this.hasAnswer) return;
    this.#tries.judge(httpStatusOfGrpc(grpcStatusIn(fields)), this.#loop.io.nowMs);
  }

  // Failures.

  onFailed(carrier: Carrier, failure: CarrierFailure, resetCode?: number): void {
    // It may say so twice: as its connection ends, and to whatever was writing to it.
    if (carrier !== this.#carrier) return;
    if (!this.#isConnected) {
      carrier.pool.avoid(this.#loop.io.nowMs);
      this.#services.telemetry.counts.connectFailures++;
    }
    this.#failAttempt(failure);
    this.#closeCarrier();
    if (this.#clock.isExpired) this.#expire();
    else if (this.hasAnswer) this.cut(FAILURES[failure].refusal.reason, resetCode);
    else if (this.#mayRepeat(failure)) this.#tryEndpoint();
    else this.#giveUp();
  }

  /** No endpoint is left to try; a policy may have them tried again, and there may be another way. */
  #giveUp(): void {
    const { retriable, repeats, refusal } = this.#tries;
    const isRetried = retriable !== null && this.client.isReplayable &&
      this.#run?.retriesFailure(retriable, repeats, this.#loop.io.nowMs) === true;
    if (isRetried) this.#retry(refusal.reason);
    else if (!this.#takeOtherWay()) this.refuse(this.#tries.refusalBy(this.#router));
  }

  /** False: there is none for it. */
  #takeOtherWay(): boolean {
    const { counts } = this.#services.telemetry;
    const way = this.client.isReplayable ? this.#tries.otherWay(this.#router, counts) : null;
    if (way === null) return false;
    this.#account.retried(this.#tries.refusal.reason, this.#tries.place);
    this.#whenDecided(way);
    return true;
  }

  /** Another endpoint may be tried without asking a policy. */
  #mayRepeat(failure: CarrierFailure): boolean {
    return this.client.isReplayable &&
      this.#tries.mayRepeat(failure, this.#request?.isIdempotent === true);
  }

  #retry(why: string): void {
    this.#account.retried(why, this.#tries.place);
    this.#clock.rewind();
    this.#run?.backOff();
  }

  // Time.

  onDeadline(): void {
    const { client } = this;
    const carrier = this.#carrier;
    if (this.#isTimedElsewhere) this.#clock.touch();
    const dueMs = this.#clock.dueMs(this.hasAnswer);
    if (this.#loop.io.nowMs < dueMs) client.deadlineMs = dueMs;
    else if (this.hasAnswer) this.cut("idle-timeout");
    else if (carrier === null) this.refuse(REFUSALS["upstream-timeout"]);
    else {
      const isClientsTurn = !client.hasWholeRequest && !client.body.hasUnsent;
      this.onFailed(carrier, isClientsTurn ? "client-timeout" : "timeout");
    }
  }

  /** A policy or a name server that holds the request back has a timer of its own; so has a connection in the making, if it has a limit. */
  get #isTimedElsewhere(): boolean {
    const carrier = this.#carrier;
    if (carrier === null) return this.#pending !== null || this.#run?.isHolding === true;
    return !carrier.isConnected && carrier.pool.connectMs(this.#loop.timeouts) < Infinity;
  }

  /** The time for the whole exchange is over. */
  #expire(): void {
    const refusal = REFUSALS["deadline-exceeded"];
    if (!this.hasAnswer) return this.refuse(refusal);
    this.#account.expired(refusal, this.needsHttp2);
    this.#abandon();
    this.client.expire(refusal);
  }

  onAttemptExpired(): void {
    if (this.#carrier !== null && !this.hasAnswer) this.onFailed(this.#carrier, "timeout");
  }

  // Tunnels.

  onTunnel(carrier: Carrier, response: Response): void {
    if (carrier !== this.#carrier) return;
    const client = this.client;
    if (!client.acceptsTunnel(response)) return this.onFailed(carrier, "invalid");
    this.hasAnswer = true;
    this.#account.tunnelOpened(response);
    if (!client.sendTunnelHead(response, carrier)) return this.cut("");
    if (carrier !== this.#carrier) return;
    const owner = this.#tries.tunnel(this.#run?.handOver() ?? (() => {}));
    this.#carrier = null;
    this.#count();
    new Tunnel(this.#loop.io, client.asTunnelEnd(), carrier, this.#clock.idleMs, owner).start();
  }

  #startRelay(carrier: Carrier): void {
    this.#account.relayStarted(this.#tries);
    this.hasAnswer = true;
    new Tunnel(this.#loop.io, this.client.asTunnelEnd(), carrier, this.#clock.idleMs, this).start();
  }

  onTunnelBytes(isFromClient: boolean, count: number): void {
    this.#account.bytesRelayed(this.#tries, isFromClient, count);
  }

  onTunnelEnded(reason: EndReason): void {
    this.#account.reason = reason;
    this.#count();
  }

  giveBack(): void {
    this.#account.relayEnded(this.#tries);
    this.#account.isOpen = false;
    this.#stopWaiting();
    this.#tries.destination.turn?.giveBack();
    this.#closeCarrier();
  }

  // The ways to end.

  /** Answers in place of an endpoint; an answer that has begun is cut off instead. */
  refuse(refusal: Refusal): void {
    if (this.hasAnswer) return this.cut(refusal.reason);
    this.#dropCarrier();
    this.hasAnswer = true;
    this.#account.refused(refusal, this.needsHttp2);
    this.#count();
    this.client.refuse(refusal);
  }

  refuseAnswer(refusal: Refusal): void {
    this.hasAnswer = false;
    this.refuse(refusal);
  }

  /** The answer that has begun will not be completed. `reason`: empty where nothing can be written to the client any more. */
  cut(reason: EndReason, resetCode?: number): void {
    this.#account.reason = reason;
    this.#abandon();
    this.client.cut(resetCode ?? null);
  }

  /** A defect of Weft has shown in it. */
  abort(): void {
    this.cut("fault");
  }

  onClientGone(): void {
    this.#abandon();
  }

  /** Counts the exchange as answered, and lets go of what it holds. */
  #count(): void {
    this.#stopWaiting();
    if (this.#isRelay) this.#account.closeConnection(this.#tries);
    else this.#account.closeAnswered(this.#tries);
  }

  /** Lets go of everything, because the client is gone or is to be cut off; what was under way is reported as such. */
  #abandon(): void {
    this.#dropCarrier();
    if (this.#isRelay) this.#account.closeConnection(this.#tries);
    else this.#account.closeAbandoned(this.#tries, this.hasAnswer);
  }

  #dropCarrier(): void {
    this.#pending?.cancel();
    this.#pending = null;
    this.#stopWaiting();
    this.#closeCarrier();
  }

  #closeCarrier(): void {
    const carrier = this.#carrier;
    this.#carrier = null;
    carrier?.close();
  }

  #stopWaiting(): void {
    this.#copy?.drop("incomplete");
    this.#copy = null;
    this.#endAttempt();
    this.#clock.stop();
    this.#run?.stop();
  }
}
