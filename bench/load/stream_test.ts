/** Reads of what `stream.c` prints. */
import assert from "node:assert/strict";
import { parseStream } from "./stream.ts";

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
