import assert from "node:assert/strict";
import { refusalBy, REFUSALS } from "../../base/refusals.ts";
import { bytesOf } from "../../tests/support/bytes_notation.ts";
import { COMPLETE } from "../protocol/http1/head.ts";
import { Response } from "../protocol/http1/response.ts";
import { renderAnswer } from "./answer.ts";

function parse(text: string): { head: Response; body: string } {
  const head = new Response();
  const bytes = bytesOf(text);
  assert.equal(head.parse(bytes, 0, bytes.length), COMPLETE);
  return { head, body: text.slice(head.end) };
}

Deno.test("renderAnswer gives a whole response that our own machine takes", () => {
  const text = renderAnswer(REFUSALS["no-endpoints"], false, false);
  const { head, body } = parse(text);
  assert.equal(head.status, 503);
  assert.equal(head.contentLength, body.length);
  assert.ok(head.isPersistent);
  assert.match(text, /\r\nx-weft-reason: no-endpoints\r\n/);
});

Deno.test("renderAnswer to HEAD has the length of the body and no body", () => {
  const whole = parse(renderAnswer(REFUSALS["host-unknown"], false, true));
  const { head, body } = parse(renderAnswer(REFUSALS["host-unknown"], true, true));
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
