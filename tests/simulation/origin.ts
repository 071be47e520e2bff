/**
 * Endpoints of the simulation. They check every byte that reaches them against the exchange that its token names,
 * and answer, or misbehave, as the exchange says.
 */
import {
  concatenate,
  hasAnswerBody,
  paddingOf,
  renderEndpointAnswer,
  renderPoison,
  REQUEST_BODY,
  TRAILER,
  wrongByte,
} from "./exchange.ts";
import { webSocketAcceptOf } from "../../proxy/protocol/websocket/handshake.ts";
import type { ScriptedExchange } from "./exchange.ts";
import type { Side } from "./network.ts";
import { POLICY_HEADER } from "./policies.ts";
import { CLIENT_ADDRESS, failRun, Listening } from "./run_state.ts";
import type { RunState } from "./run_state.ts";
import { ScriptedSender } from "./sender.ts";
import { TlsSide } from "./tls_side.ts";
import { ScriptedTunnelEnd, socketWire } from "./tunnel_end.ts";
import { framingOf, NO_BODY, valuesOf, WireReader } from "./wire.ts";
import type { Framing, MessageHead, Receiver } from "./wire.ts";

const encoder = new TextEncoder();
const TIMEOUT = "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
/** What an endpoint may say between requests. Empty: nothing but its end. */
const STRAYS = [
  "",
  "\r\n",
  TIMEOUT,
  "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstray",
  "HTTP/1.1 200 OK\r\n",
];
/** The time within which an answer is read where nothing holds the proxy up. */
const TAKEN_MS = 100;
/** What the port for tunnels says before it is spoken to. */
export const BANNER = "220 simulation\n";

/** An HTTP endpoint's end of one connection. */
export class OriginConnection implements Receiver {
  readonly #state: RunState;
  readonly #address: string;
  readonly #side: Side;
  readonly #reader = new WireReader(this);
  readonly #sender: ScriptedSender;
  readonly #listening: Listening;
  #exchange: ScriptedExchange | null = null;
  #tunnel: ScriptedTunnelEnd | null = null;
  #received = 0;
  #trailer = "";
  #hasRequest = false;
  #hasAnswered = false;
  /** What comes is broken, and must end before it is whole. */
  #isGarbage = false;
  /** Something was said that was not asked for, or the time is over that the connection was to be kept. */
  #hasStrayed = false;
  /** Exchanges that it has carried. */
  #carried = 0;
  #keepAliveMs = Infinity;
  /** 408 was said when the request was on its way already: it has not been looked at. */
  #isTimedOut = false;

