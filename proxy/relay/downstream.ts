/**
 * TcpDownstream: one client connection that is passed on whole, to one endpoint, without being looked into. It connects before
 * it reads, so a server that speaks first is heard at once; each direction ends on its own (half-close).
 */
import type { Fd } from "../io/io.ts";
import type { TlsFailure, TlsInfo } from "../io/tls.ts";
import { CONNECT_ATTEMPTS_MAX } from "../limits.ts";
import { Connection } from "../loop/socket.ts";
import type { Context } from "../loop/context.ts";
import { Attempts } from "../exchange/attempts.ts";
import { ReportedRequest } from "../exchange/report.ts";
import { type Destination, PendingDecision } from "../route/destination.ts";
import type { ClientFacts, Router } from "../route/router.ts";
import { TcpUpstream } from "./upstream.ts";
import type { ConnectFailure } from "./upstream.ts";
import { cutBoth, tunnelRead, tunnelWrite } from "../loop/tunnel.ts";

export interface TcpOptions {
  /** What the client wanted, for the access log: a server name, or `address:port`. */
  readonly authority: string;
  /**
   * Called when the client speaks before the server has, where it was not known which of them would. True: nothing is relayed,
   * because the bytes are of another protocol, and the connection has been taken over, or because they are too few to tell.
   */
  readonly reconsider?: (connection: TcpDownstream) => boolean;
}

export class TcpDownstream extends Connection implements ClientFacts {
  readonly kind = "client";
  readonly peer: string;
  readonly expectsHttp2 = false;
  readonly needsHttp2 = false;
  readonly #router: Router;
  readonly #tries = new Attempts();
  /** Where it goes is not decided yet. */
  #pending: PendingDecision | null = null;
  readonly #authority: string;
  #reconsider: ((connection: TcpDownstream) => boolean) | null;
  #upstream: TcpUpstream | null = null;
  #isDecided = false;
  #attempts = 0;
  /** Why the proxy ended the connection; empty where an end of it did. */
  #reason = "";
  readonly #startedMs: number;
  #clientBytes = 0;
  #endpointBytes = 0;

  constructor(
    context: Context,
    router: Router,
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
    const decided = this.#router.route(null, this);
    if (!(decided instanceof PendingDecision)) return this.#follow(decided);
    this.#pending = decided;
    decided.onDecided = (destination) => this.#follow(destination);
  }

  #follow(destination: Destination): void {
    this.#pending = null;
    this.#tries.begin(destination);
    const { refusal, route } = destination;
    if (refusal !== null) return this.#refuse(refusal.reason);
    const isAllowed = route === null || route.allowsConnection(this.context.io.nowMs);
    if (isAllowed) this.#tryEndpoint();
    else this.#refuse("rate-limited");
  }

  override fill(): number {
    const count = super.fill();
    const { stats } = this.#tries.facts;
    if (count > 0) {
      this.#clientBytes += count;
      if (stats !== null) stats.connections.bytesFromClients += count;
    }
    return count;
  }

  /** The endpoint has sent so many bytes more. */
  onEndpointBytes(count: number): void {
    const { stats } = this.#tries.facts;
    this.#endpointBytes += count;
    if (stats !== null) stats.connections.bytesFromEndpoints += count;
  }

  override onReadable(): void {
    const upstream = this.#upstream;
    if (upstream === null || !upstream.isConnected) return;
    if (!upstream.hasSpoken && this.#reconsider !== null && this.#reconsider(this)) return;
    this.#reconsider = null;
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
    this.#pending?.cancel();
    super.close();
  }

  /** Told when the proxy begins to drain: only its ends know when it is done. */
  onDraining(): void {}

  /** Lets go of the endpoint, for the connection to be taken over: it was not the client of such a server after all. */
  dropUpstream(): void {
    this.#countClosed();
    this.#tries.end();
    this.#tries.destination.turn?.giveBack();
    this.#upstream?.close();
    this.#upstream = null;
  }

  // Connecting.

  #tryEndpoint(): void {
    const { io, telemetry } = this.context;
    while (this.#attempts < CONNECT_ATTEMPTS_MAX) {
      const pool = this.#tries.next(io.nowMs);
      if (pool === null) return this.#refuse(this.#tries.emptyReason);
      this.#attempts++;
      if (!pool.takeConnection()) return this.#refuse("connection-limit");
      this.#tries.start(io.nowMs);
      telemetry.counts.connects++;
      this.#upstream = TcpUpstream.open(this.context, pool, this);
      if (this.#upstream !== null) return;
      pool.avoid(io.nowMs);
      this.#tries.fail("connect-failure", io.nowMs);
    }
    this.#refuse("upstream-refused");
  }

  onConnectFailed(failure: ConnectFailure): void {
    const { io, telemetry } = this.context;
    const upstream = this.#upstream;
    this.#upstream = null;
    upstream?.pool.avoid(io.nowMs);
    upstream?.close();
    telemetry.counts.connectFailures++;
    this.#tries.fail("connect-failure", io.nowMs);
    if (this.#attempts >= CONNECT_ATTEMPTS_MAX) return this.#refuse(failure);
    telemetry.counts.retries++;
    this.#tryEndpoint();
  }

  onConnected(): void {
    const upstream = this.#upstream;
    if (upstream === null) return;
    const { stats } = this.#tries.facts;
    if (stats !== null) stats.connections.opened++;
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
    const idleMs = this.#tries.destination.route?.idleMs ?? this.context.timeouts.tcpIdleMs;
    this.deadlineMs = this.context.io.nowMs + idleMs;
    this.#upstream.deadlineMs = this.deadlineMs;
  }

  #report(): void {
    const { telemetry, io } = this.context;
    this.#countClosed();
    this.#tries.end();
    telemetry.connectionEnded(
      this.#tries,
      this.#reason,
      io.nowMs - this.#startedMs,
      this.#router.listener,
      telemetry.isReporting ? this.#reported() : null,
    );
  }

  #reported(): ReportedRequest {
    const reported = new ReportedRequest(this);
    reported.protocol = reported.method = "TCP";
    reported.authority = this.#authority;
    reported.requestBytes = this.#clientBytes;
    reported.responseBytes = this.#endpointBytes;
    reported.attempts = this.#attempts;
    return reported;
  }

  #countClosed(): void {
    const { stats } = this.#tries.facts;
    if (stats !== null && this.#upstream?.isConnected) stats.connections.closed++;
  }
}
