import assert from "node:assert/strict";
import { Random, randomSeed } from "../../../base/random.ts";
import { bytesOf, textOf } from "../../../tests/support/bytes_notation.ts";
import { cutsOf } from "../../../tests/support/cuts.ts";
import { Body } from "./body.ts";

const bytes = bytesOf("helloGET / HTTP/1.1");

Deno.test("Body of a known length ends there, however it arrives", () => {
  for (const cut of [1, 2, 3, 4, 5]) {
    const body = new Body();
    body.startLength(5);
    assert.equal(body.advance(bytes, 0, cut), cut);
    assert.equal(body.isDone, cut === 5);
    assert.equal(body.advance(bytes, cut, bytes.length), 5);
    assert.ok(body.isDone && !body.isBroken);
  }
});

Deno.test("Body that is done takes nothing more", () => {
  const body = new Body();
  body.startEmpty();
  assert.ok(body.isDone);
  assert.equal(body.advance(bytes, 3, bytes.length), 3);
  body.startLength(0);
  assert.ok(body.isDone);
  assert.equal(body.advance(bytes, 3, bytes.length), 3);
});

Deno.test("Body of the largest length counts it exactly", () => {
  const body = new Body();
  body.startLength(Number.MAX_SAFE_INTEGER);
  assert.equal(body.advance(bytes, 0, 10), 10);
  assert.ok(!body.isDone);
});

Deno.test("Body until close takes everything, and ends when told to", () => {
  const body = new Body();
  body.startUntilClose();
  assert.equal(body.advance(bytes, 0, bytes.length), bytes.length);
  assert.ok(!body.isDone && body.isUntilClose);
  body.end();
  assert.ok(body.isDone);
});

Deno.test("Body starts afresh after one that broke", () => {
  const body = new Body();
  body.startChunked();
  body.advance(bytesOf("x"), 0, 1);
  assert.ok(body.isBroken);
  body.startChunked();
  const chunked = bytesOf("5\r\nhello\r\n0\r\n\r\n");
  assert.equal(body.advance(chunked, 0, chunked.length), chunked.length);
  assert.ok(body.isDone && !body.isBroken && body.isChunked);
  body.startLength(1);
  assert.ok(!body.isChunked && !body.isUntilClose);
});

Deno.test("Body unchunks in place and leaves what follows alone", () => {
  const body = new Body();
  body.startChunked();
  const text = bytesOf("..3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: u\r\n\r\nGET");
  const dataEnd = body.unchunk(text, 2, text.length);
  assert.equal(textOf(text.subarray(2, dataEnd)), "abcde");
  assert.equal(textOf(text.subarray(dataEnd, text.length - body.takenOut)), "T: u\r\nGET");
  assert.equal(body.trailerBytes, 6);
});

/** Unchunks as a connection does: what has been taken stays at the front, and what comes next goes behind it. */
function unchunked(text: string, ends: readonly number[]): { data: string; trailers: string } {
  const body = new Body();
  body.startChunked();
  const all = bytesOf(text);
  const held = new Uint8Array(all.length);
  let ready = 0;
  let end = 0;
  let arrived = 0;
  for (const upTo of ends) {
    held.set(all.subarray(arrived, upTo), end);
    end += upTo - arrived;
    arrived = upTo;
    ready = body.unchunk(held, ready, end);
    end -= body.takenOut;
  }
  assert.ok(body.isDone && !body.isBroken);
  const trailersEnd = ready + body.trailerBytes;
  assert.equal(textOf(held.subarray(trailersEnd, end)), "GET / HTTP/1.1");
  return {
    data: textOf(held.subarray(0, ready)),
    trailers: textOf(held.subarray(ready, trailersEnd)),
  };
}

Deno.test("Body keeps trailers behind its data, however they arrive", () => {
  const seed = randomSeed();
  for (const trailers of ["", "T: u\r\n", "X-Sum:1\r\nEmpty:\r\nLong: \t v w \r\n"]) {
    const text = `3\r\nabc\r\n2;x\r\nde\r\n0\r\n${trailers}\r\nGET / HTTP/1.1`;
    for (const { name, ends } of cutsOf(text.length, new Random(seed, "trailers"), 50)) {
      assert.deepEqual(unchunked(text, ends), { data: "abcde", trailers }, `seed ${seed}, ${name}`);
    }
  }
});

Deno.test("Body whose framing is taken out only later is the same, wherever that begins", () => {
  const text = '5;a="b";c=d\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 42\r\nContent-Length: 3\r\n' +
    "X-Hop: 1\r\nX-Note: two words\r\nHost: evil\r\n\r\nGET /";
  for (let cut = 0; cut <= text.length; cut++) {
    const body = new Body();
    body.startChunked(["x-hop"]);
    const arena = bytesOf(text);
    let ready = body.advance(arena, 0, cut);
    let end = cut - body.takenOut;
    ready = body.unchunkPassed(arena, 0, ready, end);
    end -= body.takenOut;
    arena.set(bytesOf(text.slice(cut)), end);
    end += text.length - cut;
    ready = body.unchunk(arena, ready, end);
    end -= body.takenOut;
    assert.ok(body.isDone && !body.isBroken, `cut at ${cut}`);
    const trailersEnd = ready + body.trailerBytes;
    const parts = [[0, ready], [ready, trailersEnd], [trailersEnd, end]] as const;
    assert.deepEqual(
      parts.map(([from, to]) => textOf(arena.subarray(from, to))),
      ["hello!", "X-Sum: 42\r\nX-Note: two words\r\n", "GET /"],
      `cut at ${cut}`,
    );
  }
});
