/**
 * Clients of the simulation that speak HTTP/2. They have several exchanges under way at once, check every byte that
 * comes back, and misbehave as they are told.
 */
import {
  ANSWER_BODY,
  bodyOf,
  concatenate,
  hasAnswerBody,
  paddingOf,
  REQUEST_BODY,
  TRAILER,
  wrongByte,
} from "./exchange.ts";
import type { ScriptedExchange } from "./exchange.ts";
import { REASONS } from "./client.ts";
import type { Abort, Actor } from "./client.ts";
import type { HeaderField } from "./hpack.ts";
import { frames } from "./http2_frames.ts";
import type { Hostility } from "./http2_hostility.ts";
import { Http2Peer } from "./http2_peer.ts";
import type { Http2Listener } from "./http2_peer.ts";
import type { PeerStream } from "./http2_stream.ts";
import type { Side } from "./network.ts";
import { POLICY_HEADER } from "./policies.ts";
import { BANNER } from "./origin.ts";
import { failRun } from "./run_state.ts";
import { ScriptedTunnelEnd, streamWire } from "./tunnel_end.ts";
import type { ReadPace, RunState } from "./run_state.ts";
import type { Pace } from "./sender.ts";

export interface Http2ClientPlan {
  readonly exchanges: readonly ScriptedExchange[];
  /** It comes to the listener of the application, at this address. */
  readonly isInbound: boolean;
  readonly proxy: string;
  /** Requests that may be under way at once. */
  readonly depth: number;
  readonly send: Pace;
  readonly receive: ReadPace;
  readonly abort: Abort | null;
  readonly abortAtSent: number;
  readonly abortAtReceived: number;
  /** Sent when as many exchanges are over; null: nothing of the kind. */
  readonly hostility: { readonly what: Hostility; readonly after: number } | null;
  /** Share of the streams that the client resets at some moment, and of those whose window it keeps shut. */
  readonly resets: number;
  readonly starves: number;
  /** It changes its settings now and then. */
  readonly isFickle: boolean;
  readonly finish: "close" | "goaway" | "end" | "wait";
}

/** How long the proxy may take to get rid of a client that broke the protocol. */
const GIVEN_UP_MS = 1_000;
/** The proxy's window for a connection, less what it may keep to itself until that is worth a frame. */
const WINDOW_LEAST = 524_288;

interface Flight {
  readonly exchange: ScriptedExchange;
  tunnel: ScriptedTunnelEnd | null;
  /** What the endpoint of a tunnel has said of its banner. */
  banner: string;
  received: number;
  /** The answer is whole, or it is not waited for any more. */
  isOver: boolean;
}

/** A client with all its connections, one after another. */
export class Http2Client implements Actor {
  readonly plan: Http2ClientPlan;
  isDone = false;
  /** Exchanges that are to be sent, and how many have come to an end. */
  readonly waiting: ScriptedExchange[];
  over = 0;
  hasBeenHostile = false;
  readonly #state: RunState;

  constructor(state: RunState, plan: Http2ClientPlan) {
    this.#state = state;
    this.plan = plan;
    this.waiting = [...plan.exchanges];
  }

  get isFinished(): boolean {
    return this.over >= this.plan.exchanges.length;
  }

  dial(): void {
    const side = this.#state.dial(this.plan.isInbound, this.plan.proxy, "http2");
    new Http2ClientConnection(this.#state, this, side);
  }

  describe(): string {
    const tokens = this.waiting.map(({ token }) => token);
    return `a client of HTTP/2 with ${this.over} over, waiting: ${tokens}`;
  }

  /** A connection is over, with nothing under way that is to be answered. */
  ended(): void {
    const { isCalm, drainingMs, world } = this.#state;
    if (this.isDone) return;
    if (!isCalm || this.isFinished || world.nowMs >= drainingMs) this.isDone = true;
    else this.dial();
  }
}

class Http2ClientConnection implements Http2Listener {
  readonly #state: RunState;
  readonly #client: Http2Client;
  readonly #side: Side;
  readonly #peer: Http2Peer;
  readonly #flights = new Set<Flight>();
  #isOver = false;
  /** The proxy need not go on with this connection. */
  #isTainted = false;
  #receivedTotal = 0;

