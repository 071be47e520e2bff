// Tests of the exporter: what it does with a collector that is slow, refuses, or is not there.
import assert from "node:assert/strict";
import type { SpanExport } from "../config.ts";
import { SpanExporter } from "./exporter.ts";
import { SPAN } from "./testing.ts";

const SETTINGS: SpanExport = {
  url: "http://collector/v1/traces",
  headers: [],
  resource: {},
  queueMax: 10,
  batchMax: 4,
  delayMs: 1,
  timeoutMs: 60_000,
};

const spans = (count: number) => Array.from({ length: count }, () => SPAN);

/** A collector that does what it is told, and how many spans it was sent each time. */
class FakeCollector {
  readonly sizes: number[] = [];
  readonly problems: string[] = [];
  /** What comes next: a status, or what the request fails with. */
  readonly outcomes: (number | Error)[] = [];
  /** Not answered, until the sender loses patience. */
  isHanging = false;
  isClosed = false;
  #onPost = Promise.withResolvers<void>();

  exporter(flushMs = 60_000): SpanExporter {
    return new SpanExporter(SETTINGS, {
      collector: {
        post: (body, signal) => this.#post(body, signal),
        close: () => void (this.isClosed = true),
      },
      onProblem: (message) => void this.problems.push(message),
    }, flushMs);
  }

  async #post(body: string, signal: AbortSignal): Promise<number> {
    this.sizes.push(JSON.parse(body).resourceSpans[0].scopeSpans[0].spans.length);
    const waiting = this.#onPost;
    this.#onPost = Promise.withResolvers();
    waiting.resolve();
    if (this.isHanging) {
      await new Promise((_, reject) => signal.onabort = () => reject(signal.reason));
    }
    const outcome = this.outcomes.shift() ?? 200;
    if (outcome instanceof Error) throw outcome;
    return outcome;
  }

  async posts(count: number): Promise<void> {
    while (this.sizes.length < count) await this.#onPost.promise;
  }
}

Deno.test("exporter: a full batch goes at once, others wait, and the end sends what is left", async () => {
  const collector = new FakeCollector();
  const exporter = collector.exporter();
  exporter.offer(spans(5));
  assert.deepEqual(collector.sizes, [4]);
  await collector.posts(2);
  assert.deepEqual(collector.sizes, [4, 1]);
  exporter.offer(spans(2));
  await exporter.stop();
  assert.deepEqual(collector.sizes, [4, 1, 2]);
  assert.ok(collector.isClosed);
  exporter.offer(spans(1));
  assert.deepEqual(exporter.counts, { exported: 7, dropped: 0, refused: 0 });
  assert.deepEqual(collector.problems, []);
});

Deno.test("exporter: spans wait for a collector that is not there, as many as may", async () => {
  const collector = new FakeCollector();
  const exporter = collector.exporter();
  collector.outcomes.push(new Error("refused"), new Error("refused"), 503, 429);
  for (let i = 0; i < 1_000; i++) exporter.offer(spans(1));
  assert.equal(exporter.counts.dropped, 990);
  await collector.posts(5);
  await collector.posts(7);
  await exporter.stop();
  assert.deepEqual(collector.sizes, [4, 4, 4, 4, 4, 4, 2]);
  assert.deepEqual(exporter.counts, { exported: 10, dropped: 990, refused: 0 });
  assert.deepEqual(collector.problems, ["Spans are not exported", "Spans are exported again"]);
});

Deno.test("exporter: what the collector will never take is not sent again", async () => {
  const collector = new FakeCollector();
  const exporter = collector.exporter();
  collector.outcomes.push(400);
  exporter.offer(spans(4));
  await collector.posts(1);
  exporter.offer(spans(1));
  await collector.posts(2);
  await exporter.stop();
  assert.deepEqual(collector.sizes, [4, 1]);
  assert.deepEqual(exporter.counts, { exported: 1, dropped: 0, refused: 4 });
});

Deno.test("exporter: a collector that hangs does not hold up the end", async () => {
  const collector = new FakeCollector();
  const exporter = collector.exporter(1);
  collector.isHanging = true;
  exporter.offer(spans(6));
  await exporter.stop();
  assert.deepEqual(collector.sizes, [4]);
  assert.deepEqual(exporter.counts, { exported: 0, dropped: 6, refused: 0 });
});
