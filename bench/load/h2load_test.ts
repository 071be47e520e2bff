/** Reads of h2load's output, as version 1.52 prints it. */
import assert from "node:assert/strict";
import { parseH2load } from "./h2load.ts";

const CLEAN = `starting benchmark...
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
  assert.deepEqual(parseH2load(CLEAN), {
    units: 190640,
    unitsPerSecond: 190640,
    latency: { mean: 647 },
    errors: 0,
  });
});

Deno.test("parseH2load adds up bad answers and lost requests, and counts the good ones alone", () => {
  const text = CLEAN.replace("190640 2xx, 0 3xx, 0 4xx, 0 5xx", "100 2xx, 1 3xx, 2 4xx, 3 5xx")
    .replace("0 errored, 0 timeout", "4 errored, 5 timeout");
  assert.equal(parseH2load(text).units, 100);
  assert.equal(parseH2load(text).errors, 15);
});

Deno.test("parseH2load refuses what is not h2load's output", () => {
  assert.throws(() => parseH2load("could not connect to host"), /could not connect/);
});
