import assert from "node:assert/strict";
import fc from "fast-check";
import { ReceiveWindow, SendWindow } from "./flow.ts";

Deno.test("SendWindow may shrink below zero, and not grow beyond 2^31 - 1", () => {
  const window = new SendWindow();
  window.reset(100);
  window.spend(80);
  assert.ok(window.grow(-50));
  assert.equal(window.available, -30);
  assert.ok(window.grow(0x7fffffff + 30));
  assert.equal(window.available, 0x7fffffff);
  assert.ok(!window.grow(1));
});

Deno.test("ReceiveWindow puts increments together until they are half of it", () => {
  const window = new ReceiveWindow();
  window.reset(1000);
  assert.ok(window.charge(900));
  window.hold(900);
  window.consume(499);
  assert.ok(!window.isReportDue);
  window.consume(1);
  assert.ok(window.isReportDue);
  assert.equal(window.report(), 500);
  assert.equal(window.available, 600);
  assert.ok(!window.isReportDue);
  assert.ok(!window.charge(601) && window.charge(600));
});

Deno.test("ReceiveWindow never loses a byte, and a peer that is served never starves", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 300 }),
      fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 60 }),
      (size, lengths) => {
        const window = new ReceiveWindow();
        window.reset(size);
        for (const length of lengths) {
          const available = window.available;
          if (!window.charge(length)) {
            assert.ok(length > available);
            continue;
          }
          window.hold(length);
          window.consume(length);
          if (window.isReportDue) window.report();
          assert.ok(window.available > 0 && window.available <= size);
        }
      },
    ),
  );
});

Deno.test("ReceiveWindow takes another size with what is under way", () => {
  const window = new ReceiveWindow();
  window.reset(65_535);
  window.charge(30_000);
  window.resize(10_000);
  assert.equal(window.available, -20_000);
  assert.ok(!window.charge(1));
  assert.ok(window.charge(0), "an empty frame may end a stream (RFC 9113 6.9.1)");
});
