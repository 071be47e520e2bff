/**
 * Clients of the simulation. They send their exchanges over one connection (and over further ones, where the proxy
 * may close it), check every byte that comes back, and misbehave as they are told.
 */
import {
  ANSWER_BODY,
  hasAnswerBody,
  renderRequest,
  TRAILER,
  WEBSOCKET_KEY,
  wrongByte,
} from "./exchange.ts";
import type { ScriptedExchange } from "./exchange.ts";
import { BANNER } from "./origin.ts";
import { webSocketAcceptOf } from "../../proxy/protocol/websocket/handshake.ts";
import type { Side } from "./network.ts";
import { POLICY_HEADER } from "./policies.ts";
import { failRun, Listening } from "./run_state.ts";
import type { ReadPace, RunState } from "./run_state.ts";
import { ScriptedSender } from "./sender.ts";
import type { Pace } from "./sender.ts";
import { ScriptedTunnelEnd, socketWire } from "./tunnel_end.ts";
import { framingOf, NO_BODY, valuesOf, WireReader } from "./wire.ts";
import type { Framing, MessageHead, Receiver } from "./wire.ts";

/** What a misbehaving client does after it has sent, or received, so many bytes. */
export type Abort = "reset" | "close" | "end" | "stall";

export interface ClientPlan {
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
  /** Sent in place of the exchange with this index; -1: never. */
  readonly garbageAt: number;
  /** What is done when everything has been answered. */
  readonly finish: "close" | "wait";
}

