/**
 * Exchange: one request and its answer, whatever protocols carry them: decided once, passed to an endpoint, to
 * another one where that fails before it answered, and counted at the end. The side that asks is an
 * `ExchangeClient`, the side that answers a `Carrier`; neither knows which protocol the other speaks.
 */
import { CONNECT_ATTEMPTS_MAX } from "../limits.ts";
import { latin1 } from "../protocol/http1/lexical.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { Response } from "../protocol/http1/response.ts";
import type { Buffered } from "./buffered.ts";
import type { Context } from "./context.ts";
import { Http2Upstream } from "./http2_upstream.ts";
import type { EndpointPool } from "./pool.ts";
import { Destination } from "./router.ts";
import type { Router } from "./router.ts";
import { Upstream } from "./upstream.ts";

/** How a carrier failed. */
export type CarrierFailure =
  | "refused"
  | "tls"
  | "connect-timeout"
  | "reset"
  | "timeout"
  | "client-timeout"
  | "invalid";

const FAILURES: Readonly<Record<CarrierFailure, { status: number; reason: string }>> = {
  "refused": { status: 503, reason: "upstream-refused" },
  "tls": { status: 503, reason: "upstream-tls-failed" },
  "connect-timeout": { status: 504, reason: "upstream-connect-timeout" },
  "reset": { status: 502, reason: "upstream-reset" },
  "timeout": { status: 504, reason: "upstream-timeout" },
  "client-timeout": { status: 408, reason: "request-timeout" },
  "invalid": { status: 502, reason: "upstream-invalid" },
};

/**
 * How the client learns where an answer's body ends: its head or its framing says so; only the end of the
 * connection does; or nothing does yet, so that the client's side has to frame it.
 */
export type AnswerEnd = "known" | "with-connection" | "unsaid";

/** The side that asks: what an exchange and its carrier need of it. */
export interface ExchangeClient {
  readonly isOpen: boolean;
  /** The client speaks HTTP/2; and it sends what only HTTP/2 can carry (gRPC). */
  readonly speaksHttp2: boolean;
  readonly needsHttp2: boolean;
  /** The client's IP address. */
  readonly peer: string;
  /** Where the request's body comes by. */
  readonly source: Buffered;
  /** All that was passed on of the request is still held, so it can be passed on again. */
  readonly isReplayable: boolean;
  /** The request's body comes by as plain data, also where its length is not known. */
  readonly isPlain: boolean;
  /** All of the request was passed on. */
  readonly hasSentRequest: boolean;
  /** Nothing that was to be written to the client is still waiting. */
  readonly owesNothing: boolean;
  /** Whether a chunked body can be passed on as it is; else its data is taken out of the framing. */
  readonly takesChunks: boolean;
  /** The head of the request once more: scratch space has been used for others meanwhile. */
  requestAgain(): Request;
  /** From now on the request's body comes by as plain data, taken out of its chunks. */
  unchunk(): void;
  /** An endpoint is being connected to. */
  onWaiting(): void;
  /** The request is on its way. */
  onPassing(): void;
  /** Answers in place of an endpoint. */
  refuse(status: number, reason: string): void;
  /** Passes on an interim answer (RFC 9110 15.2). False: the client is gone. */
  passInterim(response: Response): boolean;
  /**
   * Passes on the final head, and what `source` has ready of the body; `isLast`: that is all of it. False: the
   * client is gone.
   */
  passHead(response: Response, source: Buffered, end: AnswerEnd, isLast: boolean): boolean;
  /** Passes on more of the body: 1 when all is written, 0 when the client takes no more now, `BROKEN`. */
  passAnswer(source: Buffered, isLast: boolean): number;
  /** The whole answer has been written. */
  onAnswered(): void;
  /** The carrier takes more of the request's body again. */
  onCarrierWritable(): void;
  /** Opens a tunnel through `carrier`; `response` is its 101, or null for CONNECT. */
  openTunnel(carrier: Upstream, response: Response | null): void;
  /** Ends the exchange and whatever carries it to the client: it can no longer be answered in full. */
  abort(): void;
}

