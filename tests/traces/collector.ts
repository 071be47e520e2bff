/** Collector: an OTLP receiver (HTTP, JSON) that reads what it is sent as the protocol has it, and keeps it. */
import assert from "node:assert/strict";
import { until } from "../support/until.ts";

interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: none. */
  readonly parentId: string;
  readonly name: string;
  readonly kind: "server" | "client";
  readonly startMs: number;
  readonly endMs: number;
  readonly isError: boolean;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly events: readonly {
    readonly name: string;
    readonly timeMs: number;
    readonly attributes: Readonly<Record<string, string | number>>;
  }[];
  readonly resource: Readonly<Record<string, string | number>>;
}

interface OtlpAttribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: string };
}

const KINDS: Readonly<Record<number, CollectedSpan["kind"]>> = { 2: "server", 3: "client" };

export class Collector {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly spans: CollectedSpan[] = [];
  readonly headers: Headers[] = [];
  /** Spans of each request, refused ones too. */
  readonly batches: number[] = [];
  /** What is answered next; 200 after the last one. */
  readonly statuses: number[] = [];
  /** Where set, nothing is answered before it resolves. */
  held: Promise<void> | null = null;
  #failure: unknown;

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      async (request) => {
        const text = await request.text();
        await this.held;
        return this.#answer(request, text);
      },
    );
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/v1/traces`;
  }

  #answer(request: Request, text: string): Response {
    try {
      assert.equal(request.method, "POST");
      assert.equal(new URL(request.url).pathname, "/v1/traces");
      assert.equal(request.headers.get("content-type"), "application/json");
      this.headers.push(request.headers);
      const spans = read(JSON.parse(text));
      this.batches.push(spans.length);
      const status = this.statuses.shift() ?? 200;
      if (status === 200) this.spans.push(...spans);
      return new Response("{}", { status });
    } catch (error) {
      this.#failure ??= error;
      return new Response(String(error), { status: 400 });
    }
  }

  /** Waits for as many spans, in the order of their start. */
  async take(count: number): Promise<CollectedSpan[]> {
    await until("spans", () => this.spans, ({ length }) => length >= count);
    if (this.#failure !== undefined) throw this.#failure;
    assert.equal(this.spans.length, count, JSON.stringify(this.spans));
    return this.spans.splice(0).toSorted((one, other) => one.startMs - other.startMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    if (this.#failure !== undefined) throw this.#failure;
  }
}

// deno-lint-ignore no-explicit-any -- a message as it came, each part of which is checked here
function read(message: any): CollectedSpan[] {
  const [{ resource, scopeSpans: [{ scope, spans }] }] = message.resourceSpans;
  assert.equal(scope.name, "weft");
  // deno-lint-ignore no-explicit-any -- as above
  return spans.map((span: any): CollectedSpan => {
    assert.match(span.traceId, /^(?!0{32})[0-9a-f]{32}$/);
    assert.match(span.spanId, /^(?!0{16})[0-9a-f]{16}$/);
    if (span.parentSpanId !== undefined) assert.match(span.parentSpanId, /^[0-9a-f]{16}$/);
    return {
      traceId: span.traceId,
      spanId: span.spanId,
      parentId: span.parentSpanId ?? "",
      name: span.name,
      kind: KINDS[span.kind] ?? assert.fail(`kind ${span.kind}`),
      startMs: millisecondsOf(span.startTimeUnixNano),
      endMs: millisecondsOf(span.endTimeUnixNano),
      isError: span.status.code === 2,
      attributes: attributesOf(span.attributes),
      // deno-lint-ignore no-explicit-any -- as above
      events: span.events.map((event: any) => ({
        name: event.name,
        timeMs: millisecondsOf(event.timeUnixNano),
        attributes: attributesOf(event.attributes),
      })),
      resource: attributesOf(resource.attributes),
    };
  });
}

function attributesOf(list: readonly OtlpAttribute[]): Record<string, string | number> {
  const attributes: Record<string, string | number> = {};
  for (const { key, value } of list) {
    assert.ok(!(key in attributes), `${key} twice`);
    assert.deepEqual(Object.keys(value).length, 1);
    attributes[key] = value.stringValue ?? Number(value.intValue ?? assert.fail(key));
  }
  return attributes;
}

/** Of 64 bits, as text. */
function millisecondsOf(nanoseconds: unknown): number {
  assert.ok(typeof nanoseconds === "string" && /^\d{19}$/.test(nanoseconds), String(nanoseconds));
  return Number(BigInt(nanoseconds) / 1_000n) / 1_000;
}
