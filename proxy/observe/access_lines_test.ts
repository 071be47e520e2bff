// Tests of the access log's lines: that they say what JSON.stringify would, whatever a request holds, in order and all of them.
import assert from "node:assert/strict";
import fc from "fast-check";
import { formatAccess } from "../../tests/support/access_line.ts";
import { ACCESS_BATCH_BYTES, ACCESS_PLACES_MAX } from "../limits.ts";
import { AccessLines } from "./access_lines.ts";
import type { RequestRecord } from "./request_record.ts";
import { RequestText } from "./request_text.ts";

const RECORD: RequestRecord = {
  listener: 0,
  peer: "127.0.0.9",
  source: "curl/curl",
  protocol: "HTTP/1.1",
  method: "GET",
  authority: "httpbin.httpbin:8080",
  path: "/",
  status: 200,
  reason: "",
  requestBytes: 0,
  responseBytes: 12,
  grpcStatus: null,
  rule: "httpbin/routes/get",
  service: "httpbin/httpbin:8080",
  split: "httpbin/httpbin-split",
  backend: "httpbin/httpbin-v1",
  pod: "httpbin-v1-0",
  endpoint: "127.1.2.3:8080",
  attempts: 1,
  trace: "",
  headers: {},
  plan: "0123456789ab",
  durationMs: 1.5,
  planWaitMs: 0,
};

/** Any bytes a head may hold, one character each. */
const bytesText = fc.uint8Array({ maxLength: 400 }).map((bytes) => String.fromCharCode(...bytes));
const whole = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: 0, max: 2 ** 31 + 5 }),
  fc.maxSafeInteger().map(Math.abs),
);
const milliseconds = fc.integer({ min: 0, max: 2 ** 40 }).map((thousandths) => thousandths / 1000);

const anyRecord = fc.record({
  peer: fc.string(),
  source: fc.string({ unit: "binary" }),
  method: bytesText,
  authority: bytesText,
  path: bytesText,
  status: fc.integer({ min: 0, max: 999 }),
  reason: fc.string(),
  requestBytes: fc.option(whole),
  responseBytes: fc.option(whole),
  grpcStatus: fc.option(whole),
  rule: fc.string({ unit: "binary" }),
  service: fc.string({ unit: "binary" }),
  split: fc.string(),
  backend: fc.string(),
  pod: fc.string(),
  endpoint: fc.string(),
  attempts: whole,
  trace: fc.constantFrom("", "0af7651916cd43dd8448eb211c80319c"),
  durationMs: milliseconds,
  planWaitMs: milliseconds,
  plan: fc.string(),
}).map((parts): RequestRecord => ({ ...RECORD, ...parts }));

Deno.test("access lines: JSON of whatever a record holds is what JSON.stringify writes", () => {
  fc.assert(fc.property(anyRecord, fc.integer({ min: 0, max: 2 ** 42 }), (record, timeMs) => {
    const { listener: _listener, headers: _headers, ...fields } = record;
    const expected = { time: new Date(timeMs).toISOString(), ...fields };
    const line = formatAccess("json", record, timeMs);
    // What has no partner is no character of UTF-8.
    const whole = JSON.parse(JSON.stringify(expected).toWellFormed());
    assert.deepEqual(JSON.parse(line), whole);
    assert.ok(!/\p{Cc}/u.test(line.replace(/[\x7f-\x9f]/g, "")), line);
  }));
});

Deno.test("access lines: the order of the names is that of every line before", () => {
  assert.equal(
    formatAccess("json", { ...RECORD, path: "/\u00e9", durationMs: 12.3456 }, 1_000),
    '{"time":"1970-01-01T00:00:01.000Z","peer":"127.0.0.9","source":"curl/curl","protocol":"HTTP/1.1","method":"GET",' +
      '"authority":"httpbin.httpbin:8080","path":"/é","status":200,"reason":"","requestBytes":0,"responseBytes":12,' +
      '"grpcStatus":null,"service":"httpbin/httpbin:8080","rule":"httpbin/routes/get","split":"httpbin/httpbin-split",' +
      '"backend":"httpbin/httpbin-v1","pod":"httpbin-v1-0","endpoint":"127.1.2.3:8080","attempts":1,"trace":"",' +
      '"durationMs":12.346,"planWaitMs":0,"plan":"0123456789ab"}',
  );
});

Deno.test("access lines: a line of the common format is one line with its quotes in pairs, whatever a request holds", () => {
  fc.assert(fc.property(anyRecord, (record) => {
    const { method, authority, path } = record;
    const line = formatAccess("common", { ...RECORD, method, authority, path }, 0);
    assert.match(
      line,
      /^127\.0\.0\.9 - \S+ \[01\/Jan\/1970:00:00:00 \+0000\] "(?:[^"\\\p{Cc}]|\\["\\]|\\x[0-9a-f]{2})*" 200 12 source=/u,
    );
  }));
});

/** Lines of a batch, as they come. */
function linesOf(records: Iterable<RequestRecord>): { paths: string[]; counts: number[] } {
  const paths: string[] = [];
  const counts: number[] = [];
  const lines = new AccessLines("json", (bytes, count) => {
    counts.push(count);
    const texts = new TextDecoder().decode(bytes).split("\n");
    assert.equal(texts.pop(), "");
    assert.equal(texts.length, count);
    paths.push(...texts.map((text) => JSON.parse(text).path));
  });
  for (const record of records) {
    const text = new RequestText();
    text.set(record.method, record.authority, record.path, record.trace);
    lines.add(record, text);
  }
  lines.hand();
  lines.hand();
  return { paths, counts };
}

Deno.test("access lines: more than one piece holds goes in several, in order, none lost; a long path too", () => {
  const long = `/${"\u0001".repeat(ACCESS_BATCH_BYTES)}`;
  const paths = Array.from({ length: 1_000 }, (_, i) => i === 500 ? long : `/${i}`);
  const told = linesOf(paths.map((path) => ({ ...RECORD, path })));
  assert.deepEqual(told.paths, paths);
  assert.ok(told.counts.length > 2 && told.counts.length < 100, `${told.counts}`);
});

Deno.test("access lines: ways that change between lines are those of each line", () => {
  let written = "";
  const lines = new AccessLines("json", (bytes) => {
    written += new TextDecoder().decode(bytes);
  });
  const text = new RequestText();
  const expected: string[] = [];
  for (let i = 0; i < 4 * ACCESS_PLACES_MAX; i++) {
    // More routes and places than are kept, and some again.
    const record = {
      ...RECORD,
      rule: `rule-${i % 7}`,
      endpoint: `10.0.0.1:${i % (2 * ACCESS_PLACES_MAX)}`,
    };
    expected.push(`${record.rule} ${record.endpoint}`);
    lines.add(record, text);
  }
  lines.hand();
  const told = written.trimEnd().split("\n").map((line) => JSON.parse(line))
    .map(({ rule, endpoint }) => `${rule} ${endpoint}`);
  assert.deepEqual(told, expected);
});