  constructor(state: RunState, address: string, side: Side) {
    const { world } = state;
    this.#state = state;
    this.#address = address;
    this.#side = side;
    this.#sender = new ScriptedSender(world, side, { pieceBytes: 65_536, pauseMs: 0 });
    const isSlow = world.chance(0.2);
    this.#listening = new Listening(
      state,
      side,
      { readBytes: isSlow ? 2_000 : 65_536, readPauseMs: isSlow ? 1 : 0 },
      (bytes) => this.#tunnel === null ? this.#reader.feed(bytes) : this.#tunnel.take(bytes),
      () => this.#ended(),
      () => this.#sender.clear(),
    );
    side.onChange = () => {
      this.#listening.pump();
      this.#sender.pump();
    };
    side.onChange();
  }

  onHead(head: MessageHead): Framing {
    if (this.#hasStrayed) this.#fail("A request on a connection that was of no more use");
    const [name] = valuesOf(head, "x-token");
    this.#isGarbage = name === "garbage";
    if (this.#isGarbage) return framingOf(head, NO_BODY);
    const token = Number(name);
    const exchange = this.#state.exchanges.get(token);
    if (exchange === undefined) this.#fail(`A request that was never sent: ${head.line}`);
    if (this.#exchange !== null) this.#fail(`Request ${token} before the answer to the last`);
    if (this.#timesOut(exchange)) return NO_BODY;
    this.#exchange = exchange;
    this.#carried++;
    this.#trailer = "";
    this.#received = 0;
    this.#hasRequest = false;
    this.#hasAnswered = false;
    this.#checkHead(head, exchange);
    const { answer } = exchange;
    this.#sender.pace = answer;
    if (exchange.expectsContinue && answer.behavior === "answer") {
      this.#sender.push(encoder.encode("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    if (exchange.kind === "upgrade" && answer.status === 101) {
      this.#switch(exchange, valuesOf(head, "sec-websocket-key").join());
      return { kind: "tunnel" };
    }
    if (answer.behavior.startsWith("early")) this.#answerSoon(exchange);
    return framingOf(head, NO_BODY);
  }

  /** Says that the client has been silent for too long, when it no longer is: what it sent is taken for never seen. */
  #timesOut({ kind, framing }: ScriptedExchange): boolean {
    const mayTime = this.#carried > 0 && kind === "request" && framing === "none";
    if (!mayTime || !this.#state.world.chance(0.05)) return false;
    this.#isTimedOut = true;
    this.#hasStrayed = true;
    this.#sender.push(encoder.encode(TIMEOUT), () => this.#side.close());
    return true;
  }

  onBody(bytes: Uint8Array): void {
    if (this.#isGarbage) return;
    const exchange = this.#current();
    if (exchange.kind === "upgrade" && this.#tunnel !== null) return this.#tunnel.take(bytes);
    const wrong = wrongByte(exchange.token, REQUEST_BODY, this.#received, bytes);
    if (wrong >= 0) this.#fail(`Byte ${wrong} of request ${exchange.token} is wrong`);
    this.#received += bytes.length;
  }

  onEnd(): void {
    if (this.#isGarbage) this.#fail("Garbage arrived in full");
    if (this.#isTimedOut) return;
    const exchange = this.#current();
    const expected = exchange.framing === "none" ? 0 : exchange.bytes;
    if (this.#received !== expected) {
      this.#fail(`Request ${exchange.token} has ${this.#received} of ${expected} bytes`);
    }
    const trailer = exchange.hasTrailers ? `${TRAILER}: ${exchange.token}` : "";
    const isLost = this.#trailer === "" && (exchange.mayLoseTrailers || this.#state.isTight);
    if (this.#trailer !== trailer && !isLost) {
      this.#fail(`Request ${exchange.token} has trailers "${this.#trailer}", not "${trailer}"`);
    }
    this.#hasRequest = true;
    if (exchange.answer.behavior.startsWith("early")) this.#finish();
    else this.#answerSoon(exchange);
  }

  #checkHead(head: MessageHead, exchange: ScriptedExchange): void {
    const { token, kind, method, authority } = exchange;
    const line = `${method} /t/${token}?q=${token} HTTP/1.1`;
    if (head.line !== line) this.#fail(`"${head.line}" is not "${line}"`);
    if (!exchange.origins.has(this.#address)) {
      this.#fail(`Request ${token} came to the wrong place`);
    }
    const one = (name: string, value: string) => {
      const values = valuesOf(head, name).join("|");
      if (values !== value) this.#fail(`Request ${token} has ${name} "${values}", not "${value}"`);
    };
    one("host", authority);
    one("x-padding", paddingOf(exchange));
    const { forwardedFor } = exchange;
    one("x-forwarded-for", `${forwardedFor === "" ? "" : `${forwardedFor}, `}${CLIENT_ADDRESS}`);
    one(POLICY_HEADER, this.#state.policyHeaderOf(exchange));
    one("upgrade", exchange.upgrade);
    one("connection", kind === "upgrade" ? "upgrade" : "");
    one("content-length", exchange.framing === "length" ? `${exchange.bytes}` : "");
    one("transfer-encoding", exchange.framing === "chunked" ? "chunked" : "");
    this.#state.carried(exchange, this.#side, this.#address);
    this.#state.arrived(exchange);
  }

  onTrailer(line: string): void {
    this.#trailer += line;
  }

  #switch(exchange: ScriptedExchange, key: string): void {
    const { token, upgrade } = exchange;
    const accept = upgrade === "websocket"
      ? `sec-websocket-accept: ${webSocketAcceptOf(key)}\r\n`
      : "";
    const lines = `HTTP/1.1 101 Switching\r\nx-token: ${token}\r\n` +
      `connection: upgrade\r\nupgrade: ${upgrade}\r\n${accept}\r\n`;
    this.#sender.push(encoder.encode(lines));
    this.#tunnel = new ScriptedTunnelEnd(
      this.#state,
      exchange,
      socketWire(this.#side, this.#sender),
      false,
    );
  }

  #answerSoon(exchange: ScriptedExchange): void {
    this.#state.world.after(exchange.answer.delayMs, () => {
      if (!this.#side.isClosed && !this.#side.isReset) this.#answer(exchange);
    });
  }

  #answer(exchange: ScriptedExchange): void {
    const { world } = this.#state;
    const { answer, token } = exchange;
    const { head, body, keepAliveMs } = renderEndpointAnswer(world, exchange);
    this.#keepAliveMs = keepAliveMs;
    if (!hasAnswerBody(exchange)) this.#state.endedHeads.add(token);
    for (let i = 0; i < answer.interims; i++) {
      this.#sender.push(encoder.encode(`HTTP/1.1 103 Early Hints\r\nx-token: ${token}\r\n\r\n`));
    }
    const cut = Math.floor(body.length * world.between(0, 99) / 100);
    const end = () => this.#side.close();
    const reset = () => this.#side.reset();
    // Without a body there is nothing to spoil.
    const canSpoil = body.length > 0 || !/body|chunk/.test(answer.behavior);
    switch (canSpoil ? answer.behavior : "answer") {
      case "silent":
        return;
      case "close-before":
        return end();
      case "reset-before":
        return reset();
      case "cut-head":
        return this.#sender.push(head.subarray(0, head.length / 2), world.pick([end, reset]));
      case "cut-body": {
        const side = this.#side;
        // An attacker in between has cut it: the end is not the endpoint's.
        if (side instanceof TlsSide && world.chance(0.8)) {
          return this.#sender.push(head, body.subarray(0, cut), () => side.truncate());
        }
        this.#state.cuts.set(token, cut);
        return this.#sender.push(head, body.subarray(0, cut), end);
      }
      case "reset-body":
        return this.#sender.push(head, body.subarray(0, cut), reset);
      case "stall-body":
        return this.#sender.push(head, body.subarray(0, cut));
      case "garbage":
        return this.#sender.push(encoder.encode("HTTP/1.1 2x0 Fine\r\n\r\n"));
      case "bad-chunk":
        return this.#sender.push(head, encoder.encode("zz\r\n"));
      case "extra":
        return this.#answerTwice(concatenate([head, body]));
      case "early-close":
        this.#listening.isDeaf = true;
        return this.#sender.push(head, body, end);
      case "close-after":
        return this.#sender.push(head, body, end);
      case "answer":
      case "early":
      case "refuse":
        return this.#sender.push(head, body, () => {
          this.#hasAnswered = true;
          this.#finish();
        });
    }
  }

  /** In one piece or not at all: in two, it could not be told the second answer from the next one. */
  #answerTwice(answer: Uint8Array): void {
    const both = concatenate([answer, renderPoison()]);
    if (this.#side.isClear && this.#side.room >= both.length && both.length < 8_000) {
      return this.#side.send(both);
    }
    this.#sender.push(answer, () => {
      this.#hasAnswered = true;
      this.#finish();
    });
  }

  #finish(): void {
    if (!this.#hasAnswered || !this.#hasRequest) return;
    const exchange = this.#current();
    const { answer } = exchange;
    this.#exchange = null;
    const isUntilClose = answer.framing === "close" && hasAnswerBody(exchange);
    if (answer.isClosing || isUntilClose) return this.#side.close();
    const { world, isBrisk } = this.#state;
    if (this.#keepAliveMs < Infinity) this.#expireLater(this.#carried);
    if (!world.chance(isBrisk ? 0.7 : 0.2)) return;
    world.after(world.pick([0, 0, world.between(0, 100)]), () => this.#stray());
  }

  /** The connection is of no more use when it has been idle for as long as was said. */
  #expireLater(carried: number): void {
    const { world, isTight } = this.#state;
    // Under TLS, an end cannot tell what the other has read.
    if (isTight || this.#side instanceof TlsSide) return;
    const isIdle = () => carried === this.#carried && this.#reader.isBetween && this.#side.isQuiet;
    world.after(TAKEN_MS, () => {
      // Until the proxy has read the answer it cannot know.
      if (!this.#side.isClear || !isIdle()) return;
      // The endpoint may take its time to end the connection, but what still comes counts for nothing.
      world.after(this.#keepAliveMs, () => this.#hasStrayed ||= isIdle());
    });
  }

  /** Says something between requests. Only where no request can be under way meanwhile: who could tell them apart? */
  #stray(): void {
    const { world, network: { weather } } = this.#state;
    const side = this.#side;
    const isUnasked = this.#exchange === null && this.#reader.isBetween && side.isQuiet;
    const isIdle = isUnasked && !side.isClosed && !side.isReset;
    if (!isIdle || weather.delayMaxMs > 0 || weather.late > 0 || !this.#sender.isIdle) return;
    this.#hasStrayed = true;
    const stray = world.pick(STRAYS);
    if (stray !== "") this.#sender.push(encoder.encode(stray));
    if (stray === "" && world.chance(0.5)) side.sendEnd();
    else if (stray === "" || world.chance(0.5)) this.#sender.push(() => side.close());
  }

  #ended(): void {
    if (this.#tunnel !== null) return this.#tunnel.end();
    // The proxy ends a connection that it has no use for, or with it a request that was cut.
    this.#side.close();
  }

  #current(): ScriptedExchange {
    return this.#exchange ?? this.#fail("Bytes of no request");
  }

  #fail(message: string): never {
    failRun(this.#state, `${this.#address}: ${message}`);
  }
}

/** The end of a CONNECT tunnel: it speaks first, and is then told which exchange this is. */
export class TunnelOrigin {
  readonly #state: RunState;
  readonly #side: Side;
  readonly #sender: ScriptedSender;
  #line = "";
  #tunnel: ScriptedTunnelEnd | null = null;

  constructor(state: RunState, side: Side) {
    this.#state = state;
    this.#side = side;
    this.#sender = new ScriptedSender(state.world, side, { pieceBytes: 5_000, pauseMs: 1 });
    const listening = new Listening(
      state,
      side,
      { readBytes: 5_000, readPauseMs: 0 },
      (bytes) => this.#take(bytes),
      () => this.#tunnel === null ? side.close() : this.#tunnel.end(),
      () => this.#sender.clear(),
    );
    side.onChange = () => {
      listening.pump();
      this.#sender.pump();
    };
    this.#sender.push(encoder.encode(BANNER));
    side.onChange();
  }

  #take(bytes: Uint8Array): void {
    if (this.#tunnel !== null) return this.#tunnel.take(bytes);
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] !== 10) {
        this.#line += String.fromCharCode(bytes[i]);
        continue;
      }
      const exchange = this.#state.exchanges.get(Number(this.#line));
      if (exchange === undefined) {
        failRun(this.#state, `An unasked tunnel: ${this.#line}`);
      }
      this.#state.arrived(exchange);
      this.#tunnel = new ScriptedTunnelEnd(
        this.#state,
        exchange,
        socketWire(this.#side, this.#sender),
        false,
      );
      if (i + 1 < bytes.length) this.#tunnel.take(bytes.subarray(i + 1));
      return;
    }
  }
}
