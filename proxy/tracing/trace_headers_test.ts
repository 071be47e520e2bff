// Tests of reading trace context: W3C's rules of what is malformed, and every shape of B3.
import assert from "node:assert/strict";
import { Request } from "../protocol/http1/request.ts";
import { parseB3, parseTraceparent, TraceHeaders } from "./trace_headers.ts";
import type { TraceParent } from "./trace_headers.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

function parentOf(...lines: string[]): TraceParent | null {
  const bytes = new TextEncoder().encode(
    ["GET / HTTP/1.1", "host: a", ...lines, "", ""].join("\r\n"),
  );
  const request = new Request();
  assert.equal(request.parse(bytes, 0, bytes.length), 1);
  const headers = new TraceHeaders();
  return headers.find(bytes, request) ? headers.parent() : null;
}

Deno.test("traceparent: what is read of it", () => {
  const sampled = { traceId: TRACE, spanId: SPAN, isSampled: true };
  for (const flags of ["01", "03", "ff"]) {
    assert.deepEqual(parseTraceparent(`00-${TRACE}-${SPAN}-${flags}`), sampled, flags);
  }
  assert.equal(parseTraceparent(`00-${TRACE}-${SPAN}-02`)?.isSampled, false);
  assert.deepEqual(parseTraceparent(`cc-${TRACE}-${SPAN}-01-what-comes`), sampled);
});

Deno.test("traceparent: what is malformed", () => {
  const malformed = [
    "",
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `cc-${TRACE}-${SPAN}-01more`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE}-${SPAN}-1`,
    `00-${TRACE}-${SPAN}`,
    `0-${TRACE}-${SPAN}-01`,
  ];
  for (const text of malformed) assert.equal(parseTraceparent(text), null, text);
});

Deno.test("b3: in one header", () => {
  const ids = { traceId: TRACE, spanId: SPAN };
  assert.deepEqual(parseB3(`${TRACE}-${SPAN}`), { ...ids, isSampled: null });
  assert.deepEqual(parseB3(`${TRACE}-${SPAN}-0`), { ...ids, isSampled: false });
  assert.deepEqual(parseB3(`${TRACE}-${SPAN}-d`), { ...ids, isSampled: true });
  assert.deepEqual(parseB3(`${TRACE}-${SPAN}-1-${SPAN}`), { ...ids, isSampled: true });
  assert.equal(parseB3(`${TRACE.slice(16)}-${SPAN}-1`)?.traceId, TRACE.slice(16).padStart(32, "0"));
  assert.equal(parseB3("0")?.isSampled, false);
  for (const text of ["", "2", TRACE, `${TRACE}-${SPAN}-2`, `${"0".repeat(32)}-${SPAN}-1`]) {
    assert.equal(parseB3(text), null, text);
  }
});

Deno.test("trace headers: which of them counts", () => {
  const w3c = `TraceParent: 00-${TRACE}-${SPAN}-01`;
  const b3 = "b3: 00000000000000010000000000000002-0000000000000003-1";
  assert.equal(parentOf(b3, w3c)?.traceId, TRACE);
  assert.equal(parentOf(b3, "traceparent: x")?.spanId, "0000000000000003");
  assert.equal(parentOf(w3c, w3c), null, "two of them are as good as none");
  assert.equal(parentOf(`X-B3-TraceId: ${TRACE}`, "X-B3-Sampled: 1")?.traceId, "");
  assert.equal(
    parentOf(`X-B3-TraceId: ${TRACE}`, `X-B3-SpanId: ${SPAN}`, "X-B3-Flags: 1")?.isSampled,
    true,
  );
  assert.equal(parentOf("x-b3-sampled: false")?.isSampled, false);
  assert.equal(parentOf("x-b3-spanid: 1", "baggage: a=b", "trace: x"), null);
});
