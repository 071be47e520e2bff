// Tests of the request log: what a line says, and that a flood is counted instead of printed.
import assert from "node:assert/strict";
import type { RequestRecord } from "../proxy/observe/request_record.ts";
import { memoryOutput } from "../console/testing.ts";
import { RequestLog } from "./request_log.ts";

const record: RequestRecord = {
  listener: 0,
  peer: "127.0.0.9",
  source: "",
  protocol: "HTTP/1.1",
  method: "GET",
  authority: "httpbin.httpbin:8080",
  path: "/test",
  status: 200,
  reason: "",
  requestBytes: 0,
  responseBytes: 12,
  grpcStatus: null,
  rule: "httpbin/routes/get",
  service: "httpbin/httpbin:8080",
  split: "httpbin/httpbin-split",
  backend: "httpbin/httpbin-v2",
  pod: "httpbin-v2-0",
  endpoint: "127.1.2.3:8080",
  attempts: 1,
  trace: "",
  headers: {},
  plan: "0123456789ab",
  durationMs: 1.234,
  planWaitMs: 0,
};

Deno.test("request log: who asked what, and who answered by which split", () => {
  const log = new RequestLog(memoryOutput());
  assert.deepEqual(log.add(record, "curl", 0), [
    "curl: GET httpbin.httpbin:8080/test 200 -> httpbin-v2-0 by httpbin/httpbin-split 1.2 ms",
  ]);
});

Deno.test("request log: an answer of the mesh itself says why", () => {
  const log = new RequestLog(memoryOutput());
  const refused = {
    ...record,
    status: 503,
    reason: "no-endpoint",
    pod: "",
    endpoint: "",
    split: "",
  };
  assert.deepEqual(log.add(refused, "curl", 0), [
    "curl: GET httpbin.httpbin:8080/test 503 -> no-endpoint 1.2 ms",
  ]);
});

Deno.test("request log: a name cannot forge a line", () => {
  const log = new RequestLog(memoryOutput());
  const [line] = log.add({ ...record, path: "/a\r\nb" }, "curl", 0);
  assert.ok(!/[\r\n]/.test(line));
});

Deno.test("request log: a flood is counted", () => {
  const log = new RequestLog(memoryOutput());
  let lines = 0;
  for (let i = 0; i < 1_000; i++) lines += log.add(record, "curl", 5_000 + i / 2).length;
  assert.equal(lines, 20);
  assert.deepEqual(log.tick(5_999), []);
  assert.deepEqual(log.tick(6_000), ["  and 980 more requests"]);
  assert.equal(log.summary(), "1000 requests, 1000/s: httpbin-v2-0 100%");
});

Deno.test("request log: the summary has shares and failures", () => {
  const log = new RequestLog(memoryOutput());
  assert.equal(log.summary(), "no requests yet");
  for (let i = 0; i < 3; i++) log.add({ ...record, pod: "a" }, "curl", 0);
  log.add({ ...record, pod: "b", status: 502 }, "curl", 0);
  assert.equal(log.summary(), "4 requests, 0/s, 1 failed: a 75%, b 25%");
});
