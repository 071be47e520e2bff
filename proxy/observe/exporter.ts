/**
 * SpanExporter: sends finished spans to a collector, in batches, off the data path. What it holds is bounded, whatever becomes
 * of the collector: spans that find no room are dropped and counted, and no request ever waits for one.
 */
import { directClient } from "../../base/direct_client.ts";
import { countsOf, type MetricSample, samplesOf } from "../../base/metrics.ts";
import type { SpanExport } from "../config.ts";
import { SPAN_FLUSH_MS, SPAN_RETRY_MAX_MS } from "../limits.ts";
import { encodeSpans } from "./otlp.ts";
import { SPANS } from "./metrics.ts";
import type { FinishedSpan } from "./request_record.ts";

/** Worth another try (OTLP 1, section "Failures"); anything else is the batch's own fault. */
const RETRYABLE: readonly number[] = [429, 502, 503, 504];

/** The way to a collector. */
interface CollectorClient {
  /** Sends one batch; the status of its answer. Rejects where the collector cannot be reached. */
  post(body: string, signal: AbortSignal): Promise<number>;
  close(): void;
}

interface ExporterHooks {
  readonly collector: CollectorClient;
  /** Spans are no longer exported, or are again. */
  onProblem(message: string, fields: Readonly<Record<string, string | number>>): void;
}

export class SpanExporter {
  readonly #counts = countsOf(SPANS, {});
  readonly #settings: SpanExport;
  readonly #hooks: ExporterHooks;
  readonly #flushMs: number;
  #queue: FinishedSpan[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sending: Promise<void> | null = null;
  /** Failures in a row. */
  #failures = 0;
  #isStopped = false;
  /** Aborted when the time for the last spans is over. */
  readonly #stop = new AbortController();

  /** @param flushMs how long `stop` may take */
  constructor(settings: SpanExport, hooks: ExporterHooks, flushMs = SPAN_FLUSH_MS) {
    this.#settings = settings;
    this.#hooks = hooks;
    this.#flushMs = flushMs;
  }

  /** What became of spans. `dropped`: no room was left, or the collector did not come back in time. */
  get counts(): Readonly<Record<"exported" | "dropped" | "refused", number>> {
    return this.#counts.spans;
  }

  get samples(): MetricSample[] {
    return samplesOf(this.#counts);
  }

  offer(spans: readonly FinishedSpan[]): void {
    if (this.#isStopped) return;
    const room = Math.max(0, this.#settings.queueMax - this.#queue.length);
    this.#queue.push(...spans.slice(0, room));
    this.#counts.spans.dropped += Math.max(0, spans.length - room);
    if (this.#sending === null) this.#schedule();
  }

  /** Sends what is left, within a bound, and takes no more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    const timer = setTimeout(() => this.#stop.abort(), this.#flushMs);
    await this.#sending;
    while (this.#queue.length > 0 && this.#failures === 0) await this.#sendBatch();
    clearTimeout(timer);
    this.#counts.spans.dropped += this.#queue.length;
    this.#queue = [];
    this.#hooks.collector.close();
  }

  /** Sends a batch that is full at once and another one later, and later still after each failure. */
  #schedule(): void {
    if (this.#isStopped || this.#queue.length === 0) return;
    const { batchMax, delayMs } = this.#settings;
    if (this.#failures > 0) {
      this.#sendIn(Math.min(SPAN_RETRY_MAX_MS, delayMs * 2 ** this.#failures));
    } else if (this.#queue.length >= batchMax) this.#send();
    else this.#sendIn(delayMs);
  }

  #sendIn(delayMs: number): void {
    this.#timer ??= setTimeout(() => this.#send(), delayMs);
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending = this.#sendBatch().then(() => {
      this.#sending = null;
      this.#schedule();
    });
  }

  /** Never rejects. */
  async #sendBatch(): Promise<void> {
    const { batchMax, resource, timeoutMs } = this.#settings;
    const batch = this.#queue.slice(0, batchMax);
    let problem: string;
    let isFinal = false;
    try {
      const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), this.#stop.signal]);
      const status = await this.#hooks.collector.post(encodeSpans(batch, resource), signal);
      if (status >= 200 && status < 300) return this.#sent(batch.length);
      problem = `the collector answered ${status}`;
      isFinal = !RETRYABLE.includes(status);
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    if (this.#failures++ === 0) {
      this.#hooks.onProblem("Spans are not exported", { url: this.#settings.url, cause: problem });
    }
    if (!isFinal) return;
    this.#queue.splice(0, batch.length);
    this.#counts.spans.refused += batch.length;
  }

  #sent(count: number): void {
    this.#queue.splice(0, count);
    this.#counts.spans.exported += count;
    if (this.#failures === 0) return;
    this.#failures = 0;
    const { dropped, refused } = this.counts;
    this.#hooks.onProblem("Spans are exported again", { dropped, refused });
  }
}

/** By `fetch`; with TLS through a proxy where the environment names one for that. */
export function collectorClient({ url, headers }: SpanExport): CollectorClient {
  const all: [string, string][] = [["content-type", "application/json"]];
  for (const [name, value] of headers) all.push([name, value]);
  const target = new URL(url);
  const client = target.protocol === "http:" ? directClient(target) : null;
  const route = client === null ? {} : { client };
  return {
    async post(body, signal) {
      const response = await fetch(target, {
        method: "POST",
        headers: all,
        body,
        signal,
        ...route,
      });
      await response.body?.cancel();
      return response.status;
    },
    close: () => client?.close(),
  };
}
