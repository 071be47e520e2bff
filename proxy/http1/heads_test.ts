import assert from "node:assert/strict";
import { refusalBy, REFUSALS } from "../../base/refusals.ts";
import { Response } from "../protocol/http1/response.ts";
import { Request } from "../protocol/http1/request.ts";
import { COMPLETE } from "../protocol/http1/head.ts";
import { bytesOf, textOf } from "../../tests/support/bytes_notation.ts";
import { BufferPool, GatherList, Texts } from "../loop/arena.ts";
import { gatherRequest, gatherResponse, renderAnswer } from "./heads.ts";

// What goes upstream is covered by tests/protocol/http1/forwarding.md.

const start = new BufferPool().take();
const arena = new Uint8Array(start + 4096);
const texts = new Texts(arena);

function parsed<Machine extends Request | Response>(head: Machine, text: string): Machine {
  arena.set(bytesOf(text), start);
  assert.equal(head.parse(arena, start, start + text.length), COMPLETE);
  return head;
}

function textIn(list: GatherList): string {
  let text = "";
  for (let i = 0; i < list.count; i++) {
    text += textOf(arena.subarray(list.offsets[i], list.offsets[i] + list.lengths[i]));
  }
  assert.equal(list.bytes, text.length);
  return text;
}

Deno.test("GatherList leaves out what is empty", () => {
  const list = new GatherList();
  list.add(1, 0);
  list.add(1, 2);
  assert.equal(list.count, 1);
  list.clear();
  assert.equal(list.count + list.bytes, 0);
});

Deno.test("gatherResponse ends with the line that says what becomes of the connection", () => {
  const list = new GatherList();
  const head = parsed(new Response(), "HTTP/1.0 200 OK\r\nKeep-Alive: 5\r\nX: y\r\n\r\n");
  gatherResponse(list, head, texts, texts.close);
  assert.equal(textIn(list), "HTTP/1.1 200 OK\r\nX: y\r\nconnection: close\r\n\r\n");
  gatherResponse(list, head, texts, null);
  assert.equal(textIn(list), "HTTP/1.1 200 OK\r\nX: y\r\n\r\n");
});

Deno.test("A head with nothing to change is one piece and the lines that are added", () => {
  const list = new GatherList();
  const head = parsed(new Request(), "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n");
  assert.ok(gatherRequest(list, arena, head, texts, texts.peer("::1")));
  assert.equal(list.count, 2);
});

Deno.test("dropNamed drops every header of that name, and says when there are too many", () => {
  const list = new GatherList();
  const few = "HTTP/1.1 200 OK\r\nX: 1\r\nY: 2\r\nx: 3\r\n\r\n";
  const head = parsed(new Response(), few);
  assert.ok(head.dropNamed(arena, "x"));
  gatherResponse(list, head, texts, null);
  assert.equal(textIn(list), "HTTP/1.1 200 OK\r\nY: 2\r\n\r\n");
  const many = parsed(new Response(), `HTTP/1.1 200 OK\r\n${"x: 1\r\n".repeat(41)}\r\n`);
  assert.ok(!many.dropNamed(arena, "x"));
});

Deno.test("undoEdits leaves a head as parsing left it", () => {
  const head = parsed(
    new Request(),
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: y\r\nX: 1\r\nY: 2\r\nZ: 3\r\n\r\n",
  );
  const list = new GatherList();
  const before = (gatherRequest(list, arena, head, texts, texts.peer("::1")), textIn(list));
  head.undoEdits();
  assert.ok(head.dropNamed(arena, "x") && head.dropNamed(arena, "z"));
  head.addedStart = start;
  head.addedEnd = start + 1;
  head.undoEdits();
  gatherRequest(list, arena, head, texts, texts.peer("::1"));
  assert.equal(textIn(list), before);
});

function answerIn(text: string): { head: Response; body: string } {
  const head = new Response();
  const bytes = bytesOf(text);
  assert.equal(head.parse(bytes, 0, bytes.length), COMPLETE);
  return { head, body: text.slice(head.end) };
}

Deno.test("renderAnswer gives a whole response that our own machine takes", () => {
  const text = renderAnswer(REFUSALS["no-endpoints"], false, false);
  const { head, body } = answerIn(text);
  assert.equal(head.status, 503);
  assert.equal(head.contentLength, body.length);
  assert.ok(head.isPersistent);
  assert.match(text, /\r\nx-weft-reason: no-endpoints\r\n/);
});

Deno.test("renderAnswer to HEAD has the length of the body and no body", () => {
  const whole = answerIn(renderAnswer(REFUSALS["host-unknown"], false, true));
  const { head, body } = answerIn(renderAnswer(REFUSALS["host-unknown"], true, true));
  assert.equal(body, "");
  assert.equal(head.contentLength, whole.body.length);
  assert.ok(!head.isPersistent);
});

Deno.test("renderAnswer has a phrase for every refusal", () => {
  for (const refusal of Object.values(REFUSALS)) {
    assert.doesNotMatch(
      renderAnswer(refusal, false, true),
      /^HTTP\/1\.1 \d+ Error/,
      refusal.reason,
    );
  }
});

Deno.test("renderAnswer gives no body with a status that has none", () => {
  const lengths = { 204: null, 205: "0", 304: null };
  for (const [status, length] of Object.entries(lengths)) {
    const text = renderAnswer(refusalBy("fault-abort", Number(status), null), false, false);
    assert.ok(text.endsWith("\r\n\r\n"), text);
    assert.equal(/content-length: (\d+)/.exec(text)?.[1] ?? null, length);
  }
});