/** The side that answers: what an exchange and its client need of it. */
export interface Carrier {
  readonly pool: EndpointPool;
  /** It has carried an exchange before, so the endpoint may have ended it unseen. */
  readonly isReused: boolean;
  /** The connection to the endpoint is there. */
  readonly isConnected: boolean;
  /** Where the answer's body comes by. */
  readonly source: Buffered;
  /** All of the answer has arrived. */
  readonly hasWholeAnswer: boolean;
  /** The request's head has been passed on, so that its body may be. */
  readonly isReady: boolean;
  /** Passes on the request's head and what the client has ready of its body. */
  passRequest(request: Request, exchange: Exchange): void;
  /** Passes on more of the body: 1 when all is written, 0 when the endpoint takes no more now, `BROKEN`. */
  passBody(source: Buffered, isLast: boolean): number;
  /** The client has taken all that was written to it; goes on with the answer. */
  onDrained(): void;
  close(): void;
}

export class Exchange {
  readonly #context: Context;
  readonly #router: Router;
  readonly client: ExchangeClient;
  readonly #destination = new Destination();
  #carrier: Carrier | null = null;
  isHead = false;
  /** The client asks for another protocol, and the endpoint may take it up with 101. */
  wantsUpgrade = false;
  /** The client asks for a tunnel. */
  isConnect = false;
  /** The answer has begun, so that no other can be given. */
  hasAnswer = false;
  #isIdempotent = false;
  #isConnected = false;
  #attempts = 0;
  #status = 0;
  #reason = "";
  #startedMs = 0;
  /** Method, authority and path, kept only where requests are reported. */
  #line: readonly [string, string, string] | null = null;

  constructor(context: Context, router: Router, client: ExchangeClient) {
    this.#context = context;
    this.#router = router;
    this.client = client;
  }

  get carrier(): Carrier | null {
    return this.#carrier;
  }

  /** A new request; null: one whose head could not be read. */
  begin(request: Request | null): void {
    const { arena, io, telemetry } = this.#context;
    this.hasAnswer = false;
    this.#attempts = 0;
    this.#status = 0;
    this.#reason = "";
    this.#startedMs = io.nowMs;
    this.#destination.endpoint = null;
    this.#destination.stats = null;
    this.#destination.speaksHttp2 = this.client.speaksHttp2;
    this.#destination.needsHttp2 = this.client.needsHttp2;
    this.isHead = request !== null && request.isHead;
    this.wantsUpgrade = request !== null && request.wantsUpgrade(arena);
    this.isConnect = request !== null && request.isConnect;
    this.#isIdempotent = request !== null && request.isIdempotent;
    this.#line = request !== null && telemetry.isReporting ? lineOf(arena, request) : null;
  }

  /** Decides where the request goes, and sends it there. */
  route(request: Request): void {
    const destination = this.#destination;
    this.#router.route(request, destination);
    if (destination.pending === null) return this.#follow(request);
    destination.pending.onResolved = () => this.#follow(null);
    this.client.onWaiting();
  }

