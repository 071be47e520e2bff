/**
 * RelayDownstream: one client connection that is passed on whole, to one endpoint, without being looked into. It connects before
 * it reads, so a server that speaks first is heard at once; each direction ends on its own (half-close).
 */
import type { ClientEvents, ClientSide, Exchanges } from "../exchange/sides.ts";
import { BROKEN, type Fd } from "../io/io.ts";
import type { TlsFailure, TlsInfo } from "../io/tls.ts";
import type { Inbox } from "../loop/inbox.ts";
import type { Loop } from "../loop/loop.ts";
import { Socket } from "../loop/socket.ts";
import type { TunnelEnd } from "../loop/tunnel.ts";
import type { ClientFacts, Router } from "../route/router.ts";

export interface RelayOptions {
  /** What the client wanted, for the access log: a server name, or `address:port`. */
  readonly authority: string;
  /** See `ClientFacts`. */
  readonly serverName?: string | undefined;
  /**
   * Called when the client speaks before the server has, where it was not known which of them would. True: nothing is relayed.
   * Either the bytes are of another protocol and the connection has been taken over, or they are too few to tell. It is asked
   * again then.
   */
  readonly reconsider?: (connection: RelayDownstream) => boolean;
}

export class RelayDownstream extends Socket implements ClientSide, ClientFacts {
  readonly kind = "client";
  readonly peer: string;
  readonly #exchange: ClientEvents;
  readonly #authority: string;
  #reconsider: ((connection: RelayDownstream) => boolean) | null;
  #isDecided = false;
  readonly isReplayable = true;
  readonly hasWholeRequest = false;
  readonly isPlain = true;
  readonly takesChunks = false;
  readonly speaksHttp2 = false;
  readonly expectsHttp2 = false;
  readonly needsHttp2 = false;
  readonly serverName: string | undefined;

  constructor(
    loop: Loop,
    exchanges: Exchanges,
    router: Router,
    fd: Fd,
    peer: string,
    options: RelayOptions,
  ) {
    super(loop);
    this.fd = fd;
    this.peer = peer;
    this.#exchange = exchanges.open(router, this);
    this.#authority = options.authority;
    this.serverName = options.serverName;
    this.#reconsider = options.reconsider ?? null;
    this.deadlineMs = loop.io.nowMs + loop.timeouts.tcpIdleMs;
  }

  get client(): ClientFacts {
    return this;
  }

  get body(): Inbox {
    return this;
  }

  override onSecured(info: TlsInfo): void {
    super.onSecured(info);
    this.connect();
  }

  /**
   * Decides where the connection goes, and connects. The descriptor must be watched. Under TLS it is called by itself, once it is
   * known who the client is.
   */
  connect(): void {
    // What the client says waits in the kernel until there is an endpoint to take it.
    this.wantRead(false);
    this.#isDecided = true;
    // The event that led here was most often that of a handler before it.
    this.loop.guard(this, () => this.#exchange.relay(this.#authority));
  }

  override onReadable(): void {
    if (this.tunnel === null || this.#reconsider?.(this)) return;
    this.#reconsider = null;
    this.tunnel.read(this);
  }

  override onWritable(): void {
    this.tunnel?.passTo(this);
  }

  override onHangup(failure?: TlsFailure): void {
    if (failure !== undefined) this.loop.events.tlsFailed(failure, this.peer);
    else if (this.tunnel !== null && this.outlivesHangup) return;
    this.abort();
  }

  override onDeadline(): void {
    if (this.tunnel !== null) this.tunnel.onDeadline();
    else if (this.#isDecided) this.#exchange.onDeadline();
    else this.cut();
  }

  override abort(): void {
    if (this.tunnel !== null) return this.tunnel.cut("");
    // A client that TLS came to nothing with is counted as that.
    if (this.#isDecided) this.#exchange.onClientGone();
    this.cut();
  }

  /** Lets go of the endpoint, for the connection to be taken over: it was not the client of such a server after all. */
  dropEndpoint(): void {
    this.tunnel = null;
    this.#exchange.giveBack();
  }

  asTunnelEnd(): TunnelEnd {
    return this;
  }

  override writeTunnel(source: TunnelEnd): number {
    // The server speaks first, so the client speaks its protocol.
    if (source.hasUnsent) this.#reconsider = null;
    return super.writeTunnel(source);
  }

  refuse(): void {
    this.cut();
  }

  expire(): void {
    this.cut();
  }

  // It makes no request: there is nothing to answer.

  rewind(): void {}
  unchunk(): void {}
  finish(): void {}

  requestTaken(): boolean {
    return false;
  }

  sendInterim(): boolean {
    return false;
  }

  sendHead(): number {
    return BROKEN;
  }

  sendBody(): number {
    return BROKEN;
  }

  acceptsTunnel(): boolean {
    return true;
  }

  sendTunnelHead(): boolean {
    return true;
  }
}
