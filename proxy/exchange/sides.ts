/**
 * The two sides of an exchange: the client's, which asks, and the carrier's, which takes the request to an endpoint and brings the
 * answer. Each protocol has one of either. They obey the verbs below and report events; they know neither each other nor the
 * exchange between them.
 */
import type { Refusal } from "../../base/refusals.ts";
import type { Inbox } from "../loop/inbox.ts";
import type { TunnelEnd } from "../loop/tunnel.ts";
import type { EndpointPool } from "../pool/pool.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { Response } from "../protocol/http1/response.ts";
import type { FieldList } from "../protocol/http2/hpack/field_list.ts";
import type { ClientFacts, Router } from "../route/router.ts";
import type { CarrierFailure } from "./failures.ts";

/** What a carrier sends on: a request, as its client has it. */
export interface RequestSource {
  readonly client: ClientFacts;
  /** Where the body comes by. */
  readonly body: Inbox;
  /** All of the body has come. */
  readonly hasWholeRequest: boolean;
  /** The body comes by as plain data, also where its length is not known. */
  readonly isPlain: boolean;
  /** From now on the body comes by as plain data, taken out of its chunks. */
  unchunk(): void;
}

/** How an answer reaches its client. */
export interface AnswerSource {
  /** Where the body comes by. */
  readonly body: Inbox;
  /** The head, or the framing that the body comes in, says where the body ends; else the client's side has to frame it. */
  readonly isFramed: boolean;
  /** All of the answer has come. */
  readonly hasWholeAnswer: boolean;
}

/** The side that asks. */
export interface ClientSide extends RequestSource {
  readonly isOpen: boolean;
  /** When the loop asks the exchange what to do about the time that has passed. */
  deadlineMs: number;
  /** All that was passed on of the request is still held, so it can be passed on again. */
  readonly isReplayable: boolean;
  /** Nothing waits to be written to the client. */
  readonly isFlushed: boolean;
  /** A chunked body can be passed on as it is; else its data is taken out of the framing. */
  readonly takesChunks: boolean;
  /** A body can be passed on to it in a pipe. */
  readonly takesPipe: boolean;

  // Verbs of the request.

  /** The body is to be passed on from its beginning. */
  rewind(): void;
  /** What was passed on of the body makes room for more of it. True: more is there. */
  requestTaken(): boolean;

  // Verbs of the answer.

  /** Passes on an interim answer (RFC 9110 15.2). False: the client is gone. */
  sendInterim(response: Response, answer: AnswerSource): boolean;
  /** Passes on the final head, and what there is of the body: 1 when all is written, 0 when the client takes no more now, `BROKEN`. */
  sendHead(response: Response, answer: AnswerSource): number;
  /** Passes on more of the body, as `sendHead` does. */
  sendBody(answer: AnswerSource): number;
  /** Whether the endpoint opens the tunnel that was asked for. */
  acceptsTunnel(response: Response): boolean;
  /** Passes on the head that opens a tunnel. False: the client is gone. */
  sendTunnelHead(response: Response, answer: AnswerSource): boolean;

  // The ways to end.

  /** The whole answer has been written. */
  finish(): void;
  /** Answers in place of an endpoint. The exchange has been counted, and is over. */
  refuse(refusal: Refusal): void;
  /** The answer cannot be completed: the client must not take it for whole. `resetCode`: what an endpoint of HTTP/2 said. */
  cut(resetCode: number | null): void;
  /** Likewise, because its time is over. A caller of gRPC is told so, where it can be. */
  expire(refusal: Refusal): void;
  /** Becomes one end of the tunnel. */
  asTunnelEnd(): TunnelEnd;
}

/** What an exchange takes from its client's side. */
export interface ClientEvents {
  /** The answer has begun, so that no other can be given. */
  readonly hasAnswer: boolean;
  /** The request's head has been passed on: what has been passed on of it need not be kept. */
  readonly isSending: boolean;
  /** And its body can be, in a pipe. */
  readonly mayPipeRequest: boolean;
  readonly isHead: boolean;
  readonly isConnect: boolean;
  readonly wantsUpgrade: boolean;
  /** A new request. Null: a connection that is relayed whole, or a head that could not be read. */
  begin(request: Request | null): void;
  /** A connection that is relayed whole. `authority`: what its client wanted, for the access log. */
  relay(authority: string): void;
  /** The connection is not to be relayed after all: its endpoint is let go of, and the exchange ends uncounted. */
  giveBack(): void;
  /** Decides where the request goes, and sends it there. */
  route(): void;
  /** More of the body has come, from `from` to `to` of the arena. */
  onRequestData(from: number, to: number): void;
  /** There is more of the body to pass on, or its end. */
  onRequestBody(): void;
  /** All that has come of the body is now from `from` to `to`, without its framing. */
  onRequestUnchunked(from: number, to: number): void;
  /** The client takes more of the answer. */
  onClientRoom(): void;
  /** The client is gone: nothing can be written to it. */
  onClientGone(): void;
  /** The request cannot be passed on, for a reason that its side has found. */
  refuse(refusal: Refusal): void;
  /** The answer's head cannot be said to this client, and nothing of it has been. */
  refuseAnswer(refusal: Refusal): void;
  onDeadline(): void;
}

