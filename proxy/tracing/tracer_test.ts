// Tests of the tracer: what it decides, and that what it hands on is well-formed whatever a request brings.
import assert from "node:assert/strict";
import fc from "fast-check";
import { Random } from "../../base/random.ts";
import type { ProxyConfig } from "../config.ts";
import { Request } from "../protocol/http1/request.ts";
import { parseB3, parseTraceparent } from "./trace_headers.ts";
import { Tracer } from "./tracer.ts";
import type { ExchangeTrace } from "./tracer.ts";

const NOW_MS = performance.now();
const WIRE = {
  url: "",
  headers: [],
  resource: {},
  queueMax: 1,
  batchMax: 1,
  delayMs: 1,
  timeoutMs: 1,
};

function tracer(share: number, makesSpans = true, seed = 1): Tracer {
  const outbound = [{ address: "", port: 0, namespace: "", identity: "", seed: null }];
  const config: Pick<ProxyConfig, "traceShare" | "outbound" | "spans"> = {
    traceShare: share,
    outbound,
    ...(makesSpans ? { spans: WIRE } : {}),
  };
  return new Tracer(config, new Random(seed, "test"));
}

function begin(by: Tracer, lines: readonly string[], listener = 0): ExchangeTrace | null {
  const { bytes, request } = requestOf(lines);
  return by.begin(bytes, request, listener, false, NOW_MS);
}

const SCRATCH = new Uint8Array(1_024);

function linesOf(trace: ExchangeTrace | null): string {
  return trace === null ? "" : textIn(SCRATCH, 3, 3 + trace.writeLines(SCRATCH, 3));
}

function traceIdOf(trace: ExchangeTrace): string {
  return textIn(SCRATCH, 5, trace.writeTraceId(SCRATCH, 5));
}

function textIn(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(start, end));
}

function requestOf(lines: readonly string[]): { bytes: Uint8Array; request: Request } {
  const head = ["GET / HTTP/1.1", "host: a", ...lines, "", ""].join("\r\n");
  const bytes = Uint8Array.from(head, (character) => character.charCodeAt(0));
  const request = new Request();
  assert.equal(request.parse(bytes, 0, bytes.length), 1);
  return { bytes, request };
}

Deno.test("tracer: a share of the traces that begin here is sampled, and the others say so", () => {
  const by = tracer(0.25);
  let sampled = 0;
  for (let i = 0; i < 10_000; i++) {
    const trace = begin(by, []) ?? assert.fail();
    if (trace.span !== null) sampled++;
    assert.match(linesOf(trace), trace.span === null ? /-00\r\n$/ : /-01\r\n$/);
  }
  assert.ok(sampled > 2_300 && sampled < 2_700, `${sampled}`);
});

Deno.test("tracer: proxies with one share decide alike about one trace, more with a larger one", () => {
  const digit = fc.constantFrom(..."0123456789abcdef");
  const hex = fc.array(digit, { minLength: 31, maxLength: 31 }).map((digits) => digits.join(""));
  fc.assert(
    fc.property(hex, fc.double({ min: 0, max: 1, noNaN: true }), (digits, share) => {
      const isSampled = (by: Tracer) =>
        begin(by, [`b3: ${digits}1-00000000000000f1`])?.span !== null;
      const decided = isSampled(tracer(share));
      assert.equal(isSampled(tracer(share, true, 2)), decided);
      if (decided) assert.ok(isSampled(tracer((1 + share) / 2)));
      assert.ok(!isSampled(tracer(0)) && isSampled(tracer(1)));
    }),
  );
});

Deno.test("tracer: copies have no span, inbound exchanges are the server's", () => {
  assert.equal(begin(tracer(1), [], -1), null);
  assert.equal(begin(tracer(1, false), [], -1), null);
  assert.equal(begin(tracer(1), [], 0)?.span?.kind, "client");
  assert.equal(begin(tracer(1), [], 1)?.span?.kind, "server");
});

