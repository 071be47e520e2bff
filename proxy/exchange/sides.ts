/**
 * The two sides of an exchange, as it knows them and as they know each other: the one that asks and the one that
 * answers. Each protocol has one of either; neither knows which protocol the other speaks.
 */
import type { Request } from "../protocol/http1/request.ts";
import type { Response } from "../protocol/http1/response.ts";
import type { Buffered } from "../loop/inbox.ts";
import type { Exchange } from "./exchange.ts";
import type { EndpointPool } from "../pool/pool.ts";
import type { TunnelEnd } from "../loop/tunnel.ts";
import type { ClientFacts } from "../route/router.ts";

/** The side that asks: what an exchange and its carrier need of it. */
export interface ExchangeClient extends ClientFacts {
  readonly isOpen: boolean;
  readonly speaksHttp2: boolean;
  /** The client's connection has ended in its direction: no other request comes by it. */
  readonly hasHalfClosed: boolean;
  /** Where the request's body comes by. */
  readonly source: Buffered;
  /** All that was passed on of the request is still held, so it can be passed on again. */
  readonly isReplayable: boolean;
  /** The request's body comes by as plain data, also where its length is not known. */
  readonly isPlain: boolean;
  /** All of the request has come. */
  readonly hasWholeRequest: boolean;
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
   * Passes on the final head, and what `source` has ready of the body; `isLast`: that is all of it. `isFramed`: the head,
   * or the framing that the body comes in, says where it ends; else the client's side has to frame it. False: the client is
   * gone.
   */
  passHead(response: Response, source: Buffered, isFramed: boolean, isLast: boolean): boolean;
  /** Passes on more of the body: 1 when all is written, 0 when the client takes no more now, `BROKEN`. */
  passAnswer(source: Buffered, isLast: boolean): number;
  /** The whole answer has been written. */
  onAnswered(): void;
  /** The carrier takes more of the request's body again. */
  onCarrierWritable(): void;
  /** Opens a tunnel through `carrier`; `response` is its 101, or the 200 that CONNECT is answered. */
  openTunnel(carrier: Carrier, response: Response): void;
  /**
   * Ends the exchange and whatever carries it to the client: it can no longer be answered in full. `resetCode`: what an endpoint
   * of HTTP/2 said of it.
   */
  abort(resetCode?: number): void;
}

/** The side that answers: what an exchange and its client need of it. */
export interface Carrier extends TunnelEnd {
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
  /** From now on bytes go both ways between the endpoint and `peer`; `onEnd` is called once when that is over. */
  startTunnel(peer: TunnelEnd, onEnd: () => void): void;
}
