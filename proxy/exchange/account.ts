/**
 * Account: what is told of one exchange: to the counters, the access log and taps, and as a span. Reused by its exchange from one
 * to the next.
 */
import type { EndReason, Refusal } from "../../base/refusals.ts";
import type { Loop } from "../loop/loop.ts";
import type { Routed, Telemetry } from "../observe/telemetry.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { Response } from "../protocol/http1/response.ts";
import type { FieldList } from "../protocol/http2/hpack/field_list.ts";
import type { ClientFacts } from "../route/router.ts";
import type { ExchangeTrace, Tracer } from "../tracing/tracer.ts";
import { ReportedRequest } from "./report.ts";

export class Account {
  readonly #loop: Loop;
  readonly #telemetry: Telemetry;
  readonly #tracer: Tracer;
  /** Negative: of a copy, which its route counts by itself. */
  listener: number;
  /** Begun, and not closed yet. */
  isOpen = false;
  /** Null: the request says of traces what its client says. */
  trace: ExchangeTrace | null = null;
  /** Why the proxy answers or ends it; empty where it does not. */
  reason: EndReason = "";
  #status = 0;
  #startedMs = 0;
  /** A relayed connection has its endpoint. */
  #isRelaying = false;
  /** Null where requests are not reported. */
  #reported: ReportedRequest | null = null;

  constructor(loop: Loop, telemetry: Telemetry, tracer: Tracer, listener: number) {
    this.#loop = loop;
    this.#telemetry = telemetry;
    this.#tracer = tracer;
    this.listener = listener;
  }

  /** @param request null: its head could not be read */
  openRequest(request: Request | null, client: ClientFacts): void {
    const { arena, io } = this.#loop;
    const { reportedHeaders, texts } = this.#telemetry;
    this.#open();
    this.trace = request === null
      ? null
      : this.#tracer.begin(arena, request, this.listener, client.isSecure, io.nowMs);
    if (!this.#isWanted && !this.trace?.span) return;
    const text = texts.take();
    this.#reported = ReportedRequest.of(arena, request, client, this.trace, reportedHeaders, text);
  }

  /** @param authority what the client of the relayed connection wanted */
  openConnection(client: ClientFacts, authority: string): void {
    this.#open();
    this.trace = null;
    if (!this.#isWanted) return;
    this.#reported = ReportedRequest.ofConnection(client, authority, this.#telemetry.texts.take());
  }

  /** By a log or a tap. Of a copy nothing is told. */
  get #isWanted(): boolean {
    const { isReporting, accessLines } = this.#telemetry;
    return (isReporting || accessLines !== null) && this.listener >= 0;
  }

  #open(): void {
    this.isOpen = true;
    this.reason = "";
    this.#status = 0;
    this.#startedMs = this.#loop.io.nowMs;
    this.#isRelaying = false;
    this.#reported = null;
  }

  // What happens on the way.

  attemptStarted(): void {
    if (this.#reported !== null) this.#reported.attempts++;
  }

  /** @param endpoint the one that failed */
  retried(why: string, endpoint: string): void {
    this.#telemetry.counts.retries++;
    const timeMs = this.#tracer.wallMs(this.#loop.io.nowMs);
    this.trace?.span?.retries.push({ timeMs, reason: why, endpoint });
  }

  answerBegun(response: Response, isHead: boolean): void {
    this.#status = response.status;
    this.#reported?.answered(this.#loop.arena, response, isHead);
  }

  tunnelOpened({ status }: Response): void {
    this.#status = status;
  }

  trailersCame(fields: FieldList): void {
    this.#reported?.takeTrailers(fields);
  }

  /** @param isCall it is a call by gRPC */
  refused({ status, reason, grpcStatus }: Refusal, isCall: boolean): void {
    this.#status = status;
    this.reason = reason;
    if (isCall) this.#reported?.refusedCall(grpcStatus);
  }

  /** The answer is under way. @param isCall it is a call by gRPC */
  expired({ reason, grpcStatus }: Refusal, isCall: boolean): void {
    this.reason = reason;
    if (isCall) this.#reported?.refusedCall(grpcStatus);
  }

  relayStarted({ facts: { stats } }: Routed): void {
    this.#isRelaying = true;
    if (stats !== null) stats.connections.opened++;
  }

  bytesRelayed({ facts: { stats } }: Routed, isFromClient: boolean, count: number): void {
    this.#reported?.addBytes(isFromClient, count);
    if (stats === null) return;
    if (isFromClient) stats.connections.bytesFromClients += count;
    else stats.connections.bytesFromEndpoints += count;
  }

  // How it ends. Only the first counts.

  closeAnswered(routed: Routed): void {
    if (!this.#close()) return;
    const durationMs = this.#durationMs;
    const { reason } = this;
    this.#telemetry
      .answered(routed, this.#status, reason, durationMs, this.listener, this.#reported);
    this.#forget();
  }

  /** Without a whole answer. @param hasAnswer a part of one has been passed on */
  closeAbandoned(routed: Routed, hasAnswer: boolean): void {
    if (!this.#close()) return;
    const status = hasAnswer ? this.#status : 0;
    const reason = this.reason === "" ? "client-gone" : this.reason;
    const durationMs = this.#durationMs;
    this.#telemetry.abandoned(routed, status, reason, durationMs, this.listener, this.#reported);
    this.#forget();
  }

  closeConnection(routed: Routed): void {
    this.relayEnded(routed);
    if (!this.#close()) return;
    const durationMs = this.#durationMs;
    const { reason } = this;
    this.#telemetry.connectionEnded(routed, reason, durationMs, this.listener, this.#reported);
    this.#forget();
  }

  /** What was told is of no use any more. */
  #forget(): void {
    if (this.#reported === null) return;
    this.#telemetry.texts.giveBack(this.#reported.text);
    this.#reported = null;
  }

  /** The connection has no endpoint any more. */
  relayEnded({ facts: { stats } }: Routed): void {
    if (stats !== null && this.#isRelaying) stats.connections.closed++;
    this.#isRelaying = false;
  }

  #close(): boolean {
    const wasOpen = this.isOpen;
    this.isOpen = false;
    return wasOpen && this.listener >= 0;
  }

  get #durationMs(): number {
    return this.#loop.io.nowMs - this.#startedMs;
  }
}
