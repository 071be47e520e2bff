/**
 * Exchanges: what each simulated request and its answer shall be, drawn from the seed, and how both look on the
 * wire. The token of an exchange is in every byte of its bodies, so a byte in the wrong place shows.
 */
import type { World } from "./world.ts";

export type BodyFraming = "none" | "length" | "chunked" | "close";

/** What the endpoint does with a request. `answer` is what a well-behaved one does. */
export type Behavior =
  | "answer"
  /** Answers at the request's head, and reads the rest. */
  | "early"
  /** Answers at the request's head, and closes with the rest unread. */
  | "early-close"
  | "silent"
  | "close-before"
  | "reset-before"
  | "cut-head"
  /** Sends part of the body, and then ends, resets or says no more. */
  | "cut-body"
  | "reset-body"
  | "stall-body"
  | "garbage"
  | "bad-chunk"
  /** HTTP/2 only: takes the request at the second try. */
  | "refuse"
  /** Sends a second, unasked answer, in one piece with the first. */
  | "extra"
  /** Answers as if the connection stayed open, and closes it. */
  | "close-after";

export interface EndpointAnswer {
  readonly behavior: Behavior;
  readonly status: number;
  readonly minorVersion: 0 | 1;
  readonly framing: BodyFraming;
  readonly bytes: number;
  readonly isClosing: boolean;
  /** Interim answers before the final one. */
  readonly interims: number;
  /** Its body, which is chunked, ends with trailers. */
  readonly hasTrailers: boolean;
  readonly delayMs: number;
  /** The most that is sent at once, and the pause after it. */
  readonly pieceBytes: number;
  readonly pauseMs: number;
}

export type HttpVersion = "http1" | "http2";
export type ExchangeKind = "request" | "upgrade" | "connect";

export interface ScriptedExchange {
  readonly token: number;
  readonly kind: ExchangeKind;
  /** What an upgrade is asked to; empty for every other kind. */
  readonly upgrade: "" | "simulation" | "websocket";
  /** What the client speaks, and what its endpoint is to be spoken to in. */
  readonly protocol: HttpVersion;
  readonly endpointProtocol: HttpVersion;
  readonly authority: string;
  /** The Service that it asks for; empty where it comes to the listener of the application. */
  readonly service: string;
  /** The endpoints that may get it. */
  readonly origins: ReadonlySet<string>;
  readonly method: string;
  readonly minorVersion: 0 | 1;
  readonly isAbsolute: boolean;
  readonly framing: "none" | "length" | "chunked";
  readonly bytes: number;
  /** Its body, which is chunked, ends with trailers. */
  readonly hasTrailers: boolean;
  readonly isClosing: boolean;
  /** Of its head, to make heads of different lengths. */
  readonly paddingBytes: number;
  readonly expectsContinue: boolean;
  /** What the client says of whom it forwards for; empty: nothing. */
  readonly forwardedFor: string;
  readonly answer: EndpointAnswer;
  /** Bytes that each end of a tunnel sends. */
  readonly tunnelBytes: readonly [number, number];

  /** How often the client began to send it, and endpoints began to get it. */
  sendings: number;
  arrivals: number;
  /** Copies of it that began to arrive where copies go. */
  copies: number;
  firstArrivalMs: number;
  /** How often an endpoint said that it took no part in it. */
  refusals: number;
  /** The client sent it before it knew how much the proxy takes: trailers may be left out. */
  mayLoseTrailers: boolean;
  /** The client gave up; a tunnel may end early. */
  isAborted: boolean;
  /** The final answer, once its head has arrived; `isWhole` once all of it has. */
  outcome: { readonly status: number; readonly reason: string; isWhole: boolean } | null;
}

/** Of every client of HTTP/1.1 that asks for WebSocket. */
export const WEBSOCKET_KEY = "dGhlIHNhbXBsZSBub25jZQ==";
/** The trailer of messages that have one; its value is the token. */
export const TRAILER = "x-sum";

/** Which body a byte belongs to. */
export const REQUEST_BODY = 0;
export const ANSWER_BODY = 1;
export const TUNNEL_OUT = 2;
export const TUNNEL_BACK = 3;

/** Byte `index` of a body. */
export function byteAt(token: number, body: number, index: number): number {
  const key = Math.imul(token * 4 + body + 1, 0x9e3779b1) >>> 8;
  return (key + Math.imul(index, 7) + Math.imul(index >>> 8, key | 1)) & 255;
}

export function bodyOf(token: number, body: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index++) bytes[index] = byteAt(token, body, index);
  return bytes;
}

/** The index of the first byte that is not that of the body; -1 where all are. */
export function wrongByte(token: number, body: number, from: number, bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] !== byteAt(token, body, from + i)) return from + i;
  }
  return -1;
}

export function isIdempotent({ method }: ScriptedExchange): boolean {
  return method !== "POST" && method !== "PATCH" && method !== "CONNECT";
}

export function hasAnswerBody({ method, answer }: ScriptedExchange): boolean {
  return method !== "HEAD" && answer.status !== 204 && answer.status !== 304;
}

