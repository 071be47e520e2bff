import assert from "node:assert/strict";
import { bytesOf } from "../../tests/support/bytes_notation.ts";
import { COMPLETE, REFUSALS } from "../protocol/http1/head.ts";
import { Response } from "../protocol/http1/response.ts";
import { renderAnswer } from "./answer.ts";

function parse(text: string): { head: Response; body: string } {
  const head = new Response();
  const bytes = bytesOf(text);
  assert.equal(head.parse(bytes, 0, bytes.length), COMPLETE);
  return { head, body: text.slice(head.end) };
}

Deno.test("renderAnswer gives a whole response that our own machine takes", () => {
  const answer = { status: 503, reason: "no-endpoints", isHead: false, isClosing: false };
  const { head, body } = parse(renderAnswer(answer));
  assert.equal(head.status, 503);
  assert.equal(head.contentLength, body.length);
  assert.ok(head.isPersistent);
  assert.match(renderAnswer(answer), /\r\nx-weft-reason: no-endpoints\r\n/);
});

Deno.test("renderAnswer to HEAD has the length of the body and no body", () => {
  const answer = { status: 404, reason: "host-unknown", isHead: false, isClosing: true };
  const whole = parse(renderAnswer(answer));
  const { head, body } = parse(renderAnswer({ ...answer, isHead: true }));
  assert.equal(body, "");
  assert.equal(head.contentLength, whole.body.length);
  assert.ok(!head.isPersistent);
});

Deno.test("renderAnswer has a phrase and an explanation for every refusal of a head", () => {
  for (const { status, reason } of REFUSALS.filter(({ reason }) => reason !== "")) {
    const text = renderAnswer({ status, reason, isHead: false, isClosing: true });
    assert.doesNotMatch(text, /^HTTP\/1\.1 \d+ Error/, reason);
    assert.ok(!text.endsWith(`weft: ${reason}\n`), reason);
  }
});
