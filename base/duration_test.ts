import assert from "node:assert/strict";
import fc from "fast-check";
import { formatDuration, parseDuration } from "./duration.ts";

Deno.test("durations: those of GEP-2257, and no others", () => {
  const good = { "1h": 3_600_000, "1m30s": 90_000, "500ms": 500, "0s": 0, "1s1s": 2_000 };
  for (const [text, milliseconds] of Object.entries(good)) {
    assert.equal(parseDuration(text), milliseconds, text);
  }
  for (const text of ["", "1", "1.5s", "-1s", "1 s", "1d", "100000s", "1h1m1s1ms1h", "1S"]) {
    assert.equal(parseDuration(text), undefined, text);
  }
});

Deno.test("durations: what is formatted reads as it was", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 99_999 * 3_600_000 }), (milliseconds) => {
    assert.equal(parseDuration(formatDuration(milliseconds)), milliseconds);
  }));
});