  constructor(state: RunState, client: Http2Client, side: Side) {
    const { plan } = client;
    this.#state = state;
    this.#client = client;
    this.#side = side;
    this.#peer = new Http2Peer(state, side, this, true, plan);
    this.#peer.sender.stopAt = plan.abortAtSent;
    this.#peer.sender.onStop = () => this.#abort();
    // It need not wait for the proxy's settings (RFC 9113 3.4).
    if (state.world.chance(0.5)) this.#sendNext();
    if (plan.isFickle) this.#changeSettings();
  }

  // Sending.

  #sendNext(): void {
    const { plan, waiting } = this.#client;
    const { hostility } = plan;
    if (
      hostility !== null && !this.#client.hasBeenHostile && this.#client.over >= hostility.after
    ) {
      return this.#offend(hostility.what);
    }
    while (
      !this.#isOver && !this.#isTainted && waiting.length > 0 &&
      this.#peer.openStreams < plan.depth && this.#peer.canOpen &&
      // Only a server that says so takes extended CONNECT (RFC 8441 3).
      (waiting[0].kind !== "upgrade" || this.#peer.isReady)
    ) {
      const exchange = waiting.shift();
      if (exchange !== undefined) this.#send(exchange);
    }
  }

  #send(exchange: ScriptedExchange): void {
    const { world } = this.#state;
    const { plan } = this.#client;
    exchange.sendings++;
    exchange.mayLoseTrailers ||= !this.#peer.isReady;
    const flight: Flight = { exchange, tunnel: null, banner: "", received: 0, isOver: false };
    this.#flights.add(flight);
    const body = bodyOf(exchange.token, REQUEST_BODY, exchange.bytes);
    const isEnd = exchange.framing === "none" && exchange.kind === "request";
    const stream = this.#peer.open(fieldsOf(exchange), isEnd);
    stream.owner = flight;
    stream.isStarved = world.chance(plan.starves);
    const isTunnel = exchange.kind !== "request";
    if (!isEnd && !isTunnel) {
      this.#peer.body(stream, body, exchange.hasTrailers ? [trailerOf(exchange)] : []);
    }
    if (!world.chance(plan.resets)) return;
    world.after(world.skewed(800), () => {
      if (stream.isOver) return;
      exchange.isAborted = true;
      this.#peer.reset(stream, world.pick([frames.CANCEL, frames.INTERNAL_ERROR, 99]));
      this.#settle(flight);
    });
  }

