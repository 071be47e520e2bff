/** EndpointPool: idle connections to one endpoint, and whether it lately refused one. */
import type { ProxyTimeouts } from "../config.ts";
import type { Fd, Io, SocketAddress } from "../io/io.ts";
import type { TlsTarget } from "../io/tls.ts";
import { CHOSEN_HTTP1_MS, POOL_IDLE_MAX, REFUSED_AVOID_MS } from "../limits.ts";
import type { Socket } from "../loop/socket.ts";
import { MESH_ALPN } from "../protocol/tls/mesh.ts";
import { ANONYMOUS, type Caller } from "../tls/caller.ts";
import type { EndpointTls } from "../tls/contexts.ts";

/** A connection that waits for its next exchange. */
export interface IdleConnection {
  /** Who the endpoint is, as TLS has verified. */
  readonly caller: Caller;
  /** Its endpoint keeps it open, as far as can be seen. `isFresh`: it came to rest in this very batch of events. */
  isUsable(nowMs: number, isFresh: boolean): boolean;
  close(): void;
}

/** A connection that many exchanges share. */
export interface SharedConnection {
  /** The endpoint has said that it speaks the protocol, and how many exchanges it takes. */
  readonly isConnected: boolean;
  /** It can carry one more exchange, now or once it is connected. */
  readonly canCarry: boolean;
  /** The endpoint is no longer in the plan: what is under way ends, nothing new is taken. */
  retire(): void;
}

const OFFERS = { "h2": ["h2", "http/1.1"], "http/1.1": ["http/1.1"], "": [] } as const;
type EndpointProtocol = keyof typeof OFFERS & keyof typeof MESH_ALPN;

/** What counts the connections of pools that are its own. */
export interface PoolOwner {
  /** Counts one more. False: there are as many as may be. */
  takeConnection(): boolean;
  connectionEnded(): void;
  /** There are more than may be. */
  readonly isOver: boolean;
}

/** What sets a pool apart from those of a plan's endpoints that any backend may use. */
interface PoolKind {
  readonly isDirect?: boolean;
  readonly isService?: boolean;
  readonly owner?: PoolOwner | null;
}

export class EndpointPool {
  /** `address:port`. */
  readonly key: string;
  readonly address: SocketAddress;
  /** Null: its connections are plain. */
  readonly #security: EndpointTls | null;
  /** By protocol: sessions are resumed by target. */
  readonly #targets = new Map<string, TlsTarget>();
  /**
   * Those that came to rest in batches of events before this one, and behind them those of this batch. Of the former the last is taken
   * first: it is the least likely to have been closed meanwhile.
   */
  readonly #idle: IdleConnection[] = [];
  /** How many of them came to rest before the batch of events at `#batchMs`. */
  #settled = 0;
  #batchMs = 0;
  /** HTTP/2 connections that take new streams. */
  readonly #shared: SharedConnection[] = [];
  /** Streams that the endpoint allowed on its last HTTP/2 connection; at first what RFC 9113 6.5.2 advises. */
  streamsMax = 100;
  /** False once no plan in force names the endpoint: connections end instead of being kept. */
  isInPlan = true;
  /** No plan named it ever: a client did. */
  readonly isDirect: boolean;
  /** A Service's own address: the cluster takes each new connection to a pod of its choice. */
  readonly #isService: boolean;
  /** Null: any backend's connections are here. */
  readonly #owner: PoolOwner | null;
  #avoidUntilMs = 0;
  #unreachedUntilMs = 0;
  #http1UntilMs = 0;

  constructor(
    key: string,
    address: SocketAddress,
    security: EndpointTls | null,
    { isDirect = false, isService = false, owner = null }: PoolKind = {},
  ) {
    this.key = key;
    this.address = address;
    this.isDirect = isDirect;
    this.#isService = isService;
    this.#owner = owner;
    this.#security = security;
  }

