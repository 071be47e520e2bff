import assert from "node:assert/strict";
import {
  BUFFER_BYTES,
  BUFFER_COUNT,
  HEAD_BUFFER_BYTES,
  HEAD_BYTES_MOST,
  LARGE_BUFFER_BYTES,
  LARGE_BUFFER_COUNT,
  PASSING_HEAD_BUFFERS,
  REQUEST_HEAD_BUFFERS,
} from "../limits.ts";
import {
  ARENA_BYTES,
  type ArenaSlice,
  bufferBytes,
  BufferPool,
  COMPOSED_AREA,
  isHeadBuffer,
  NO_BUFFER,
  RECEIVED_AREA,
  Texts,
  writeAscii,
} from "./arena.ts";
import { HEADER_TEXT_BYTES_MAX } from "../../base/limits.ts";
import { HEADERS_MAX } from "../../routing/limits.ts";

Deno.test("BufferPool lends disjoint buffers of the arena until there are none", () => {
  const pool = new BufferPool();
  const lent = new Set<number>();
  for (let i = 0; i < BUFFER_COUNT; i++) lent.add(pool.take());
  assert.equal(lent.size, BUFFER_COUNT);
  assert.equal(pool.lentCount, BUFFER_COUNT);
  assert.equal(pool.take(), NO_BUFFER);
  const sorted = [...lent].sort((a, b) => a - b);
  for (const [i, offset] of sorted.entries()) assert.equal(offset, sorted[0] + i * BUFFER_BYTES);
  assert.ok(sorted[BUFFER_COUNT - 1] + BUFFER_BYTES <= ARENA_BYTES);
  for (const offset of lent) pool.give(offset);
  assert.equal(pool.lentCount, 0);
});

Deno.test("BufferPool lends large buffers beside the ordinary ones, each to its own kind again", () => {
  const pool = new BufferPool();
  const large = Array.from({ length: LARGE_BUFFER_COUNT }, () => pool.takeLarge());
  assert.equal(pool.takeLarge(), NO_BUFFER);
  const ordinary = Array.from({ length: BUFFER_COUNT }, () => pool.take());
  assert.equal(pool.take(), NO_BUFFER);
  assert.equal(pool.lentCount, LARGE_BUFFER_COUNT + BUFFER_COUNT);
  const end = Math.max(...ordinary) + BUFFER_BYTES;
  for (const [i, offset] of large.entries()) assert.equal(offset, end + i * LARGE_BUFFER_BYTES);
  pool.give(large[3]);
  assert.equal(pool.take(), NO_BUFFER);
  assert.equal(pool.takeLarge(), large[3]);
  pool.give(ordinary[5]);
  assert.equal(pool.takeLarge(), NO_BUFFER);
  assert.equal(pool.take(), ordinary[5]);
});

Deno.test("BufferPool lends buffers for large heads, so many of either kind and no more", () => {
  const pool = new BufferPool();
  const take = (count: number, one: () => number) => Array.from({ length: count }, one);
  const kept = take(REQUEST_HEAD_BUFFERS, () => pool.takeForRequest(BUFFER_BYTES + 1));
  const passing = take(PASSING_HEAD_BUFFERS, () => pool.takeForPassing(HEAD_BUFFER_BYTES));
  assert.equal(pool.takeForRequest(BUFFER_BYTES + 1), NO_BUFFER);
  assert.equal(pool.takeForPassing(BUFFER_BYTES + 1), NO_BUFFER);
  assert.equal(pool.lentCount, kept.length + passing.length);
  for (const [i, offset] of [...kept, ...passing].entries()) {
    assert.equal(offset, kept[0] + i * HEAD_BUFFER_BYTES);
    assert.ok(isHeadBuffer(offset) && bufferBytes(offset) === HEAD_BUFFER_BYTES);
  }
  // Behind them are the two areas for heads in the making, and that is all of the arena.
  assert.equal(passing[0] + passing.length * HEAD_BUFFER_BYTES, RECEIVED_AREA);
  assert.deepEqual([COMPOSED_AREA, ARENA_BYTES], [
    RECEIVED_AREA + HEAD_BUFFER_BYTES,
    RECEIVED_AREA + 2 * HEAD_BUFFER_BYTES,
  ]);
  for (const one of [pool.takeForRequest(BUFFER_BYTES), pool.takeForPassing(BUFFER_BYTES)]) {
    assert.ok(!isHeadBuffer(one), "A head that fits an ordinary buffer has one");
  }
  pool.give(kept[7]);
  pool.give(passing[3]);
  assert.equal(pool.takeForPassing(HEAD_BUFFER_BYTES), passing[3]);
  assert.equal(pool.takeForPassing(HEAD_BUFFER_BYTES), NO_BUFFER);
  assert.equal(pool.takeForRequest(HEAD_BUFFER_BYTES), kept[7]);
});

Deno.test("A buffer for heads holds the largest with the most fields, in either protocol, and what is added to it", () => {
  const added = HEADER_TEXT_BYTES_MAX + 1_024;
  // A line of HTTP/1.1 takes four bytes more than its name and value, a field of HPACK at most ten.
  assert.ok(HEAD_BYTES_MOST + 10 * HEADERS_MAX + added <= HEAD_BUFFER_BYTES);
});

Deno.test("BufferPool lends again what was given back last", () => {
  const pool = new BufferPool();
  const [first, second] = [pool.take(), pool.take()];
  pool.give(first);
  pool.give(second);
  assert.equal(pool.take(), second);
  assert.equal(pool.lentCount, 1);
});

const firstBuffer = new BufferPool().take();

function textsIn(): { texts: Texts; read: (piece: ArenaSlice) => string } {
  const arena = new Uint8Array(firstBuffer);
  const read = ({ offset, length }: ArenaSlice) =>
    new TextDecoder().decode(arena.subarray(offset, offset + length));
  return { texts: new Texts(arena), read };
}

Deno.test("Texts of a client name its address, and are kept", () => {
  const { texts, read } = textsIn();
  const one = texts.peer("192.0.2.1");
  assert.equal(
    read(one.all),
    "x-forwarded-for: 192.0.2.1\r\nx-forwarded-proto: http\r\n\r\n",
  );
  assert.equal(read(one.forwardedFor), "x-forwarded-for: 192.0.2.1\r\n");
  assert.equal(read(one.appended), ", 192.0.2.1\r\n");
  assert.equal(texts.peer("192.0.2.1"), one);
  assert.equal(read(texts.peer("192.0.2.1", true).forwardedProto), "x-forwarded-proto: https\r\n");
});

Deno.test("Texts of many clients stay in their room, below the first buffer", () => {
  const { texts, read } = textsIn();
  const longest = (i: number) => `2001:db8:1111:2222:3333:4444:5555:${(0x1000 + i).toString(16)}`;
  for (let i = 0; i < 1_000; i++) {
    const peer = texts.peer(longest(i));
    for (const piece of Object.values(peer)) assert.ok(piece.offset + piece.length <= firstBuffer);
    assert.equal(read(peer.appended), `, ${longest(i)}\r\n`);
  }
  assert.equal(read(texts.versionLine), " HTTP/1.1\r\n");
  assert.equal(read(texts.close), "connection: close\r\n");
});

Deno.test("writeAscii writes one byte a character and returns how many", () => {
  const bytes = new Uint8Array(6);
  assert.equal(writeAscii(bytes, 1, "abc"), 3);
  assert.deepEqual([...bytes], [0, 97, 98, 99, 0, 0]);
});
