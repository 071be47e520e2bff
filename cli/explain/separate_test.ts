// Tests of separate.ts: the two orders in which people write -f and the request.
import assert from "node:assert/strict";
import { CommandFailure } from "../../console/exit.ts";
import { separateRequest } from "./separate.ts";

const GET = { method: "GET", url: "http://httpbin.httpbin:8080/test" };

Deno.test("the request stands alone", () => {
  assert.deepEqual(separateRequest(["GET", GET.url], ["a.yaml"]), {
    request: GET,
    paths: ["a.yaml"],
  });
});

Deno.test("the request stands after the paths, before them, or between two -f", () => {
  for (
    const paths of [
      ["a.yaml", "b.yaml", "GET", GET.url],
      ["a.yaml", "GET", GET.url, "b.yaml"],
      ["a.yaml", "b.yaml", "GET", "httpbin.httpbin:8080/test"],
    ]
  ) {
    assert.deepEqual(separateRequest([], paths), { request: GET, paths: ["a.yaml", "b.yaml"] });
  }
});

Deno.test("a method that no rule can name needs a full URL to be told from a file", () => {
  const { request } = separateRequest([], ["a.yaml", "PURGE", "http://a.b/"]);
  assert.deepEqual(request, { method: "PURGE", url: "http://a.b/" });
  assert.throws(() => separateRequest([], ["README", "LICENSE"]), CommandFailure);
});

Deno.test("no request, half a request and too much are refused", () => {
  for (const words of [[], ["GET"], ["GET", "http://a/", "http://b/"]]) {
    assert.throws(() => separateRequest(words, ["a.yaml"]), CommandFailure);
  }
});
