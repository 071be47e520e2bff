import assert from "node:assert/strict";
import { COMPLETE } from "../../../proxy/protocol/http1/head.ts";
import { Request } from "../../../proxy/protocol/http1/request.ts";

Deno.test("what routing sees of a query, in every form of a target", () => {
  const targets = {
    "GET /a?b=c?d=e": "b=c?d=e",
    "GET /a": "",
    "GET /a?": "",
    "GET http://web.app?b": "b",
    "GET http://web.app/a?b=1&b=2": "b=1&b=2",
    "GET http://web.app": "",
    "OPTIONS *": "",
    "CONNECT web.app:80": "",
  };
  const request = new Request();
  for (const [line, query] of Object.entries(targets)) {
    const bytes = new TextEncoder().encode(`${line} HTTP/1.1\r\nhost: web.app\r\n\r\n`);
    assert.equal(request.parse(bytes, 0, bytes.length), COMPLETE, line);
    const { queryStart, queryEnd } = request.routed;
    assert.ok(queryStart <= queryEnd, line);
    assert.equal(new TextDecoder().decode(bytes.subarray(queryStart, queryEnd)), query, line);
  }
});
