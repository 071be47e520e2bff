/**
 * TcpDownstream: one client connection that is passed on whole, to one endpoint, without being looked into. It connects before
 * it reads, so a server that speaks first is heard at once; each direction ends on its own (half-close).
 */
import type { Fd } from "../io/io.ts";
import type { TlsFailure, TlsInfo } from "../io/tls.ts";
import { CONNECT_ATTEMPTS_MAX } from "../limits.ts";
import { Connection } from "../loop/socket.ts";
import type { Context } from "../loop/context.ts";
import type { EndpointPool } from "../pool/pool.ts";
import { ReportedRequest } from "../exchange/report.ts";
import { Destination } from "../route/destination.ts";
import { TcpUpstream } from "./upstream.ts";
import type { ConnectFailure } from "./upstream.ts";
import { cutBoth, tunnelRead, tunnelWrite } from "../loop/tunnel.ts";

/** Where a connection goes. A request's `Router` decides for each request; this decides once. */
export interface ConnectionRouter {
  /** Place of the listener in the proxy's configuration: outbound ones first. */
  readonly listener: number;
  routeConnection(destination: Destination): void;
  /** The connection is not to be relayed after all: what `routeConnection` took is free for another. */
  giveBack(destination: Destination): void;
  /** The next endpoint to try; null: there is none with an address. */
  next(destination: Destination): EndpointPool | null;
}

export interface TcpOptions {
  /** What the client wanted, for the access log: a server name, or `address:port`. */
  readonly authority: string;
  /**
   * Called when the client speaks before the server has, where it was not known which of them would. True: the bytes are of
   * another protocol, and the connection has been taken over.
   */
  readonly reconsider?: (connection: TcpDownstream) => boolean;
}

export class TcpDownstream extends Connection {
  readonly kind = "client";
  readonly peer: string;
  readonly #router: ConnectionRouter;
  readonly #destination = new Destination();
  readonly #authority: string;
  #reconsider: ((connection: TcpDownstream) => boolean) | null;
  #upstream: TcpUpstream | null = null;
  #isDecided = false;
  #attempts = 0;
  /** Counted at its endpoint, and among the connections that the backend may have. */
  #isHeld = false;
  #isLimited = false;
  /** Why the proxy ended the connection; empty where an end of it did. */
  #reason = "";
  readonly #startedMs: number;
  #clientBytes = 0;
  #endpointBytes = 0;

  constructor(
    context: Context,
    router: ConnectionRouter,
    fd: Fd,
    peer: string,
    options: TcpOptions,
  ) {
    super(context);
    this.#router = router;
    this.fd = fd;
    this.peer = peer;
    this.#authority = options.authority;
    this.#reconsider = options.reconsider ?? null;
    this.#startedMs = context.io.nowMs;
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
    // What the client says waits in the kernel until there is somebody to say it to.
    this.context.io.wantRead(this.fd, false);
    this.#isDecided = true;
    this.#destination.peer = this.peer;
    this.#destination.caller = this.caller;
    this.#router.routeConnection(this.#destination);
    const { refusalStatus, refusalReason, route } = this.#destination;
    if (refusalStatus > 0) return this.#refuse(refusalReason);
    const isAllowed = route === null || route.allowsConnection(this.context.io.nowMs);
    if (isAllowed) this.#tryEndpoint();
    else this.#refuse("rate-limited");
  }

  override fill(): number {
    const count = super.fill();
    const { stats } = this.#destination;
    if (count > 0) {
      this.#clientBytes += count;
      if (stats !== null) stats.bytesFromClients += count;
    }
    return count;
  }

  /** The endpoint has sent so many bytes more. */
  onEndpointBytes(count: number): void {
    const { stats } = this.#destination;
    this.#endpointBytes += count;
    if (stats !== null) stats.bytesFromEndpoints += count;
  }

  override onReadable(): void {
    const upstream = this.#upstream;
    if (upstream === null || !upstream.isConnected) return;
    const reconsider = this.#reconsider;
    this.#reconsider = null;
    if (reconsider !== null && !upstream.hasSpoken && reconsider(this)) return;
    this.relayRead(this);
  }

  override onWritable(): void {
    this.relayWrite(this);
  }

