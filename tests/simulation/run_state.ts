/** What the actors of one simulated run share. */
import { isIdempotent } from "./exchange.ts";
import type { ScriptedExchange } from "./exchange.ts";
import type { HttpVersion } from "./exchange.ts";
import type { Network, Side } from "./network.ts";
import type { PolicyMix } from "./policies.ts";
import { TlsSide } from "./tls_side.ts";
import type { HandshakeFault, TlsEnd } from "./tls_side.ts";
import type { Sharing } from "./sharing.ts";
import { SimulationError } from "./world.ts";
import type { World } from "./world.ts";

/** The address that every simulated client has. */
export const CLIENT_ADDRESS = "192.0.2.7";

/** Where TLS ends and begins in one run. */
interface TlsPlaces {
  readonly outbound: boolean;
  readonly inbound: boolean;
  /** Towards endpoints, but not towards the application beside the proxy. */
  readonly upstream: boolean;
}

/** Who every endpoint is. */
export const ENDPOINT_URI = "spiffe://sim/ns/sim/sa/endpoint";

export class RunState {
  /** What was found to be wrong first. */
  complaint: SimulationError | null = null;
  readonly world: World;
  readonly network: Network;
  readonly exchanges: ReadonlyMap<number, ScriptedExchange>;
  /** Nothing is reset, refused or slow beyond reason: every request must be answered by its endpoint. */
  isCalm: boolean;
  /** There are fewer buffers than are wanted: what could do without, such as trailers, has to. */
  isTight = false;
  /** Nothing takes time, and endpoints end their connections, most often right behind an answer. */
  isBrisk = false;
  /** Endpoints that are to speak HTTP/2 most often begin with something else. */
  isMisled = false;
  /** When draining began; `Infinity` before. */
  drainingMs = Infinity;
  /** By token: the streams that their endpoints have reset, and how often the request had been sent by then. */
  readonly #resets = new Map<number, { readonly side: Side; readonly sendings: number }>();
  /** By token: endpoints have ended the answer together with its head. */
  readonly endedHeads = new Set<number>();
  /** What the endpoint sent of a body before it ended the connection, by token. */
  readonly cuts = new Map<number, number>();
  readonly scratch = new Uint8Array(65_536);
  readonly policies: PolicyMix;
  /** Where connections are secured. */
  readonly tls: TlsPlaces;
  readonly sharing: Sharing;
  /** Below TLS. */
  readonly #plainOf = new WeakMap<Side, Side>();

  constructor(
    world: World,
    network: Network,
    exchanges: ReadonlyMap<number, ScriptedExchange>,
    isCalm: boolean,
    policies: PolicyMix,
    tls: TlsPlaces,
    sharing: Sharing,
  ) {
    this.world = world;
    this.network = network;
    this.exchanges = exchanges;
    this.isCalm = isCalm;
    this.policies = policies;
    this.tls = tls;
    this.sharing = sharing;
  }

  /** The source of the plan may not answer in time. */
  mayLackAnswers = false;

  /** Whether the policies of this run let the proxy refuse a request with this reason. */
  allows(reason: string): boolean {
    return this.policies.reasons.has(reason) || (this.mayLackAnswers && reason === "host-unknown");
  }

