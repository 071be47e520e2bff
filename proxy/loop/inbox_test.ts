/** Which buffer bytes are read into. */
import assert from "node:assert/strict";
import { LARGE_BUFFER_BYTES, LARGE_BUFFER_COUNT } from "../limits.ts";
import { HEAD_BYTES_MAX, Inbox } from "./inbox.ts";
import { BufferPool } from "./arena.ts";
import type { Loop } from "./loop.ts";

class Input extends Inbox {
  protected override onStarved(): void {}
}

function inputOf(buffers: BufferPool): Input {
  // Buffers are all that it asks of a loop here.
  return new Input({ buffers } as unknown as Loop);
}

Deno.test("bytes that are passed on get a large buffer once a read has filled its room, and no longer", () => {
  const buffers = new BufferPool();
  const input = inputOf(buffers);
  assert.equal(input.haveBulkBuffer(), true);
  assert.equal(input.room, HEAD_BYTES_MAX);
  input.isBulk = true;
  assert.equal(input.haveBulkBuffer(), true);
  assert.equal(input.room, HEAD_BYTES_MAX, "What it holds is not moved");
  input.releaseIfEmpty();
  assert.equal(input.haveBulkBuffer(), true);
  assert.equal(input.room, LARGE_BUFFER_BYTES);
  input.releaseIfEmpty();
  assert.equal(input.haveBuffer(), true);
  assert.equal(input.room, HEAD_BYTES_MAX, "A head has an ordinary buffer");
  input.releaseIfEmpty();
  assert.equal(buffers.lentCount, 0);
});

Deno.test("with all large buffers out, ordinary ones do", () => {
  const buffers = new BufferPool();
  for (let i = 0; i < LARGE_BUFFER_COUNT; i++) buffers.takeLarge();
  const input = inputOf(buffers);
  input.isBulk = true;
  assert.equal(input.haveBulkBuffer(), true);
  assert.equal(input.room, HEAD_BYTES_MAX);
});

Deno.test("a buffer that is taken over keeps its size", () => {
  const [one, other] = [inputOf(new BufferPool()), inputOf(new BufferPool())];
  other.isBulk = true;
  other.haveBulkBuffer();
  one.takeBuffer(other);
  assert.equal(one.room, LARGE_BUFFER_BYTES);
});
