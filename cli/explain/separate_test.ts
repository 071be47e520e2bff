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

Deno.test("a request is one word too, or a URL that says all; other words are paths", () => {
  for (
    const words of [
      [`GET ${GET.url}`],
      [GET.url],
      ["GET", GET.url],
      ["manifests/", "GET", GET.url],
      [`GET ${GET.url}`, "manifests/"],
    ]
  ) {
    const paths = words.includes("manifests/") ? ["a.yaml", "manifests/"] : ["a.yaml"];
    assert.deepEqual(separateRequest(words, ["a.yaml"]), { request: GET, paths });
  }
  const tcp = { method: "TCP", url: "tcp://db.app:5432" };
  assert.deepEqual(separateRequest([tcp.url], []), { request: tcp, paths: [] });
  assert.deepEqual(separateRequest([], ["a.yaml", tcp.url]), { request: tcp, paths: ["a.yaml"] });
  assert.throws(() => separateRequest(["web.app:80/a"], []), /takes one request/);
});

Deno.test("no request, half a request and too much are refused", () => {
  for (const words of [[], ["GET"], ["GET", "http://a/", "http://b/"]]) {
    assert.throws(() => separateRequest(words, ["a.yaml"]), CommandFailure);
  }
});
