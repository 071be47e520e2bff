/** Reads of what h2load 1.52, wrk 4.1, `stream.c` and `steady.c` print. */
import assert from "node:assert/strict";
import { parseH2load, parseSteady, parseStream, parseWrk } from "./outputs.ts";

const H2LOAD = `starting benchmark...
Main benchmark duration is over for thread #0. Stopping all clients.

finished in 1.01s, 190640.00 req/s, 10.36MB/s
requests: 190640 total, 190768 started, 190640 done, 190640 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 190640 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 10.36MB (10868480) total, 2.00MB (2097928) headers (space savings 93.60%), 3.27MB (3431520) data
                     min         max         mean         sd        +/- sd
time for request:       63us      6.36ms       647us       627us    95.87%
time for connect:       62us       171us       122us        36us    75.00%
`;

Deno.test("parseH2load reads counts, the rate and the mean time of a request", () => {
  assert.deepEqual(parseH2load(H2LOAD), {
    units: 190640,
    unitsPerSecond: 190640,
    latency: { mean: 647 },
    errors: 0,
  });
});

Deno.test("parseH2load adds up bad answers and lost requests, and counts the good ones alone", () => {
  const text = H2LOAD.replace("190640 2xx, 0 3xx, 0 4xx, 0 5xx", "100 2xx, 1 3xx, 2 4xx, 3 5xx")
    .replace("0 errored, 0 timeout", "4 errored, 5 timeout");
  assert.equal(parseH2load(text).units, 100);
  assert.equal(parseH2load(text).errors, 15);
});

Deno.test("parseH2load refuses what is not h2load's output", () => {
  assert.throws(() => parseH2load("could not connect to host"), /could not connect/);
});

const WRK = `Running 1s test @ http://127.0.0.1:8080/test
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
  assert.deepEqual(parseWrk(WRK), {
    units: 51375,
    unitsPerSecond: 51312.55,
    latency: { p50: 1190, p99: 2710 },
    errors: 0,
  });
});

Deno.test("parseWrk adds up socket errors and bad answers", () => {
  const text = WRK.replace(
    "Requests/sec",
    "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 50\nRequests/sec",
  );
  assert.equal(parseWrk(text).errors, 60);
});

Deno.test("parseWrk refuses what is not wrk's output", () => {
  assert.throws(() => parseWrk("unable to connect to 127.0.0.1:1 Connection refused"), /unable/);
});

Deno.test("parseStream gives megabytes", () => {
  assert.deepEqual(parseStream("bytes 1524000000 seconds 2.000 lost 1\n"), {
    units: 1524,
    unitsPerSecond: 762,
    latency: {},
    errors: 1,
  });
});

Deno.test("parseStream refuses anything else, such as a refused CONNECT", () => {
  assert.throws(() => parseStream("HTTP/1.1 503 Service Unavailable"), /503/);
});

Deno.test("parseSteady reads counts, the rate and percentiles, and refuses anything else", () => {
  const text = "answered 3000 seconds 1.500 errors 2 p50 86 p99 3105 p99.9 6041\n";
  assert.deepEqual(parseSteady(text), {
    units: 3000,
    unitsPerSecond: 2000,
    latency: { p50: 86, p99: 3105, "p99.9": 6041 },
    errors: 2,
  });
  assert.throws(() => parseSteady("connect: Connection refused"), /Connection refused/);
});
