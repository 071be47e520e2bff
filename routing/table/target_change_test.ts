import { strictEqual as equal } from "node:assert/strict";
import type { PlanPathChange, PlanRedirect } from "../plan.ts";
import { requestHeadOf } from "../request.ts";
import { changedPath, redirectLocation } from "./target_change.ts";

function headOf(path: string, host = "web.app") {
  return requestHeadOf({ method: "GET", url: `http://${host}${path}` });
}

function changed(change: PlanPathChange, path: string): string {
  const head = headOf(path);
  const { text, from } = changedPath(change, head) ?? { text: "", from: head.pathStart };
  return text + new TextDecoder().decode(head.bytes.subarray(from, head.pathEnd));
}

Deno.test("a prefix is replaced by segments, as the Gateway API's table has it", () => {
  for (
    const [path, prefix, value, expected] of [
      ["/foo/bar", "/foo", "/xyz", "/xyz/bar"],
      ["/foo/bar", "/foo", "/xyz/", "/xyz/bar"],
      ["/foo/bar", "/foo/", "/xyz", "/xyz/bar"],
      ["/foo/bar", "/foo/", "/xyz/", "/xyz/bar"],
      ["/foo", "/foo", "/xyz", "/xyz"],
      ["/foo/", "/foo", "/xyz", "/xyz/"],
      ["/foo/bar", "/foo", "/", "/bar"],
      ["/foo/", "/foo", "/", "/"],
      ["/foo", "/foo", "/", "/"],
      ["/foo", "/", "/x", "/x/foo"],
      ["/", "/", "/x", "/x/"],
    ] as const
  ) equal(changed({ kind: "prefix", prefix, value }, path), expected, `${path} ${prefix} ${value}`);
  equal(changed({ kind: "full", value: "/one" }, "/a/b?c"), "/one");
});

Deno.test("where a client is sent: scheme, host, port, path, and its own query", () => {
  const none = { kind: "redirect", status: 302, scheme: null, host: null, port: null, path: null };
  for (
    const [more, url, port, expected] of [
      [{ host: "example.org" }, "/a?b=1", 80, "http://example.org/a?b=1"],
      [{ host: "example.org" }, "/a", 8080, "http://example.org:8080/a"],
      [{ port: 8083 }, "/", 80, "http://web.app:8083/"],
      [{ port: 80 }, "/", 8080, "http://web.app/"],
      [{ scheme: "https" }, "/a", 8080, "https://web.app/a"],
      [{ scheme: "https", port: 443 }, "/a", 80, "https://web.app/a"],
      [{ scheme: "https", port: 80 }, "/a", 80, "https://web.app:80/a"],
      [{ path: { kind: "full", value: "/x" } }, "/a?", 80, "http://web.app/x"],
      [
        { path: { kind: "prefix", prefix: "/a", value: "/x" } },
        "/a/b?c",
        80,
        "http://web.app/x/b?c",
      ],
    ] as const
  ) {
    const redirect = { ...none, ...more } as PlanRedirect;
    equal(redirectLocation(redirect, headOf(url), port), expected);
  }
  const ipv6 = headOf("/", "[fd00::1]:80");
  equal(redirectLocation({ ...none, port: 81 } as PlanRedirect, ipv6, 80), "http://[fd00::1]:81/");
});