Deno.test("tracer: the state of a trace goes with its traceparent", () => {
  const id = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
  const drops = (...lines: string[]) =>
    begin(tracer(1), ["tracestate: a=b", ...lines])?.dropped.includes("tracestate");
  assert.equal(drops(`traceparent: 00-${id}-01`), false);
  assert.equal(drops(`traceparent: 00-${id}-01`, `b3: ${id}-1`), false);
  assert.equal(drops("traceparent: 00-x-01"), true);
  assert.equal(drops("traceparent: 00-x-01", `b3: ${id}-1`), true, "it goes on by B3");
});

Deno.test("tracer: debug is passed on in every form of B3 that the request came in", () => {
  const trace = "0af7651916cd43dd8448eb211c80319c";
  const span = "b7ad6b7169203331";
  const ids = [`x-b3-traceid: ${trace}`, `x-b3-spanid: ${span}`];
  const w3c = `traceparent: 00-${trace}-${span}-01`;
  const single = /^b3: [0-9a-f]{32}-[0-9a-f]{16}-d(-[0-9a-f]{16})?$/;
  const flags = /^x-b3-flags: 1$/;
  const cases: readonly (readonly [lines: readonly string[], told: readonly RegExp[]])[] = [
    [["b3: d"], [single]],
    [[`b3: ${trace}-${span}-d`], [single]],
    [[`B3: ${trace.slice(16)}-${span}-D-${span}`], [single]],
    [[`b3: ${trace}-${span}-d`, w3c], [single]],
    [["x-b3-flags: 1"], [flags]],
    [[...ids, "X-B3-Flags: 1"], [flags]],
    [[...ids, "x-b3-flags: 1", "x-b3-sampled: 1"], [flags]],
    [[...ids, "x-b3-flags: 1", "x-b3-sampled: 0"], [flags]],
    [[...ids, "x-b3-flags: 1", `x-b3-parentspanid: ${span}`, w3c], [flags]],
    [["x-b3-sampled: true", "x-b3-flags: 1"], [flags]],
    [[w3c, "x-b3-flags: 1"], [flags]],
    [[w3c, "b3: d"], [single]],
    // Said in one form, it is said in the other.
    [[`b3: ${trace}-${span}-1`, ...ids, "x-b3-flags: 1"], [single, flags]],
    [[`b3: ${trace}-${span}`, "x-b3-flags: 1"], [single, flags]],
    [[`b3: ${trace}-${span}-d`, ...ids, "x-b3-sampled: 1"], [single, flags]],
    [["b3: malformed", ...ids, "x-b3-flags: 1"], [single, flags]],
  ];
  for (const [lines, told] of cases) {
    const { bytes, request } = requestOf(lines);
    // Debug decides that the trace is sampled.
    const begun = tracer(0).begin(bytes, request, 0, false, NOW_MS) ?? assert.fail(`${lines}`);
    assert.ok(begun.span !== null, `${lines}`);
    assert.ok(begun.dropped.every((name) => request.dropNamed(bytes, name)));
    const headers = Array.from({ length: request.headerCount }, (_, index) => index)
      .filter((index) => !request.dropped.subarray(0, request.droppedCount).includes(index))
      .map((index) => textIn(bytes, request.headers[4 * index], request.headers[4 * index + 3]));
    const all = [...headers, ...linesOf(begun).split("\r\n")];
    const debug = all.filter((line) => single.test(line) || flags.test(line));
    assert.equal(debug.length, told.length, `${lines}: ${all}`);
    for (const one of told) assert.ok(debug.some((line) => one.test(line)), `${lines}: ${all}`);
    // Debug says all there is to say of sampling.
    assert.deepEqual(all.filter((line) => /^x-b3-sampled:/i.test(line)), [], `${lines}`);
    assert.equal(all.filter((line) => /^(b3|x-b3-flags):/i.test(line)).length, told.length);
  }
});