  /** Goes where it was decided. `request` is null where its head has to be read again. */
  #follow(request: Request | null): void {
    const { refusalStatus, refusalReason } = this.#destination;
    if (refusalStatus > 0) this.client.refuse(refusalStatus, refusalReason);
    else this.#tryEndpoint(request);
  }

  /** `request` is null where its head has to be read again. */
  #tryEndpoint(request: Request | null): void {
    const { io } = this.#context;
    while (this.#attempts < CONNECT_ATTEMPTS_MAX) {
      const pool = this.#router.next(this.#destination);
      if (pool === null) return this.client.refuse(503, "no-address");
      this.#attempts++;
      // A second try takes a new connection: what is pooled may be as dead as what failed. So does a tunnel.
      const mayReuse = this.#attempts === 1 && !this.isConnect;
      const carrier = mayReuse ? this.#reuse(pool) : null;
      if (carrier !== null && carrier.isConnected) {
        this.#carrier = carrier;
        return this.#pass(carrier, request ?? this.client.requestAgain());
      }
      this.#isConnected = false;
      this.client.onWaiting();
      this.#carrier = carrier ?? this.#open(pool);
      if (this.#carrier !== null) return;
      pool.avoid(io.nowMs);
    }
    this.client.refuse(503, "upstream-refused");
  }

  /** A connection that is there already; an HTTP/2 one may still be connecting. */
  #reuse(pool: EndpointPool): Carrier | null {
    if (this.#destination.takesHttp2) return pool.shared()?.carry(this) ?? null;
    const upstream = pool.take();
    if (upstream === undefined) return null;
    upstream.exchange = this;
    return upstream;
  }

  #open(pool: EndpointPool): Carrier | null {
    this.#context.telemetry.connects++;
    if (!this.#destination.takesHttp2) return Upstream.open(this.#context, pool, this);
    return Http2Upstream.open(this.#context, pool)?.carry(this) ?? null;
  }

  onConnected(carrier: Carrier): void {
    this.#pass(carrier, this.client.requestAgain());
  }

  #pass(carrier: Carrier, request: Request): void {
    this.#isConnected = true;
    if (this.isConnect) {
      if (carrier instanceof Upstream) return this.client.openTunnel(carrier, null);
      return this.refuse(501, "connect-unsupported");
    }
    this.client.onPassing();
    carrier.passRequest(request, this);
  }

  /** The carrier can carry this exchange no further. */
  onFailed(carrier: Carrier, failure: CarrierFailure): void {
    const { io, telemetry } = this.#context;
    // A pooled connection may have been closed by the endpoint just as it was taken (RFC 9110 9.2.2).
    const isStale = failure === "reset" && carrier.isReused && this.#isIdempotent;
    if (!this.#isConnected) {
      carrier.pool.avoid(io.nowMs);
      telemetry.connectFailures++;
    }
    this.dropCarrier();
    if (this.hasAnswer) return this.client.abort();
    // Refused after it connected: an HTTP/2 endpoint that took no part in the request (RFC 9113 8.7).
    const isUntouched = !this.#isConnected || failure === "refused";
    const canRetry = this.client.isReplayable && (isUntouched || isStale);
    if (canRetry && this.#attempts < CONNECT_ATTEMPTS_MAX) {
      telemetry.retries++;
      return this.#tryEndpoint(null);
    }
    const { status, reason } = FAILURES[failure];
    this.client.refuse(status, reason);
  }

  /** The request itself cannot be passed on. */
  refuse(status: number, reason: string): void {
    this.dropCarrier();
    this.client.refuse(status, reason);
  }

  /** An answer begins; with a `reason`, the proxy's own. */
  beginAnswer(status: number, reason = ""): void {
    this.hasAnswer = true;
    this.#status = status;
    this.#reason = reason;
  }

  /** The answer has been written: counts the exchange, and lets go of the carrier. */
  end(): void {
    const { telemetry, io } = this.#context;
    this.#carrier = null;
    this.hasAnswer = false;
    telemetry.answered(
      this.#destination,
      this.#status,
      this.#reason,
      io.nowMs - this.#startedMs,
      this.#router.listener,
      this.#line,
    );
  }

  dropCarrier(): void {
    this.#destination.pending?.cancel();
    this.#destination.pending = null;
    const carrier = this.#carrier;
    this.#carrier = null;
    carrier?.close();
  }
}

function lineOf(arena: Uint8Array, request: Request): readonly [string, string, string] {
  const { methodStart, methodEnd, authorityStart, authorityEnd } = request.routed;
  return [
    latin1(arena, methodStart, methodEnd),
    latin1(arena, authorityStart, authorityEnd),
    latin1(arena, request.originStart, request.originEnd),
  ];
}