  #offend({ bytes, isFatal, name }: Hostility): void {
    this.#client.hasBeenHostile = true;
    this.#isTainted = true;
    const { world } = this.#state;
    const isAlone = this.#peer.openStreams === 0;
    this.#peer.taint(bytes(this.#peer.lastId + 2));
    this.#peer.sender.push(() => {
      // Requests that a policy answers at once cost nothing that resets could be counted against; and without a
      // buffer nothing is read.
      const { policies, isTight } = this.#state;
      if (!isFatal || !isAlone || isTight || policies.reasons.size > 0) return;
      world.after(GIVEN_UP_MS, () => {
        if (!this.#isOver && !this.#side.isReset) this.#fail(`It goes on after ${name}`);
      });
    });
    // What is not fatal leaves the connection as it was; the client has had enough all the same.
    if (!isFatal) world.after(world.between(0, 500), () => this.#close());
  }

  #changeSettings(): void {
    const { world, isCalm } = this.#state;
    world.after(world.between(10, 300), () => {
      if (this.#isOver || this.#side.isReset || this.#isTainted) return;
      const windows = isCalm ? [300, 20_000, 100_000] : [0, 70, 65_536];
      this.#peer.settings([[frames.SETTING_WINDOW, world.pick(windows)]]);
      if (world.chance(0.5)) this.#peer.settings([[frames.SETTING_TABLE, world.pick([0, 4_096])]]);
      if (world.chance(0.7)) this.#changeSettings();
    });
  }

  // Receiving.

  onHead(stream: PeerStream, fields: readonly HeaderField[], isEnd: boolean): void {
    const flight = stream.owner as Flight | null;
    if (flight === null || flight.isOver) return;
    const { exchange } = flight;
    const status = Number(fields[0][1]);
    if (fields[0][0] !== ":status" || !(status >= 100)) this.#fail(`An answer without a status`);
    if (status < 200) return;
    const reason = valueOf(fields, "x-weft-reason");
    for (const [name] of fields.slice(1)) {
      if (/[A-Z]|^:|^(connection|transfer-encoding|keep-alive|upgrade)$/.test(name)) {
        this.#fail(`Answer ${exchange.token} has a header "${name}"`);
      }
    }
    exchange.outcome = { status, reason, isWhole: false };
    if (reason === "" && exchange.kind !== "request" && status === 200) {
      return this.#openTunnel(stream, flight, fields);
    }
    if (reason === "") this.#checkAnswer(fields, exchange, status, isEnd);
    else if (this.#state.allows(reason)) flight.received = 0;
    else if (this.#state.isCalm) this.#fail(`Exchange ${exchange.token} was refused: ${reason}`);
    else if (!REASONS.has(reason)) this.#fail(`Exchange ${exchange.token} was misread: ${reason}`);
    if (isEnd) this.#whole(stream, flight, []);
  }

  #openTunnel(stream: PeerStream, flight: Flight, fields: readonly HeaderField[]): void {
    const { exchange } = flight;
    const { token, kind, answer } = exchange;
    if (kind === "upgrade" && answer.status !== 101) this.#fail(`Upgrade ${token} was not allowed`);
    const tokens = valueOf(fields, "x-token");
    if (kind === "upgrade" && tokens !== `${token}`) this.#fail(`Tunnel ${tokens} for ${token}`);
    const wire = streamWire(this.#peer, stream);
    // The other end of a CONNECT cannot know which one it is unless it is told.
    const first = new TextEncoder().encode(kind === "connect" ? `${token}\n` : "");
    flight.tunnel = new ScriptedTunnelEnd(
      this.#state,
      exchange,
      { ...wire, send: (bytes, then) => wire.send(concatenate([first, bytes]), then) },
      true,
    );
    flight.tunnel.onWhole = () => {
      if (exchange.outcome !== null) exchange.outcome.isWhole = true;
      this.#settle(flight);
    };
  }

  #takeTunnelled(flight: Flight, bytes: Uint8Array, isEnd: boolean): void {
    let from = 0;
    if (flight.exchange.kind === "connect") {
      while (flight.banner.length < BANNER.length && from < bytes.length) {
        flight.banner += String.fromCharCode(bytes[from++]);
      }
      if (!BANNER.startsWith(flight.banner)) this.#fail(`A banner "${flight.banner}"`);
    }
    const { tunnel } = flight;
    if (from < bytes.length) tunnel?.take(bytes.subarray(from));
    if (isEnd) tunnel?.end();
  }

  #checkAnswer(
    fields: readonly HeaderField[],
    exchange: ScriptedExchange,
    status: number,
    isEnd: boolean,
  ): void {
    const { token, answer, arrivals } = exchange;
    const tokens = valueOf(fields, "x-token");
    if (tokens !== `${token}`) {
      this.#fail(`Answer ${tokens} in place of ${token}: ${JSON.stringify(fields)}`);
    }
    if (status !== answer.status) this.#fail(`Answer ${token} has status ${status}`);
    if (arrivals === 0) this.#fail(`Answer ${token} before the request`);
    const edit = valueOf(fields, POLICY_HEADER);
    if (edit !== this.#state.policyHeaderOf(exchange)) {
      this.#fail(`Answer ${token} has ${POLICY_HEADER} "${edit}"`);
    }
    const length = valueOf(fields, "content-length");
    const isSaid = answer.framing === "length" && answer.status !== 204;
    // A length that is wrong shows only with the body.
    const isSpoilt = answer.behavior === "bad-chunk" && exchange.endpointProtocol === "http2";
    if (!isSpoilt && length !== "" && !(isSaid && length === `${answer.bytes}`)) {
      this.#fail(`Answer ${token} has length ${length}`);
    }
    if (isEnd && hasAnswerBody(exchange) && answer.bytes > 0) {
      this.#fail(`Answer ${token} is empty`);
    }
  }

  onData(stream: PeerStream, bytes: Uint8Array, isEnd: boolean): void {
    const flight = stream.owner as Flight | null;
    this.#count(bytes.length);
    if (flight === null || flight.isOver) return;
    const { exchange } = flight;
    if (exchange.kind !== "request" && exchange.outcome?.status === 200) {
      return this.#takeTunnelled(flight, bytes, isEnd);
    }
    if (exchange.outcome?.reason === "") {
      const wrong = wrongByte(exchange.token, ANSWER_BODY, flight.received, bytes);
      if (wrong >= 0) this.#fail(`Byte ${wrong} of answer ${exchange.token} is wrong`);
    }
    flight.received += bytes.length;
    if (isEnd && flight.received === 0 && this.#hasEndedHead(exchange)) {
      this.#fail(`Answer ${exchange.token} has no body, and does not end with its head`);
    }
    if (isEnd) this.#whole(stream, flight, []);
  }

  /** The proxy had the end of an answer together with its head. */
  #hasEndedHead({ token, outcome }: ScriptedExchange): boolean {
    return outcome?.reason === "" && this.#state.endedHeads.has(token);
  }

  onTrailers(stream: PeerStream, fields: readonly HeaderField[]): void {
    const flight = stream.owner as Flight | null;
    if (flight !== null && !flight.isOver) this.#whole(stream, flight, fields);
  }

  #whole(stream: PeerStream, flight: Flight, trailers: readonly HeaderField[]): void {
    const { exchange, received } = flight;
    const { outcome, answer, token } = exchange;
    if (outcome === null) this.#fail(`Exchange ${token} ended without a head`);
    if (outcome.reason === "" && hasAnswerBody(exchange)) {
      if (received !== answer.bytes && !this.#state.mayBeShort(exchange, received)) {
        this.#fail(`Answer ${token} ended in order after ${received} of ${answer.bytes} bytes`);
      }
      const expected = answer.hasTrailers ? `${token}` : "";
      const sum = valueOf(trailers, TRAILER);
      const isLost = sum === "" && this.#state.isTight;
      if (sum !== expected && !isLost) {
        this.#fail(`Answer ${token} has trailers ${JSON.stringify(trailers)}, not "${expected}"`);
      }
    }
    outcome.isWhole = true;
    // The rest of the request is not wanted; or it goes on, and is passed over.
    if (stream.outgoing !== null && this.#state.world.chance(0.5)) {
      this.#peer.reset(stream, frames.NO_ERROR);
    }
    this.#settle(flight);
  }

  onReset(stream: PeerStream, code: number): void {
    const flight = stream.owner as Flight | null;
    if (flight === null || flight.isOver) return;
    if (code === frames.REFUSED_STREAM) return this.#sendAgain(flight);
    if (this.#state.isCalm) this.#fail(`Stream of ${flight.exchange.token} reset with ${code}`);
    this.#settle(flight);
  }

  #sendAgain(flight: Flight): void {
    flight.isOver = true;
    this.#flights.delete(flight);
    this.#client.waiting.push(flight.exchange);
  }

  onGoaway(lastId: number, code: number): void {
    if (code !== frames.NO_ERROR && this.#state.isCalm) this.#fail(`GOAWAY with ${code}`);
    for (const stream of this.#peer.streams.values()) {
      const flight = stream.owner as Flight | null;
      if (stream.id <= lastId || flight === null || flight.isOver) continue;
      this.#sendAgain(flight);
    }
  }

  onSettings(): void {
    this.#sendNext();
  }

  onStreamEnd(): void {
    if (!this.#isOver) this.#sendNext();
  }

  onClosed(wasReset: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#side.close();
    const [cut] = this.#flights;
    const { isCalm, world, drainingMs } = this.#state;
    // What a draining proxy may cut is seen at the end of the run.
    if (isCalm && cut !== undefined && world.nowMs < drainingMs) {
      const how = wasReset ? "reset" : "closed";
      this.#fail(`The connection was ${how} with exchange ${cut.exchange.token} under way`);
    }
    this.#client.ended();
  }

  #settle(flight: Flight): void {
    if (flight.isOver) return;
    flight.isOver = true;
    this.#flights.delete(flight);
    this.#client.over++;
    if (this.#client.isFinished && !this.#isTainted) this.#finish();
    else this.#sendNext();
  }

  // Ends.

  #finish(): void {
    switch (this.#client.plan.finish) {
      case "close":
        return this.#close();
      case "goaway":
        this.#peer.raw(frames.goaway(0, frames.NO_ERROR));
        return this.#peer.sender.push(() => this.#close());
      case "end":
        this.#client.isDone = true;
        return this.#peer.sender.push(() => this.#side.sendEnd());
      case "wait":
        this.#client.isDone = true;
        if (this.#state.isCalm) this.#checkWindow();
        return;
    }
  }

  /** All that was sent has been read or dropped, so the proxy has to give its window back. */
  #checkWindow(): void {
    const { world, drainingMs } = this.#state;
    world.after(1_000, () => {
      if (this.#isOver || this.#side.isReset || world.nowMs > drainingMs) return;
      if (!this.#peer.isReady || this.#peer.openStreams > 0 || !this.#peer.sender.isEmpty) return;
      const { connectionWindow } = this.#peer;
      if (connectionWindow < WINDOW_LEAST) this.#fail(`Only ${connectionWindow} bytes are left`);
    });
  }

  #count(bytes: number): void {
    this.#receivedTotal += bytes;
    if (this.#receivedTotal >= this.#client.plan.abortAtReceived && !this.#isOver) this.#abort();
  }

  #close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#side.close();
    this.#client.ended();
  }

  #abort(): void {
    this.#peer.sender.isMute = true;
    this.#peer.sender.clear();
    for (const exchange of this.#client.plan.exchanges) exchange.isAborted = true;
    this.#client.isDone = true;
    this.#isTainted = true;
    for (const flight of this.#flights) flight.isOver = true;
    switch (this.#client.plan.abort) {
      case "reset":
        this.#isOver = true;
        return this.#side.reset();
      case "close":
        this.#isOver = true;
        return this.#side.close();
      case "end":
        return this.#side.sendEnd();
      case "stall":
        if (this.#state.world.chance(0.5)) this.#peer.isDeaf = true;
        return;
      case null:
        return;
    }
  }

  #fail(message: string): never {
    failRun(this.#state, `Client of HTTP/2: ${message}`);
  }
}

function fieldsOf(exchange: ScriptedExchange): HeaderField[] {
  if (exchange.kind === "connect") {
    return [[":method", "CONNECT"], [":authority", exchange.authority]];
  }
  const { token, kind, method, authority, framing, bytes, forwardedFor, paddingBytes } = exchange;
  const fields: HeaderField[] = [
    [":method", kind === "upgrade" ? "CONNECT" : method],
    ...(kind === "upgrade" ? [[":protocol", "websocket"] as const] : []),
    [":scheme", "http"],
    [":path", `/t/${token}?q=${token}`],
    [":authority", authority],
    ["x-token", `${token}`],
  ];
  if (paddingBytes > 0) fields.push(["x-padding", paddingOf(exchange)]);
  if (forwardedFor !== "") fields.push(["x-forwarded-for", forwardedFor]);
  if (framing === "length") fields.push(["content-length", `${bytes}`]);
  return fields;
}

function trailerOf({ token }: ScriptedExchange): HeaderField {
  return [TRAILER, `${token}`];
}

/** Values joined; empty: none. */
export function valueOf(fields: readonly HeaderField[], name: string): string {
  return fields.filter(([one]) => one === name).map(([, value]) => value).join("|");
}