  override onHangup(failure?: TlsFailure): void {
    if (failure !== undefined) this.context.telemetry.tlsFailed(failure, this.peer);
    else if (this.#upstream !== null && this.outlivesHangup) return;
    this.abort();
  }

  override onDeadline(): void {
    this.#reason = "idle-timeout";
    this.abort();
  }

  override abort(): void {
    if (this.#upstream === null) this.cut();
    else cutBoth(this.#upstream, this);
  }

  override close(): void {
    if (!this.isOpen) return;
    // A client that TLS came to nothing with is counted as that.
    if (this.#isDecided) this.#report();
    super.close();
  }

  /** Told when the proxy begins to drain: only its ends know when it is done. */
  onDraining(): void {}

  /** Lets go of the endpoint, for the connection to be taken over: it was not the client of such a server after all. */
  dropUpstream(): void {
    this.#countClosed();
    this.#letGo();
    this.#router.giveBack(this.#destination);
    this.#upstream?.close();
    this.#upstream = null;
  }

  // Connecting.

  #tryEndpoint(): void {
    const { io, telemetry } = this.context;
    while (this.#attempts < CONNECT_ATTEMPTS_MAX) {
      const pool = this.#router.next(this.#destination);
      if (pool === null) {
        return this.#refuse(this.#destination.backend?.emptyReason ?? "no-address");
      }
      this.#attempts++;
      if (!this.#hold()) return this.#refuse("connection-limit");
      telemetry.connects++;
      this.#upstream = TcpUpstream.open(this.context, pool, this);
      if (this.#upstream !== null) return;
      pool.avoid(io.nowMs);
      this.#blame();
    }
    this.#refuse("upstream-refused");
  }

  // What balancing has to know of the connection.

  /** Counts it where its endpoint and its backend's limits are kept. False: there are as many as may be. */
  #hold(): boolean {
    const { backend, choice } = this.#destination;
    if (backend === null || choice === null) return true;
    this.#isLimited = backend.hasLimits;
    if (this.#isLimited && !backend.takeConnection()) {
      this.#isLimited = false;
      return false;
    }
    choice.active++;
    this.#isHeld = true;
    return true;
  }

  #letGo(): void {
    const { backend, choice } = this.#destination;
    if (!this.#isHeld || backend === null || choice === null) return;
    this.#isHeld = false;
    choice.active--;
    if (this.#isLimited) backend.connectionEnded();
  }

  /** The endpoint took no connection. */
  #blame(): void {
    const { backend, choice } = this.#destination;
    if (choice !== null) backend?.failed(choice, "connect-failure", this.context.io.nowMs);
    this.#letGo();
  }

  onConnectFailed(failure: ConnectFailure): void {
    const { io, telemetry } = this.context;
    const upstream = this.#upstream;
    this.#upstream = null;
    upstream?.pool.avoid(io.nowMs);
    upstream?.close();
    telemetry.connectFailures++;
    this.#blame();
    if (this.#attempts >= CONNECT_ATTEMPTS_MAX) return this.#refuse(failure);
    telemetry.retries++;
    this.#tryEndpoint();
  }

  onConnected(): void {
    const upstream = this.#upstream;
    if (upstream === null) return;
    if (this.#destination.stats !== null) this.#destination.stats.connectionsOpened++;
    this.context.io.wantRead(this.fd, true);
    // What a server said that spoke first, and its end where it had nothing more to say.
    if (upstream.hasSpoken || upstream.hasEnded) tunnelWrite(upstream, this);
    this.#postpone();
  }

  #refuse(reason: string): void {
    this.#reason = reason;
    this.cut();
  }

  // Relaying.

  relayRead(source: Connection): void {
    const upstream = this.#upstream;
    if (upstream === null) return;
    tunnelRead(source, source === this ? upstream : this);
    this.#postpone();
  }

  /** `sink` takes bytes again. */
  relayWrite(sink: Connection): void {
    const upstream = this.#upstream;
    if (upstream === null) return;
    tunnelWrite(sink === this ? upstream : this, sink);
    this.#postpone();
  }

  /** A relayed connection may be quiet far longer than a request's may (`limits.ts`). */
  #postpone(): void {
    if (!this.isOpen || this.#upstream === null) return;
    const idleMs = this.#destination.route?.idleMs ?? this.context.timeouts.tcpIdleMs;
    this.deadlineMs = this.context.io.nowMs + idleMs;
    this.#upstream.deadlineMs = this.deadlineMs;
  }

  #report(): void {
    const { telemetry, io } = this.context;
    this.#countClosed();
    this.#letGo();
    telemetry.connectionEnded(
      this.#destination,
      this.#reason,
      io.nowMs - this.#startedMs,
      this.#router.listener,
      telemetry.isReporting ? this.#reported() : null,
    );
  }

  #reported(): ReportedRequest {
    const reported = new ReportedRequest(this.peer);
    reported.protocol = reported.method = "TCP";
    reported.authority = this.#authority;
    reported.requestBytes = this.#clientBytes;
    reported.responseBytes = this.#endpointBytes;
    reported.attempts = this.#attempts;
    return reported;
  }

  #countClosed(): void {
    const { stats } = this.#destination;
    if (stats !== null && this.#upstream?.isConnected) stats.connectionsClosed++;
  }
}
