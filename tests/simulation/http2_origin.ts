/**
 * Endpoints of the simulation that speak HTTP/2. They check every byte that reaches them against the exchange that its
 * token names, and answer, or misbehave, as the exchange says.
 */
import {
  ANSWER_BODY,
  bodyOf,
  hasAnswerBody,
  paddingOf,
  REQUEST_BODY,
  TRAILER,
  wrongByte,
} from "./exchange.ts";
import type { ScriptedExchange } from "./exchange.ts";
import type { HeaderField } from "./hpack.ts";
import { valueOf } from "./http2_client.ts";
import { frames } from "./http2_frames.ts";
import { Http2Peer } from "./http2_peer.ts";
import type { Http2Listener } from "./http2_peer.ts";
import type { PeerStream } from "./http2_stream.ts";
import type { Side } from "./network.ts";
import { POLICY_HEADER } from "./policies.ts";
import { ScriptedTunnelEnd, streamWire } from "./tunnel_end.ts";
import { CLIENT_ADDRESS, failRun } from "./run_state.ts";
import type { RunState } from "./run_state.ts";

/** What no server may send: the connection has to end, and everything on it. */
const GARBAGE: readonly ((id: number) => Uint8Array)[] = [
  () => frames.frame(frames.DATA, 0, 0, new Uint8Array(3)),
  (id) => frames.frame(frames.HEADERS, frames.END_HEADERS, id + 10_000, Uint8Array.of(0x88)),
  () => frames.frame(frames.PUSH_PROMISE, frames.END_HEADERS, 1, Uint8Array.of(0, 0, 0, 2)),
  (id) => frames.frame(frames.HEADERS, frames.END_HEADERS, id, Uint8Array.of(0xff, 0xff, 0xff)),
  () => frames.settings([[frames.SETTING_PUSH, 1]]),
  () => frames.windowUpdate(0, 0),
  () => new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
];

interface Call {
  readonly exchange: ScriptedExchange;
  received: number;
  /** What comes is broken, and must end before it is whole. */
  readonly isGarbage: boolean;
  tunnel: ScriptedTunnelEnd | null;
}

export class Http2OriginConnection implements Http2Listener {
  readonly #state: RunState;
  readonly #address: string;
  readonly #side: Side;
  readonly #peer: Http2Peer;
  /** Streams above it are not taken any more. */
  #lastTakenId = frames.ID_MAX;