Deno.test("tracer: what is no debug does not become one", () => {
  const id = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
  const [trace, span] = id.split("-");
  const ids = [`x-b3-traceid: ${trace}`, `x-b3-spanid: ${span}`];
  const cases = [
    [`b3: ${id}-1`],
    ["b3: 1"],
    [`b3: ${id}-1`, "x-b3-flags: 0"],
    [`b3: ${id}-1`, "x-b3-flags: d"],
    [...ids, "x-b3-sampled: 1", "x-b3-flags: 0"],
    [...ids, "x-b3-sampled: 1"],
    [...ids, "x-b3-sampled: d", "x-b3-sampled: 1"],
    [`traceparent: 00-${id}-01`, "b3: malformed-d"],
  ];
  for (const lines of cases) {
    assert.doesNotMatch(linesOf(begin(tracer(1), lines)), /flags|-d(-|\r)/, `${lines}`);
  }
});

Deno.test("tracer: without spans it begins traces for others, and leaves alone what has one", () => {
  assert.equal(begin(tracer(0, false), []), null);
  const trace = begin(tracer(1, false), []) ?? assert.fail();
  assert.equal(trace.span, null);
  assert.equal(parseTraceparent(linesOf(trace).slice(13, -2))?.isSampled, true);
  for (const line of ["traceparent: x", "b3: 0", "X-B3-Sampled: 0"]) {
    assert.equal(begin(tracer(1, false), [line]), null, line);
  }
});

Deno.test("tracer: the span is later than it began by the wall clock, whatever the loop's clock says", () => {
  const by = tracer(1);
  assert.ok(Math.abs(by.wallMs(performance.now()) - Date.now()) < 25);
  assert.equal(by.wallMs(NOW_MS + 7) - by.wallMs(NOW_MS), 7);
});

Deno.test("tracer: whatever a request brings, what goes on is well-formed, and said once", () => {
  const names = ["traceparent", "TraceState", "b3", "X-B3-TraceId", "x-b3-spanid", "x-b3-sampled"];
  names.push("x-b3-flags", "x-b3-parentspanid", "x-other");
  const id = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
  const value = fc.oneof(
    fc.string({ unit: fc.constantFrom(..."0123456789abcdef-"), maxLength: 60 }),
    fc.constantFrom("1", "0", "d", "true", `00-${id}-01`, `${id}-1`, id, ...id.split("-")),
    fc.string({ unit: "grapheme-ascii", maxLength: 20 }),
  ).map((text) => text.trim());
  const headers = fc.array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 8 });
  fc.assert(fc.property(headers, fc.boolean(), (pairs, samples) => {
    const { bytes, request } = requestOf(pairs.map(([name, text]) => `${name}: ${text}`));
    const trace = tracer(samples ? 1 : 0).begin(bytes, request, 0, false, NOW_MS);
    if (trace === null) return;
    assert.ok(trace.dropped.every((name) => request.dropNamed(bytes, name)));
    const added = linesOf(trace).split("\r\n").slice(0, -1).map((line) => line.split(": "));
    // Every header that is added has taken the place of all that had its name.
    for (const [name] of added) {
      const left = pairs.filter(([other], i) =>
        other.toLowerCase() === name &&
        !request.dropped.subarray(0, request.droppedCount).includes(i + 1)
      );
      assert.deepEqual(left, [], name);
    }
    const told = Object.fromEntries(added);
    const parents = [
      told["traceparent"] === undefined ? null : parseTraceparent(told["traceparent"]),
      told["b3"] === undefined ? null : parseB3(told["b3"]),
    ].filter((parent) => parent !== null);
    for (const parent of parents) {
      assert.equal(parent.traceId, traceIdOf(trace));
      assert.equal(parent.isSampled, trace.span !== null);
      if (trace.span !== null) assert.equal(parent.spanId, trace.span.spanId);
    }
    assert.ok(parents.length > 0 || told["x-b3-traceid"] === traceIdOf(trace), linesOf(trace));
    assert.match(traceIdOf(trace), /^(?!0{32})[0-9a-f]{32}$/);
  }));
});