/** The side that answers. */
export interface Carrier extends AnswerSource, TunnelEnd {
  readonly pool: EndpointPool;
  /** The connection has carried an exchange before and carries no other now, so the endpoint may have ended it unseen. */
  readonly isReused: boolean;
  /** The connection to the endpoint is there. */
  readonly isConnected: boolean;
  /** The head of the request has been passed on, so that its body may be. */
  readonly isReady: boolean;

  /**
   * Passes on the request's head and what there is of its body; what becomes of it is told by events.
   * @param peer the client's address, as the request names it; empty: it names none
   */
  sendRequest(request: Request, source: RequestSource, peer: string): void;
  /** Passes on more of the body: 1 when all is written, 0 when the endpoint takes no more now, `BROKEN`. */
  sendBody(source: RequestSource): number;
  /** What came of the answer has been passed on: lets more come. True: more is there. */
  answerTaken(): boolean;

  // The ways to end.

  /** The answer is whole. `isClean`: and so is the request, so that the connection can carry another exchange. */
  finish(isClean: boolean): void;
  /** Gives the exchange up. */
  close(): void;
}

/** What an exchange takes from its carrier. */
export interface CarrierEvents {
  readonly isHead: boolean;
  readonly isConnect: boolean;
  readonly wantsUpgrade: boolean;
  /** The client sends what only HTTP/2 can carry (gRPC). */
  readonly needsHttp2: boolean;
  /** What of the answer it takes as it is. */
  readonly client: Pick<ClientSide, "takesChunks" | "takesPipe">;
  onConnected(carrier: Carrier): void;
  /** It has no place for this exchange after all: another connection to its endpoint has. */
  onCrowded(carrier: Carrier): void;
  /** The endpoint takes more of the request. */
  onCarrierRoom(): void;
  /** The head that was put off can be sent now. */
  resendRequest(carrier: Carrier): void;
  /** The request cannot be said in the endpoint's protocol. */
  refuse(refusal: Refusal): void;
  onInterim(carrier: Carrier, response: Response): void;
  /** The final head. */
  onAnswer(carrier: Carrier, response: Response): void;
  /** More of the answer's body, or its end. */
  onAnswerBody(carrier: Carrier): void;
  onTrailers(fields: FieldList): void;
  /** The endpoint opens the tunnel that was asked for. */
  onTunnel(carrier: Carrier, response: Response): void;
  /** The carrier can carry this exchange no further. `resetCode`: what its endpoint said of an answer under way. */
  onFailed(carrier: Carrier, failure: CarrierFailure, resetCode?: number): void;
}

/** Where a client's side has its exchanges from. */
export interface Exchanges {
  open(router: Router, client: ClientSide): ClientEvents;
  /** Its exchange is over, and serves another client next. */
  close(exchange: ClientEvents): void;
}

/** Where an exchange gets a carrier from, of the protocol that the endpoint is spoken to by. */
export interface Dialer {
  /**
   * A connection that is there already; one of HTTP/2 may still be connecting. Null: there is none that will do.
   * @param isRetry only one that is being made: what is pooled may be as dead as what failed
   */
  reuse(
    pool: EndpointPool,
    wants: DialWants,
    events: CarrierEvents,
    isRetry: boolean,
  ): Carrier | null;
  /** A new connection, for which `takeConnection` of the pool was called. Null: none can be opened. */
  open(pool: EndpointPool, wants: DialWants, events: CarrierEvents): Carrier | null;
  /** As `open`, for bytes of no protocol: a tunnel has a connection of its own, whatever is spoken in it. */
  connect(pool: EndpointPool, events: CarrierEvents): Carrier | null;
}

/** What the endpoint is spoken to by. */
export interface DialWants {
  readonly takesHttp2: boolean;
}