  /** Whether its connections are secured so: by the identities that its endpoint may have. */
  isSecuredBy(security: EndpointTls | null): boolean {
    const [own, others] = [this.#security?.target.uriSans, security?.target.uriSans];
    return own === others || own?.join(" ") === others?.join(" ");
  }

  /** Before a connection is opened. False: its owner has as many as it may. */
  takeConnection(): boolean {
    return this.#owner === null || this.#owner.takeConnection();
  }

  /** A connection for which `takeConnection` was called has ended, or could not be opened. */
  connectionEnded(): void {
    this.#owner?.connectionEnded();
  }

  /** How long a connection may take to open. */
  connectMs({ connectMs, egressConnectMs }: ProxyTimeouts): number {
    return this.isDirect ? egressConnectMs : connectMs;
  }

  /**
   * Starts to connect a new socket to the endpoint, after `takeConnection`. False: that failed at once, and the socket is given up.
   * `protocol` is what is to be spoken, by its ALPN name; empty: nothing that has one.
   */
  connect(socket: Socket, protocol: EndpointProtocol): boolean {
    const { loop } = socket;
    socket.fd = loop.io.connect(this.address, socket);
    if (socket.fd < 0) {
      loop.unregister(socket);
      this.connectionEnded();
      return false;
    }
    this.secure(loop.io, socket.fd, protocol);
    socket.deadlineMs = loop.io.nowMs + this.connectMs(loop.timeouts);
    return true;
  }

  /** Puts TLS on the connection if the endpoint wants that. One that is to speak HTTP/2 may choose HTTP/1.1 instead. */
  secure(io: Io, fd: Fd, protocol: EndpointProtocol): void {
    const security = this.#security;
    if (security === null || security.context === null) return;
    let target = this.#targets.get(protocol);
    if (target === undefined) {
      const alpn = security.isMesh ? [MESH_ALPN[protocol]] : OFFERS[protocol];
      target = { ...security.target, alpn };
      this.#targets.set(protocol, target);
    }
    io.secure(fd, security.context, target);
  }

  /** There are certificates of the mesh now: what is plain to an endpoint that takes them ends once it carries nothing. */
  endPlain(): void {
    if (this.#security?.isMesh !== true) return;
    this.#endIdle();
  }

  /**
   * A connection that can carry one more exchange beside those it has; undefined: there is none. `isNew`: only one that is
   * being made.
   */
  shared(isNew = false): SharedConnection | undefined {
    return this.#shared.find((upstream) => upstream.canCarry && !(isNew && upstream.isConnected));
  }

  addShared(upstream: SharedConnection): void {
    this.#shared.push(upstream);
  }

  removeShared(upstream: SharedConnection): void {
    const at = this.#shared.indexOf(upstream);
    if (at >= 0) this.#shared.splice(at, 1);
  }

  /**
   * An idle connection, of this batch of events only if there is no other: what its endpoint did right behind its answer has not
   * been told yet. Undefined: there is none that its endpoint keeps open.
   */
  take(nowMs: number): IdleConnection | undefined {
    this.#startBatch(nowMs);
    for (;;) {
      const isFresh = this.#settled === 0;
      const idle = isFresh ? this.#idle.pop() : this.#takeSettled();
      if (idle === undefined || idle.isUsable(nowMs, isFresh)) return idle;
      idle.close();
    }
  }

  #startBatch(nowMs: number): void {
    if (nowMs === this.#batchMs) return;
    this.#batchMs = nowMs;
    this.#settled = this.#idle.length;
  }

  #takeSettled(): IdleConnection {
    const at = --this.#settled;
    const settled = this.#idle[at];
    const last = this.#idle.pop();
    if (last !== undefined && at < this.#idle.length) this.#idle[at] = last;
    return settled;
  }

  /** Ends a connection that carries nothing. False: there is none. */
  closeIdle(): boolean {
    const idle = this.#idle.pop();
    this.#settled = Math.min(this.#settled, this.#idle.length);
    idle?.close();
    return idle !== undefined;
  }

  /** Keeps a connection for the next request. False: it is not wanted and should be closed. */
  put(upstream: IdleConnection, nowMs: number): boolean {
    if (!this.isInPlan || this.#idle.length >= POOL_IDLE_MAX) return false;
    if (this.#owner?.isOver) return false;
    // It is from before there were certificates.
    if (upstream.caller === ANONYMOUS && this.#security?.context) return false;
    this.#startBatch(nowMs);
    this.#idle.push(upstream);
    return true;
  }

  /** Takes a connection that has ended out of the idle ones. */
  remove(upstream: IdleConnection): void {
    const at = this.#idle.lastIndexOf(upstream);
    if (at < 0) return;
    this.#idle.splice(at, 1);
    if (at < this.#settled) this.#settled--;
  }

  /** A connection is there that an exchange can have now. */
  get canCarry(): boolean {
    return this.#idle.length > 0 || this.shared() !== undefined;
  }

  get idleCount(): number {
    return this.#idle.length;
  }

  /** The endpoint has chosen HTTP/1.1 where it was offered HTTP/2. */
  choseHttp1(nowMs: number): void {
    this.#http1UntilMs = nowMs + CHOSEN_HTTP1_MS;
  }

  /** Whether that was lately. */
  speaksHttp1(nowMs: number): boolean {
    return nowMs < this.#http1UntilMs;
  }

  isAvoided(nowMs: number): boolean {
    return nowMs < this.#avoidUntilMs || this.isUnreached(nowMs);
  }

  /** Its own proxy takes connections, but has lately said that the application behind it takes none. */
  isUnreached(nowMs: number): boolean {
    return nowMs < this.#unreachedUntilMs;
  }

  /** A connection that is taken is no reason to forgive that. */
  notReached(nowMs: number): void {
    if (!this.#isService) this.#unreachedUntilMs = nowMs + REFUSED_AVOID_MS;
  }

  /** One pod of a Service says nothing of the one that the next connection is taken to. */
  avoid(nowMs: number): void {
    if (!this.#isService) this.#avoidUntilMs = nowMs + REFUSED_AVOID_MS;
  }

  /** Whatever pod answers, it is a sidecar of the mesh, known by its certificate; which one cannot be known. */
  get isAnySidecar(): boolean {
    return this.#isService && this.#security?.isMesh === true && this.#security.context !== null;
  }

  forgive(): void {
    this.#avoidUntilMs = 0;
  }

  retire(): void {
    this.isInPlan = false;
    this.#endIdle();
  }

  #endIdle(): void {
    this.#settled = 0;
    for (const upstream of this.#idle.splice(0)) upstream.close();
    for (const upstream of this.#shared.splice(0)) upstream.retire();
  }
}