  constructor(state: RunState, address: string, side: Side) {
    const { world } = state;
    this.#state = state;
    this.#address = address;
    this.#side = side;
    const isSlow = world.chance(0.2);
    const isSlowReader = world.chance(0.2);
    this.#peer = new Http2Peer(state, side, this, false, {
      send: { pieceBytes: isSlow ? 3_000 : 65_536, pauseMs: isSlow ? 2 : 0 },
      receive: { readBytes: isSlowReader ? 2_000 : 65_536, readPauseMs: isSlowReader ? 1 : 0 },
    });
    if (world.chance(0.2)) world.after(world.between(0, 500), () => this.#retire());
    if (world.chance(0.2)) this.#fidget();
  }

  /** Takes no more streams: those that are there end, and the proxy closes. */
  #retire(): void {
    if (this.#isGone) return;
    this.#peer.raw(frames.goaway(frames.ID_MAX, frames.NO_ERROR));
    if (this.#state.isCalm) return;
    this.#state.world.after(this.#state.world.between(0, 50), () => {
      if (this.#isGone) return;
      this.#lastTakenId = this.#peer.lastId;
      this.#peer.raw(frames.goaway(this.#lastTakenId, frames.NO_ERROR));
    });
  }

  /** What a server may say at any time. */
  #fidget(): void {
    const { world, isCalm } = this.#state;
    world.after(world.between(5, 200), () => {
      if (this.#isGone) return;
      const windows = isCalm ? [500, 20_000] : [0, 80, 65_536];
      const saying = world.pick([
        () => this.#peer.settings([[frames.SETTING_WINDOW, world.pick(windows)]]),
        () => this.#peer.settings([[frames.SETTING_STREAMS, world.pick([1, 5, 100])]]),
        () => this.#peer.raw(frames.frame(frames.PING, 0, 0, new Uint8Array(8))),
        () => this.#peer.raw(frames.frame(0x42, 0, 0, new Uint8Array(5))),
        () => this.#peer.raw(frames.windowUpdate(0, 1)),
      ]);
      saying();
      this.#fidget();
    });
  }

  get #isGone(): boolean {
    return this.#side.isClosed || this.#side.isReset || this.#side.hasSentEnd;
  }

  onHead(stream: PeerStream, fields: readonly HeaderField[], isEnd: boolean): void {
    if (stream.id > this.#lastTakenId) return;
    const name = valueOf(fields, "x-token");
    const exchange = this.#state.exchanges.get(Number(name));
    if (name === "garbage") {
      stream.owner = { exchange: null, received: 0, isGarbage: true, tunnel: null };
      return;
    }
    if (exchange === undefined) {
      this.#fail(`A request that was never sent: ${JSON.stringify(fields)}`);
    }
    const call: Call = { exchange, received: 0, isGarbage: false, tunnel: null };
    stream.owner = call;
    this.#checkHead(fields, exchange, isEnd);
    this.#state.carried(exchange, this.#side, this.#address);
    const { behavior } = exchange.answer;
    if (behavior === "refuse" && exchange.refusals === 0) {
      exchange.refusals++;
      return this.#peer.reset(stream, frames.REFUSED_STREAM);
    }
    this.#state.arrived(exchange);
    if (exchange.kind === "upgrade" && exchange.answer.status === 101) {
      this.#peer.head(stream, [[":status", "200"], ["x-token", name]], false);
      const wire = streamWire(this.#peer, stream);
      call.tunnel = new ScriptedTunnelEnd(this.#state, exchange, wire, false);
      return;
    }
    if (exchange.kind === "upgrade") return this.#answerSoon(stream, exchange);
    if (behavior.startsWith("early")) this.#answerSoon(stream, exchange);
    else if (isEnd) this.#answerSoon(stream, exchange);
  }

  #checkHead(fields: readonly HeaderField[], exchange: ScriptedExchange, isEnd: boolean): void {
    const { token, method, authority, framing, forwardedFor, bytes } = exchange;
    const one = (name: string, value: string) => {
      const values = valueOf(fields, name);
      if (values !== value) this.#fail(`Request ${token} has ${name} "${values}", not "${value}"`);
    };
    if (!exchange.origins.has(this.#address)) {
      this.#fail(`Request ${token} came to the wrong place`);
    }
    const isUpgrade = exchange.kind === "upgrade";
    one(":method", isUpgrade ? "CONNECT" : method);
    one(":protocol", isUpgrade ? "websocket" : "");
    one("sec-websocket-key", "");
    one(":path", `/t/${token}?q=${token}`);
    one(":scheme", "http");
    one(":authority", authority);
    one("x-padding", paddingOf(exchange));
    one("x-forwarded-for", `${forwardedFor === "" ? "" : `${forwardedFor}, `}${CLIENT_ADDRESS}`);
    one(POLICY_HEADER, this.#state.policyHeaderOf(exchange));
    one("content-length", framing === "length" ? `${bytes}` : "");
    for (const name of ["connection", "transfer-encoding", "keep-alive", "upgrade", "host"]) {
      one(name, "");
    }
    if (isEnd && bytes > 0) this.#fail(`Request ${token} is empty`);
    const regular = fields.findIndex(([name]) => !name.startsWith(":"));
    if (fields.slice(regular).some(([name]) => name.startsWith(":") || /[A-Z]/.test(name))) {
      this.#fail(`Request ${token} is malformed: ${JSON.stringify(fields)}`);
    }
  }

  onData(stream: PeerStream, bytes: Uint8Array, isEnd: boolean): void {
    const call = stream.owner as Call | null;
    if (call === null || call.isGarbage) {
      if (isEnd && call !== null) this.#fail("Garbage arrived in full");
      return;
    }
    if (call.tunnel !== null) {
      if (bytes.length > 0) call.tunnel.take(bytes);
      if (isEnd) call.tunnel.end();
      return;
    }
    const { exchange } = call;
    const wrong = wrongByte(exchange.token, REQUEST_BODY, call.received, bytes);
    if (wrong >= 0) this.#fail(`Byte ${wrong} of request ${exchange.token} is wrong`);
    call.received += bytes.length;
    if (isEnd) this.#whole(stream, call, []);
  }

  onTrailers(stream: PeerStream, fields: readonly HeaderField[]): void {
    const call = stream.owner as Call | null;
    if (call?.isGarbage) this.#fail("Garbage arrived in full");
    if (call !== null) this.#whole(stream, call, fields);
  }

  #whole(stream: PeerStream, { exchange, received }: Call, trailers: readonly HeaderField[]): void {
    const { token, framing, bytes, hasTrailers, mayLoseTrailers } = exchange;
    const expected = framing === "none" ? 0 : bytes;
    if (received !== expected) {
      this.#fail(`Request ${token} has ${received} of ${expected} bytes`);
    }
    const sum = valueOf(trailers, TRAILER);
    const isRight = sum === (hasTrailers ? `${token}` : "") ||
      (sum === "" && (mayLoseTrailers || this.#state.isTight));
    if (!isRight) this.#fail(`Request ${token} has trailers ${JSON.stringify(trailers)}`);
    if (!exchange.answer.behavior.startsWith("early")) this.#answerSoon(stream, exchange);
  }

  #answerSoon(stream: PeerStream, exchange: ScriptedExchange): void {
    this.#state.world.after(exchange.answer.delayMs, () => {
      if (!this.#isGone && !stream.isReset) this.#answer(stream, exchange);
    });
  }

  #answer(stream: PeerStream, exchange: ScriptedExchange): void {
    const { world } = this.#state;
    const { answer, token } = exchange;
    for (let i = 0; i < answer.interims; i++) {
      this.#peer.head(stream, [[":status", "103"], ["x-token", `${token}`]], false);
    }
    const hasBody = hasAnswerBody(exchange);
    const body = bodyOf(token, ANSWER_BODY, hasBody ? answer.bytes : 0);
    const cut = body.subarray(0, Math.floor(body.length * world.between(0, 99) / 100));
    const canSpoil = body.length > 0 || !/body|chunk/.test(answer.behavior);
    const send = (bytes: Uint8Array, isCut: boolean, then?: () => void) => {
      this.#peer.head(stream, answerFields(exchange), false);
      const trailers: HeaderField[] = answer.hasTrailers && hasBody ? [[TRAILER, `${token}`]] : [];
      this.#peer.body(stream, bytes, trailers, isCut, then);
    };
    switch (canSpoil ? answer.behavior : "answer") {
      case "silent":
        return;
      case "close-before":
        return this.#side.close();
      case "reset-before":
        if (world.chance(0.2)) return this.#side.reset();
        this.#state.hasReset(exchange, this.#side);
        return this.#peer.reset(stream, world.pick([1, 2, 5, 8, 11, 99]));
      case "cut-head":
        this.#peer.raw(frames.frame(frames.HEADERS, 0, stream.id, Uint8Array.of(0x88)));
        return this.#side.close();
      case "cut-body":
        return send(cut, true, () => this.#side.close());
      case "reset-body":
        return send(cut, true, () => this.#peer.reset(stream, world.pick([0, 2, 8])));
      case "stall-body":
        return send(cut, true);
      case "garbage":
        return this.#peer.raw(world.pick(GARBAGE)(this.#peer.lastId));
      case "bad-chunk":
        return this.#spoil(stream, exchange);
      case "extra":
        return send(
          body,
          false,
          () => this.#peer.raw(frames.frame(frames.DATA, frames.END_STREAM, stream.id)),
        );
      case "close-after":
        return send(body, false, () => this.#side.close());
      case "early-close":
        this.#peer.isDeaf = true;
        return send(body, false, () => this.#side.close());
      case "answer":
      case "refuse":
        if (!hasBody && world.chance(0.5)) {
          this.#state.endedHeads.add(token);
          return this.#peer.head(stream, answerFields(exchange), true);
        }
        return send(body, false);
      case "early":
        return send(body, false, () => {
          // It wants no more of the request (RFC 9113 8.1).
          if (world.chance(0.5)) this.#peer.reset(stream, frames.NO_ERROR);
        });
    }
  }

  /** A body of another length than its head says. */
  #spoil(stream: PeerStream, exchange: ScriptedExchange): void {
    const fields = answerFields(exchange).filter(([name]) => name !== "content-length");
    const body = bodyOf(exchange.token, ANSWER_BODY, exchange.answer.bytes);
    const wrong = this.#state.world.pick([body.length - 1, body.length + 1]);
    this.#peer.head(stream, [...fields, ["content-length", `${wrong}`]], false);
    this.#peer.body(stream, body);
  }

  onReset(): void {}
  onGoaway(): void {}
  onSettings(): void {}
  onStreamEnd(): void {}

  onClosed(): void {
    this.#side.close();
  }

  #fail(message: string): never {
    failRun(this.#state, `${this.#address} over HTTP/2: ${message}`);
  }
}

function answerFields({ token, answer }: ScriptedExchange): HeaderField[] {
  const fields: HeaderField[] = [[":status", `${answer.status}`], ["x-token", `${token}`]];
  if (answer.framing === "length" && answer.status !== 204) {
    fields.push(["content-length", `${answer.bytes}`]);
  }
  return fields;
}
