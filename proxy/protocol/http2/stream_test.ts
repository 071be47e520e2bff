import assert from "node:assert/strict";
import fc from "fast-check";
import { RecentIds, StreamTable } from "./stream.ts";
import type { Stream } from "./stream.ts";
import { OPEN } from "./stream_state.ts";

Deno.test("StreamTable holds what a Map would, whatever is opened and removed", () => {
  // Ids that want the same few slots, also of a table that has grown.
  const id = fc.tuple(fc.nat(3), fc.nat(5)).map(([near, far]) => near + 64 * far);
  const step = fc.record({ id, opens: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const free: Stream[] = [];
      const table = new StreamTable(free);
      const model = new Map<number, Stream>();
      for (const { id, opens } of steps) {
        const streamId = 2 * id + 1;
        const known = model.get(streamId);
        if (opens && known === undefined) model.set(streamId, table.open(streamId, OPEN, 1, 2));
        if (!opens && known !== undefined) {
          table.remove(known);
          model.delete(streamId);
        }
        assert.equal(table.count, model.size);
        for (const other of [...model.keys(), streamId, 2001]) {
          assert.equal(table.get(other), model.get(other) ?? null);
        }
      }
      assert.deepEqual(new Set(table.all()), new Set(model.values()));
      table.clear();
      assert.equal(table.count, 0);
      assert.equal(table.get(1), null);
      assert.equal(new Set(free).size, free.length, "a record is free once");
    }),
    { numRuns: 100 },
  );
});

Deno.test("StreamTable hands a record out again as if it were new", () => {
  const table = new StreamTable([]);
  const first = table.open(1, OPEN, 10, 20);
  first.owner = {};
  first.isBlocked =
    first.isQueued =
    first.hasSentHead =
    first.hasReceivedHead =
    first.isHead =
      true;
  first.bodyBytesLeft = 7;
  first.receiveWindow.charge(5);
  first.receiveWindow.hold(5);
  table.remove(first);
  const second = table.open(3, OPEN, 1, 2);
  assert.equal(second, first);
  const { owner, isBlocked, isQueued, hasSentHead, hasReceivedHead, isHead, bodyBytesLeft } =
    second;
  assert.deepEqual(
    [owner, isBlocked, isQueued, hasSentHead, hasReceivedHead, isHead, bodyBytesLeft],
    [null, false, false, false, false, false, -1],
  );
  assert.deepEqual([second.sendWindow.available, second.receiveWindow.available], [1, 2]);
  assert.equal(second.receiveWindow.heldBytes, 0);
});

Deno.test("RecentIds forgets the oldest", () => {
  const ids = new RecentIds(3);
  assert.ok(!ids.has(0));
  for (const id of [1, 3, 5, 7]) ids.add(id);
  assert.deepEqual([1, 3, 5, 7, 9].filter((id) => ids.has(id)), [3, 5, 7]);
});
