/** Reads of wrk's output, as version 4.1 prints it. */
import assert from "node:assert/strict";
import { parseWrk } from "./wrk.ts";

const CLEAN = `Running 1s test @ http://127.0.0.1:8080/test
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.25ms  330.62us   9.75ms   91.55%
    Req/Sec    51.62k     2.38k   54.06k    90.00%
  Latency Distribution
     50%    1.19ms
     75%    1.28ms
     90%    1.43ms
     99%    2.71ms
  51375 requests in 1.00s, 8.53MB read
Requests/sec:  51312.55
Transfer/sec:      8.52MB
`;

Deno.test("parseWrk reads counts, rates and percentiles in microseconds", () => {
  assert.deepEqual(parseWrk(CLEAN), {
    units: 51375,
    unitsPerSecond: 51312.55,
    latency: { p50: 1190, p99: 2710 },
    errors: 0,
  });
});

Deno.test("parseWrk adds up socket errors and bad answers", () => {
  const text = CLEAN.replace(
    "Requests/sec",
    "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 50\nRequests/sec",
  );
  assert.equal(parseWrk(text).errors, 60);
});

Deno.test("parseWrk refuses what is not wrk's output", () => {
  assert.throws(() => parseWrk("unable to connect to 127.0.0.1:1 Connection refused"), /unable/);
});
