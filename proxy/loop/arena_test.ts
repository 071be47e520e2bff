import assert from "node:assert/strict";
import { BUFFER_BYTES, BUFFER_COUNT, LARGE_BUFFER_BYTES, LARGE_BUFFER_COUNT } from "../limits.ts";
import { ARENA_BYTES, BufferPool, NO_BUFFER, type Piece, Texts, writeAscii } from "./arena.ts";

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
  assert.equal(end + LARGE_BUFFER_COUNT * LARGE_BUFFER_BYTES, ARENA_BYTES);
  pool.give(large[3]);
  assert.equal(pool.take(), NO_BUFFER);
  assert.equal(pool.takeLarge(), large[3]);
  pool.give(ordinary[5]);
  assert.equal(pool.takeLarge(), NO_BUFFER);
  assert.equal(pool.take(), ordinary[5]);
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

function textsIn(): { texts: Texts; read: (piece: Piece) => string } {
  const arena = new Uint8Array(firstBuffer);
  const read = ({ offset, length }: Piece) =>
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
