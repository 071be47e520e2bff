/**
 * What an HTTP/2 machine tells its owner. Every call comes from within `receive`, `pump` or a call that the owner
 * made; offsets are into the arena and hold until the call returns. A visitor may call the machine back, also to reset
 * the stream that it is told of.
 *
 * One stream is told of in this order: one `onRequest` (server) or any number of interim `onResponse` and one final
 * (client); any number of `onData`; at most one `onTrailers`. The part with `isEnd`, or `onTrailers`, ends the peer's
 * message. `onReset` may come at any point, also after the end of the peer's message (with NO_ERROR: it wants no more of
 * ours), ends everything, and comes at most once.
 */
export interface Http2Visitor {
  /** Server: a request, in `scratch.request`. It is valid (RFC 9113 8.2, 8.3). */
  onRequest(streamId: number, isEnd: boolean): void;
  /** Server: a request whose headers are more than is taken. To be answered 431; nothing is known of it. */
  onRequestTooLarge(streamId: number, isEnd: boolean): void;
  /** Client: an answer, interim ones (1xx) too, in `scratch.response`. It is valid. */
  onResponse(streamId: number, isEnd: boolean): void;
  /**
   * Part of a body, also of length 0 where it only ends one. The window it took is given back by
   * `Http2Connection.consumed`, once the bytes are no longer held.
   */
  onData(streamId: number, offset: number, length: number, isEnd: boolean): void;
  /** Trailers, in `scratch.received`. They end the message. */
  onTrailers(streamId: number): void;
  /**
   * The stream is no more, and nothing more can be sent on it. `isByPeer`: RST_STREAM or GOAWAY came; else the peer
   * broke a rule and was told. REFUSED_STREAM from the peer: it did nothing, so the request may go elsewhere.
   */
  onReset(streamId: number, code: number, isByPeer: boolean): void;
  /** Data that `sendData` left for want of window can go on. */
  onWindow(streamId: number): void;
  /** The peer's settings have changed: more streams may be opened, or fewer. */
  onSettings(): void;
  /** A PING that `ping` sent has come back. */
  onPingAcknowledged(payload: number): void;
  /** The peer takes no new streams. Those above `lastStreamId` have been told of by `onReset` before this. */
  onGoaway(lastStreamId: number, code: number): void;
  /**
   * The peer broke the connection's rules: GOAWAY has been written, every stream is gone (without `onReset`), and
   * the socket is to be closed once the output is sent. `debug` is a constant text for logs.
   */
  onConnectionError(code: number, debug: string): void;
}
