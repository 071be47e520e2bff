// Tests of dot_segments.ts: every spelling of a dot segment is seen, and nothing else.
import assert from "node:assert/strict";
import fc from "fast-check";
import { hasDotSegment } from "./dot_segments.ts";

function has(path: string): boolean {
  const bytes = new TextEncoder().encode(`xx${path}yy`);
  return hasDotSegment(bytes, 2, bytes.length - 2);
}

Deno.test("dot segments, in every spelling that servers decode", () => {
  for (
    const path of [
      "/..",
      "/.",
      "/a/../b",
      "/a/./b",
      "/a/..",
      "/a/%2e%2e/b",
      "/a/.%2E/b",
      "/a%2f..%2fb",
      "/a%2F%2e%2e",
      "/a\\..\\b",
      "/a%5c..%5Cb",
      "/a/..;x=1/b",
      "/a/..;/b",
      "/a/.;",
      "..",
    ]
  ) assert.equal(has(path), true, path);
});

Deno.test("dots that are part of a name, and what is no encoding", () => {
  for (
    const path of [
      "",
      "/",
      "/a",
      "/a.b",
      "/.well-known/x",
      "/..a",
      "/a..",
      "/...",
      "/a...b/",
      "/a;b/c",
      "/;..",
      "/%2",
      "/%zz/..a",
      "/a%2fb",
      "/%252e%252e/",
    ]
  ) assert.equal(has(path), false, path);
});

Deno.test("what a URL parser changes has a dot segment, where it has only segments", () => {
  const segment = fc.constantFrom("a", "b.c", ".", "..", "%2e", ".%2E", "...", "%2e%2e", "x%2f");
  fc.assert(fc.property(fc.array(segment, { minLength: 1 }), (segments) => {
    const path = `/${segments.join("/")}`;
    assert.equal(has(path), new URL(`http://a${path}`).pathname !== path);
  }));
});