const encoder = new TextEncoder();
const GARBAGE = [
  "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
  "GET /a b HTTP/1.1\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: svc0.sim\r\nx-token: garbage\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
  `GET /${"a".repeat(14_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  `GET / HTTP/1.1\r\nHost: a\r\nx: ${"a".repeat(62_000)}\r\n\r\n`,
  "GET / HTTP/1.1\nHost: a\n\n",
  "POST / HTTP/1.1\r\nHost: svc0.sim\r\nx-token: garbage\r\nTransfer-Encoding: chunked\r\n\r\n" +
  `${"3\r\nabc\r\n".repeat(3_000)}3 \r\n`,
  "\u0016\u0003\u0001\u0002\u0000\u0001\u0000",
];
/** Reasons with which the proxy may refuse a request that is well-formed. */
export const REASONS: ReadonlySet<string> = new Set([
  "request-timeout",
  "no-buffer",
  "body-too-large",
  "no-healthy-endpoint",
  "upstream-refused",
  "upstream-connect-timeout",
  "upstream-reset",
  "upstream-protocol",
  "upstream-invalid",
  "upstream-timeout",
  "upstream-tls-failed",
  "websocket-unsupported",
  "no-buffer",
]);

/** What a simulation waits for. */
export interface Actor {
  readonly isDone: boolean;
  dial(): void;
  /** What it is at, for a run that hangs. */
  describe(): string;
}

/** A client with all its connections, one after another. */
export class Client implements Actor {
  readonly plan: ClientPlan;
  /** Index of the first exchange that is not answered. */
  answered = 0;
  isDone = false;
  dials = 0;
  readonly #state: RunState;

  constructor(state: RunState, plan: ClientPlan) {
    this.#state = state;
    this.plan = plan;
  }

  get isFinished(): boolean {
    return this.answered >= this.plan.exchanges.length;
  }

  dial(): void {
    this.dials++;
    const side = this.#state.dial(this.plan.isInbound, this.plan.proxy, "http1");
    new ClientConnection(this.#state, this, side);
  }

  describe(): string {
    return `a client at exchange ${this.plan.exchanges[this.answered]?.token ?? "none"}`;
  }

  /** A connection is over. `mayClose`: the proxy had a reason that the client knows of. */
  ended(why: string, mayClose: boolean): void {
    const { isCalm, drainingMs, world } = this.#state;
    const isDraining = world.nowMs >= drainingMs;
    if (!isCalm || this.isFinished || isDraining) {
      this.isDone = true;
      return;
    }
    if (!mayClose) {
      const { token } = this.plan.exchanges[this.answered];
      failRun(this.#state, `Exchange ${token} was not answered: ${why}`);
    }
    this.dial();
  }
}

class ClientConnection implements Receiver {
  readonly #state: RunState;
  readonly #client: Client;
  readonly #side: Side;
  readonly #reader = new WireReader(this);
  readonly #sender: ScriptedSender;
  readonly #listening: Listening;
  #nextToSend: number;
  /** The exchange whose answer is being read; null between answers. */
  #current: ScriptedExchange | null = null;
  #isInterim = false;
  #received = 0;
  /** The current answer comes in chunks, and what its trailers said. */
  #isChunked = false;
  #trailer = "";
  #receivedTotal = 0;
  /** The body of a request that waits for `100 Continue`. */
  #held: (() => void) | null = null;
  /** Nothing follows what has been sent. */
  #hasSentLast = false;
  /** Garbage was sent: what comes back may be about it. */
  #hasSentGarbage = false;
  /** The last answer said that the connection ends with it, or the connection may end for another reason. */
  #mayClose = false;
  #mustClose = false;
  #tunnel: ScriptedTunnelEnd | null = null;
  #banner = "";
  #isOver = false;

  constructor(state: RunState, client: Client, side: Side) {
    this.#state = state;
    this.#client = client;
    this.#side = side;
    this.#nextToSend = client.answered;
    const { plan } = client;
    this.#sender = new ScriptedSender(state.world, side, plan.send);
    this.#sender.stopAt = plan.abortAtSent;
    this.#sender.onStop = () => this.#abort();
    this.#listening = new Listening(
      state,
      side,
      plan.receive,
      (bytes) => this.#take(bytes),
      () => this.#ended(),
      () => this.#wasReset(),
    );
    side.onChange = () => {
      if (!side.isEstablished && !side.isReset) return;
      if (side.isEstablished && !side.isReset && !this.#isOver) this.#sendNext();
      this.#listening.pump();
      this.#sender.pump();
    };
  }

  onHead(head: MessageHead): Framing {
    const status = Number(/^HTTP\/1\.1 (\d{3})( |$)/.exec(head.line)?.[1] ?? "0");
    if (status === 0) this.#fail(`Status line "${head.line}"`);
    if (this.#mustClose) this.#fail(`After an answer that was the last: ${head.line}`);
    const exchange = this.#client.plan.exchanges[this.#client.answered];
    const reason = valuesOf(head, "x-weft-reason").join("|");
    const isAsked = exchange !== undefined && this.#client.answered < this.#nextToSend;
    if (!isAsked && !this.#isUnaskedAllowed(reason)) this.#fail(`Unasked: ${head.line}`);
    this.#isInterim = status < 200 && status !== 101;
    if (this.#isInterim) {
      if (exchange?.minorVersion === 0) this.#fail("An interim answer to a client of HTTP/1.0");
      if (status === 100) this.#release();
      this.#current = exchange;
      return NO_BODY;
    }
    this.#release();
    this.#received = 0;
    this.#current = exchange;
    this.#mustClose = valuesOf(head, "connection").includes("close");
    if (!isAsked || (this.#hasSentGarbage && this.#isGarbageTurn())) {
      this.#mayClose = true;
      return framingOf(head, NO_BODY);
    }
    exchange.outcome = { status, reason, isWhole: false };
    const framing = reason === ""
      ? this.#checkAnswer(head, exchange, status)
      : this.#checkRefusal(head, exchange, reason);
    this.#isChunked = framing.kind === "chunked";
    this.#trailer = "";
    return framing;
  }

  onTrailer(line: string): void {
    this.#trailer += line;
  }

  onBody(bytes: Uint8Array): void {
    if (this.#tunnel !== null) return this.#takeTunnelled(bytes);
    const exchange = this.#current;
    if (exchange?.outcome?.reason === "") {
      const wrong = wrongByte(exchange.token, ANSWER_BODY, this.#received, bytes);
      if (wrong >= 0) this.#fail(`Byte ${wrong} of answer ${exchange.token} is wrong`);
    }
    this.#received += bytes.length;
  }

  onEnd(): void {
    if (this.#isInterim) return;
    const exchange = this.#current;
    this.#current = null;
    if (exchange === undefined || exchange === null || exchange.outcome === null) return;
    if (exchange.outcome.reason === "" && hasAnswerBody(exchange)) {
      this.#checkWhole(exchange);
    }
    exchange.outcome.isWhole = true;
    this.#client.answered++;
    if (exchange.answer.behavior.startsWith("early")) this.#mayClose = true;
    if (exchange.isClosing) this.#mustClose = true;
    this.#afterAnswer();
  }

  #isUnaskedAllowed(reason: string): boolean {
    // A request that was cut is answered 408; one that was garbled, with whatever is wrong about it.
    return reason === "request-timeout" || this.#hasSentGarbage;
  }

  #isGarbageTurn(): boolean {
    return this.#client.answered >= this.#client.plan.garbageAt;
  }

  #checkAnswer(head: MessageHead, exchange: ScriptedExchange, status: number): Framing {
    const { token, answer } = exchange;
    const tokens = valuesOf(head, "x-token").join("|");
    if (exchange.kind === "connect" && status === 200) {
      this.#startTunnel(exchange);
      return { kind: "tunnel" };
    }
    if (tokens !== `${token}`) this.#fail(`Answer ${tokens} in place of ${token}`);
    // It is between the proxy and the endpoint.
    if (valuesOf(head, "keep-alive").length > 0) this.#fail(`Answer ${token} has Keep-Alive`);
    if (status !== answer.status) this.#fail(`Answer ${token} has status ${status}`);
    if (exchange.kind === "upgrade" && status === 101) {
      const accept = valuesOf(head, "sec-websocket-accept").join();
      const isWebSocket = exchange.upgrade === "websocket";
      if (accept !== (isWebSocket ? webSocketAcceptOf(WEBSOCKET_KEY) : "")) {
        this.#fail(`Upgrade ${token} is accepted with "${accept}"`);
      }
      this.#startTunnel(exchange);
      return { kind: "tunnel" };
    }
    if (exchange.arrivals === 0) this.#fail(`Answer ${token} before the request`);
    const edit = valuesOf(head, POLICY_HEADER).join("|");
    if (edit !== this.#state.policyHeaderOf(exchange)) {
      this.#fail(`Answer ${token} has ${POLICY_HEADER} "${edit}"`);
    }
    if (!hasAnswerBody(exchange)) return NO_BODY;
    const framing = framingOf(head, { kind: "close" });
    if (framing.kind === "close") {
      this.#mustClose = true;
    }
    if (exchange.minorVersion === 0 && framing.kind === "chunked") {
      this.#fail(`Answer ${token} is chunked, to a client of HTTP/1.0`);
    }
    return framing;
  }

  #checkRefusal(head: MessageHead, exchange: ScriptedExchange, reason: string): Framing {
    const isExpected = this.#state.allows(reason);
    if (this.#state.isCalm && !isExpected) {
      this.#fail(`Exchange ${exchange.token} was refused: ${reason}`);
    }
    if (!isExpected && !REASONS.has(reason)) {
      this.#fail(`Exchange ${exchange.token} was misread: ${reason}`);
    }
    if (exchange.method !== "HEAD") return framingOf(head, NO_BODY);
    // Whether the proxy knew that it was HEAD depends on how much of the head it got. The connection ends anyway.
    if (reason === "request-timeout") this.#reader.isStopped = true;
    return NO_BODY;
  }

  #startTunnel(exchange: ScriptedExchange): void {
    const { exchanges } = this.#client.plan;
    this.#tunnel = new ScriptedTunnelEnd(
      this.#state,
      exchange,
      socketWire(this.#side, this.#sender),
      true,
    );
    this.#tunnel.onWhole = () => {
      this.#isOver = true;
      if (exchange.outcome !== null) exchange.outcome.isWhole = true;
      this.#client.answered = exchanges.length;
      this.#client.ended("the tunnel ended", true);
    };
  }

  #take(bytes: Uint8Array): void {
    this.#receivedTotal += bytes.length;
    if (this.#tunnel === null) this.#reader.feed(bytes);
    else this.#takeTunnelled(bytes);
    if (this.#receivedTotal >= this.#client.plan.abortAtReceived && !this.#isOver) this.#abort();
  }

  #takeTunnelled(bytes: Uint8Array): void {
    const exchange = this.#client.plan.exchanges[this.#client.answered];
    let from = 0;
    if (exchange.kind === "connect") {
      while (this.#banner.length < BANNER.length && from < bytes.length) {
        this.#banner += String.fromCharCode(bytes[from++]);
      }
      if (!BANNER.startsWith(this.#banner)) this.#fail(`A banner "${this.#banner}"`);
    }
    this.#tunnel?.take(bytes.subarray(from));
  }

  /** Sends as many requests as may be under way. */
  #sendNext(): void {
    const { exchanges, depth, garbageAt } = this.#client.plan;
    const state = this.#state;
    while (
      !this.#hasSentLast && this.#held === null && this.#nextToSend < exchanges.length &&
      this.#nextToSend < this.#client.answered + depth
    ) {
      const exchange = exchanges[this.#nextToSend];
      if (this.#nextToSend === garbageAt) {
        this.#hasSentGarbage = this.#hasSentLast = true;
        this.#sender.push(encoder.encode(state.world.pick(GARBAGE)));
        return;
      }
      this.#nextToSend++;
      this.#send(exchange);
    }
    const isLast = this.#nextToSend === exchanges.length && this.#held === null;
    if (!isLast || this.#hasSentLast) return;
    this.#hasSentLast = true;
  }

  #send(exchange: ScriptedExchange): void {
    const { world } = this.#state;
    exchange.sendings++;
    const [head, body] = renderRequest(world, exchange);
    if (exchange.isClosing || exchange.kind !== "request") this.#hasSentLast = true;
    if (!exchange.expectsContinue) {
      this.#sender.push(head, body);
    } else {
      this.#sender.push(head);
      const release = () => {
        if (this.#held !== release) return;
        this.#held = null;
        this.#sender.push(body);
        this.#sendNext();
      };
      this.#held = release;
      world.after(world.between(100, 800), release);
    }
    // The other end of this tunnel cannot know which one it is unless it is told.
    if (exchange.kind === "connect") this.#sender.push(encoder.encode(`${exchange.token}\n`));
  }

  /** Goes on with a request that waited for a word. */
  #release(): void {
    this.#held?.();
  }

  #afterAnswer(): void {
    const { plan } = this.#client;
    if (this.#mustClose) {
      // What was sent after it is not answered; this end may go first.
      if (this.#state.world.chance(0.3)) this.#close();
      return;
    }
    if (!this.#client.isFinished) {
      this.#sendNext();
      return;
    }
    if (plan.finish === "close") this.#close();
    if (plan.finish === "wait") this.#client.isDone = true;
  }

  #close(): void {
    this.#isOver = true;
    this.#side.close();
    this.#client.ended("the client closed", true);
  }

  #abort(): void {
    this.#sender.clear();
    this.#held = null;
    for (const exchange of this.#client.plan.exchanges) exchange.isAborted = true;
    // It waits for nothing; that the proxy gets rid of it is seen at the end of the run.
    this.#client.isDone = true;
    switch (this.#client.plan.abort) {
      case "reset":
        this.#isOver = true;
        this.#side.reset();
        return;
      case "close":
        this.#isOver = true;
        this.#side.close();
        return;
      case "end":
        this.#side.sendEnd();
        this.#hasSentLast = true;
        return;
      case "stall":
        this.#hasSentLast = true;
        // It may also stop reading.
        if (this.#state.world.chance(0.5)) this.#listening.isDeaf = true;
        return;
      case null:
        return;
    }
  }

  /** The proxy has ended the stream in order. */
  #ended(): void {
    if (this.#isOver) return;
    const exchange = this.#client.plan.exchanges[this.#client.answered];
    if (this.#tunnel !== null) {
      this.#tunnel.end();
      if (exchange?.isAborted) this.#close();
      return;
    }
    this.#isOver = true;
    if (this.#reader.isUntilClose) this.#endAnswer(exchange);
    else if (!this.#reader.isBetween && this.#state.isCalm) {
      this.#fail(`Answer ${exchange.token} was cut`);
    }
    this.#side.close();
    this.#client.ended("the proxy closed", this.#mayClose || this.#mustClose);
  }

  /** An answer has ended in order. Only an endpoint that ends its answers with the connection may have made it shorter. */
  #checkWhole(exchange: ScriptedExchange): void {
    const { token, answer } = exchange;
    const received = this.#received;
    if (received !== answer.bytes && !this.#state.mayBeShort(exchange, received)) {
      this.#fail(`Answer ${token} ended in order after ${received} of ${answer.bytes} bytes`);
    }
    const trailer = answer.hasTrailers ? `${TRAILER}: ${token}` : "";
    const isLost = this.#trailer === "" && this.#state.isTight;
    if (this.#isChunked && this.#trailer !== trailer && !isLost) {
      this.#fail(`Answer ${token} has trailers "${this.#trailer}", not "${trailer}"`);
    }
  }

  /** An answer that lasts until the end of the stream. */
  #endAnswer(exchange: ScriptedExchange): void {
    this.#checkWhole(exchange);
    if (exchange.outcome !== null) exchange.outcome.isWhole = true;
    this.#client.answered++;
  }

  #wasReset(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sender.clear();
    const isAfterLast = this.#mustClose && this.#current === null;
    this.#client.ended("the connection was reset", this.#mayClose || isAfterLast);
  }

  #fail(message: string): never {
    failRun(this.#state, `Client: ${message}`);
  }
}