const encoder = new TextEncoder();

export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function chunked(world: World, body: Uint8Array, trailers: string): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < body.length;) {
    const part = body.subarray(at, at + world.skewed(20_000));
    const extension = world.chance(0.1) ? ";part=1" : "";
    parts.push(encoder.encode(`${part.length.toString(16)}${extension}\r\n`));
    parts.push(part, encoder.encode("\r\n"));
    at += part.length;
  }
  parts.push(encoder.encode(`0\r\n${trailers}\r\n`));
  return concatenate(parts);
}

function head(lines: readonly string[]): Uint8Array {
  return encoder.encode(`${lines.join("\r\n")}\r\n\r\n`);
}

/** As `Exchange.paddingBytes`, of an answer. */
function padding(world: World): string[] {
  if (!world.chance(0.3)) return [];
  return [`x-padding: ${"p".repeat(world.skewed(world.chance(0.2) ? 9_000 : 300))}`];
}

/** Text that shows where a byte of it is missing, or is another's. */
export function paddingOf({ token, paddingBytes }: ScriptedExchange): string {
  return `${token}.`.repeat(paddingBytes).slice(0, paddingBytes);
}

/** The request in two parts: what is sent at once, and what may have to wait for `100 Continue`. */
export function renderRequest(
  world: World,
  exchange: ScriptedExchange,
): readonly [Uint8Array, Uint8Array] {
  const { token, kind, authority, method, minorVersion, framing, bytes } = exchange;
  const path = `/t/${token}?q=${token}`;
  const target = kind === "connect"
    ? authority
    : exchange.isAbsolute
    ? `http://${authority}${path}`
    : path;
  const lines = [
    `${method} ${target} HTTP/1.${minorVersion}`,
    `Host: ${authority}`,
    `x-token: ${token}`,
    ...(exchange.paddingBytes === 0 ? [] : [`x-padding: ${paddingOf(exchange)}`]),
  ];
  if (kind === "upgrade") lines.push("Connection: upgrade", `Upgrade: ${exchange.upgrade}`);
  else if (exchange.isClosing && minorVersion === 1) lines.push("Connection: close");
  else if (!exchange.isClosing && minorVersion === 0) lines.push("Connection: keep-alive");
  if (exchange.upgrade === "websocket") {
    lines.push(`Sec-WebSocket-Key: ${WEBSOCKET_KEY}`, "Sec-WebSocket-Version: 13");
  }
  if (exchange.forwardedFor !== "") lines.push(`X-Forwarded-For: ${exchange.forwardedFor}`);
  if (exchange.expectsContinue) lines.push("Expect: 100-continue");
  if (framing === "length") lines.push(`Content-Length: ${bytes}`);
  if (framing === "chunked") lines.push("Transfer-Encoding: chunked");
  const body = framing === "none" ? new Uint8Array() : bodyOf(token, REQUEST_BODY, bytes);
  const trailers = exchange.hasTrailers ? `${TRAILER}: ${token}\r\n` : "";
  return [head(lines), framing === "chunked" ? chunked(world, body, trailers) : body];
}

interface RenderedAnswer {
  readonly head: Uint8Array;
  readonly body: Uint8Array;
  /** How long the endpoint says that it keeps the connection; `Infinity`: it does not say. */
  readonly keepAliveMs: number;
}

export function renderEndpointAnswer(world: World, exchange: ScriptedExchange): RenderedAnswer {
  const { token, answer } = exchange;
  const lines = [
    `HTTP/1.${answer.minorVersion} ${answer.status} ${world.chance(0.5) ? "Simulated" : ""}`,
    `x-token: ${token}`,
    ...padding(world),
  ];
  if (answer.isClosing) lines.push("Connection: close");
  else if (answer.minorVersion === 0 && answer.framing !== "close") {
    lines.push("Connection: keep-alive");
  }
  const keepAliveMs = !answer.isClosing && world.chance(0.3) ? 1_000 : Infinity;
  if (keepAliveMs < Infinity) lines.push("Keep-Alive: max=100, timeout=1");
  if (answer.status === 204) return { head: head(lines), body: new Uint8Array(), keepAliveMs };
  if (answer.framing === "length") lines.push(`Content-Length: ${answer.bytes}`);
  if (answer.framing === "chunked") lines.push("Transfer-Encoding: chunked");
  if (!hasAnswerBody(exchange)) return { head: head(lines), body: new Uint8Array(), keepAliveMs };
  const body = bodyOf(token, ANSWER_BODY, answer.bytes);
  if (answer.framing !== "chunked") return { head: head(lines), body, keepAliveMs };
  const trailers = answer.hasTrailers ? `${TRAILER}: ${token}\r\n` : "";
  return { head: head(lines), body: chunked(world, body, trailers), keepAliveMs };
}

/** An answer that must never reach a client. */
export function renderPoison(): Uint8Array {
  return encoder.encode("HTTP/1.1 200 OK\r\nx-token: poison\r\ncontent-length: 6\r\n\r\npoison");
}