  /** A request has begun to arrive at an endpoint, on this connection. */
  carried(exchange: ScriptedExchange, side: Side, origin: string): void {
    const complaint = this.sharing.carried(this.#plainOf.get(side) ?? side, origin, exchange);
    if (complaint !== "") failRun(this, complaint);
  }

  /** A request has begun to arrive at an endpoint. */
  arrived(exchange: ScriptedExchange): void {
    exchange.arrivals++;
    // An earlier attempt may have been answered otherwise, and lost.
    this.endedHeads.delete(exchange.token);
    exchange.firstArrivalMs = Math.min(exchange.firstArrivalMs, this.world.nowMs);
    const { token, arrivals, sendings } = exchange;
    const mayResend = isIdempotent(exchange) || this.policies.mayResend(exchange);
    if (arrivals > sendings && !mayResend) {
      failRun(this, `Request ${token}, not idempotent, was sent again`);
    }
    const reset = this.#resets.get(token);
    // A connection that is lost takes with it what was said of its streams.
    const isKnown = reset?.sendings === sendings && !reset.side.isReset && !reset.side.isClosed;
    if (isKnown && !this.policies.mayResend(exchange)) {
      failRun(this, `Request ${token} was sent again although its endpoint had reset it`);
    }
    if (arrivals > sendings * this.policies.arrivalsMax) {
      failRun(this, `Request ${token} was sent ${arrivals} times`);
    }
  }

  /** An endpoint has reset the stream of an exchange, not to refuse it. */
  hasReset({ token, sendings }: ScriptedExchange, side: Side): void {
    this.#resets.set(token, { side, sendings });
  }

  /** Connects to the proxy, as `protocol` says that a client does. */
  dial(isInbound: boolean, proxy: string, protocol: HttpVersion): Side {
    const side = this.network.connect(proxy, false);
    if (!(isInbound ? this.tls.inbound : this.tls.outbound)) return side;
    const own = protocol === "http2" ? "h2" : "http/1.1";
    return this.#secured(side, {
      isServer: false,
      alpn: this.world.chance(0.2) ? [] : [own],
      uri: "spiffe://sim/ns/sim/sa/client",
      trusted: [],
      fault: this.#fault(["silent", "plaintext", "close"]),
    });
  }

  /** An endpoint's end of a connection, secured where it has to be. `protocols`: what it speaks; drawn where it is not said. */
  accept(side: Side, protocols?: readonly string[]): Side {
    if (!this.tls.upstream) return side;
    return this.#secured(side, {
      isServer: true,
      alpn: protocols ??
        this.world.pick([["h2", "http/1.1"], ["h2", "http/1.1"], ["http/1.1"]]),
      uri: ENDPOINT_URI,
      trusted: [],
      fault: this.#fault(["silent", "alert", "identity", "plaintext", "close"]),
    });
  }

  #fault(faults: readonly HandshakeFault[]): HandshakeFault {
    return this.isCalm || !this.world.chance(0.1) ? "none" : this.world.pick(faults);
  }

  #secured(side: Side, end: TlsEnd): TlsSide {
    const secured = new TlsSide(this.network, side, end);
    this.#plainOf.set(secured, side);
    const watched = () => {
      if (secured.failure?.code === "tls-plaintext") {
        failRun(this, "Plain bytes on a connection that has to be secured");
      }
    };
    side.onChange = chain(side.onChange, watched);
    secured.start();
    return secured;
  }

  /** What a header that policies set has to be in the request or the answer of an exchange. */
  policyHeaderOf({ service }: ScriptedExchange): string {
    return this.policies.has("headers") ? service : "";
  }

  /** Whether only an endpoint that ended its connection in order can have made an answer as short. */
  mayBeShort({ token, answer }: ScriptedExchange, received: number): boolean {
    return answer.framing === "close" && this.cuts.get(token) === received;
  }
}

/** What endpoints see that take the copies of requests, which are not waited for. */
export class CopyState extends RunState {
  readonly #original: RunState;

  constructor(original: RunState, copies: ReadonlyMap<number, ScriptedExchange>) {
    const { world, network, policies, tls, sharing } = original;
    super(world, network, copies, false, policies, tls, sharing);
    this.#original = original;
    this.isTight = original.isTight;
  }

  override carried(): void {}

  override arrived(copy: ScriptedExchange): void {
    const exchange = this.#original.exchanges.get(copy.token) as ScriptedExchange;
    exchange.copies++;
    const { token, copies, sendings } = exchange;
    if (copies > sendings) failRun(this, `Request ${token} was copied ${copies} times`);
  }
}

/** The first complaint is the one that counts: the proxy contains what is thrown within its handlers. */
export function failRun(state: RunState, message: string): never {
  state.complaint ??= new SimulationError(`At ${state.world.nowMs.toFixed(3)} ms: ${message}`);
  throw state.complaint;
}

/** How fast a peer reads. */
export interface ReadPace {
  readonly readBytes: number;
  readonly readPauseMs: number;
}

/** Reads what arrives at one end, at a pace, and tells of bytes, of the end and of a reset. */
export class Listening {
  /** Reads no more: a peer that has lost interest. */
  isDeaf = false;
  readonly #state: RunState;
  readonly #side: Side;
  readonly #pace: ReadPace;
  readonly #onBytes: (bytes: Uint8Array) => void;
  readonly #onEnd: () => void;
  readonly #onReset: () => void;
  #isPausing = false;
  #hasEnded = false;
  #wasReset = false;

  constructor(
    state: RunState,
    side: Side,
    pace: ReadPace,
    onBytes: (bytes: Uint8Array) => void,
    onEnd: () => void,
    onReset: () => void,
  ) {
    this.#state = state;
    this.#side = side;
    this.#pace = pace;
    this.#onBytes = onBytes;
    this.#onEnd = onEnd;
    this.#onReset = onReset;
  }

  pump(): void {
    const { world, scratch } = this.#state;
    const side = this.#side;
    while (!this.#isPausing && !this.isDeaf && !side.isClosed && side.unread > 0) {
      const count = side.read(scratch, 0, world.between(1, this.#pace.readBytes));
      this.#onBytes(scratch.subarray(0, count));
      if (this.#pace.readPauseMs > 0) this.#pause();
    }
    if (side.isClosed || this.#isPausing || (side.unread > 0 && !side.isReset)) return;
    if (side.isReset && !this.#wasReset) {
      this.#wasReset = true;
      this.#onReset();
    } else if (side.hasEnded && !this.#hasEnded && !this.#wasReset) {
      this.#hasEnded = true;
      this.#onEnd();
    }
  }

  #pause(): void {
    this.#isPausing = true;
    this.#state.world.after(this.#state.world.between(0, this.#pace.readPauseMs), () => {
      this.#isPausing = false;
      this.pump();
    });
  }
}

function chain(first: () => void, then: () => void): () => void {
  return () => {
    first();
    then();
  };
}
