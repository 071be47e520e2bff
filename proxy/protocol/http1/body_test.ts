import assert from "node:assert/strict";
import { bytesOf } from "../../../tests/support/bytes_notation.ts";
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
  assert.equal(body.unchunk(text, 2, text.length), text.length - 3);
  assert.equal(new TextDecoder().decode(text.subarray(2, body.unchunkedEnd)), "abcde");
  assert.equal(new TextDecoder().decode(text.subarray(text.length - 3)), "GET");
});
