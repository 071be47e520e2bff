// Tests of spans as OTLP's JSON: attributes, times, and what counts as an error of whom.
import assert from "node:assert/strict";
import { encodeSpans } from "./otlp.ts";
import type { FinishedSpan, RequestRecord } from "./request_record.ts";
import { SPAN } from "./testing.ts";

interface Encoded {
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status: { readonly code?: number };
  readonly attributes: readonly {
    readonly key: string;
    readonly value: Readonly<Record<string, string>>;
  }[];
}

function encode(record: Partial<RequestRecord>, span: Partial<FinishedSpan> = {}): Encoded {
  const text = encodeSpans([{ ...SPAN, ...span, record: { ...SPAN.record, ...record } }], {});
  return JSON.parse(text).resourceSpans[0].scopeSpans[0].spans[0];
}

function attributesOf({ attributes }: Encoded): Record<string, string | undefined> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue]),
  );
}

Deno.test("otlp: addresses of either IP version, with ports and without", () => {
  const client = attributesOf(encode({ authority: "[::1]:8080", endpoint: "[fd00::1]:80" }));
  assert.deepEqual([client["server.address"], client["server.port"]], ["::1", "8080"]);
  assert.equal(client["network.peer.address"], "fd00::1");
  assert.equal(client["network.peer.port"], "80");
  assert.equal(client["client.address"], undefined);
  const server = attributesOf(
    encode({ authority: "web.shop", peer: "fd00::7" }, { kind: "server" }),
  );
  assert.deepEqual([server["server.address"], server["server.port"]], ["web.shop", undefined]);
  assert.equal(server["network.peer.address"], "fd00::7");
  assert.equal(server["network.peer.port"], undefined);
  assert.equal(server["client.address"], "fd00::7");
});

Deno.test("otlp: names are few, whatever clients ask for", () => {
  assert.equal(
    encode({ method: "GET", service: "shop/web:80", path: "/users/7" }).name,
    "GET shop/web:80",
  );
  const odd = encode({ method: "BREW", service: "" });
  assert.equal(odd.name, "HTTP");
  assert.equal(attributesOf(odd)["http.request.method"], "_OTHER");
  assert.equal(attributesOf(odd)["http.request.method_original"], "BREW");
  assert.equal(attributesOf(encode({ path: "/a/b?token=secret" }))["url.path"], "/a/b");
});

Deno.test("otlp: times are whole nanoseconds, exact to the microsecond", () => {
  const span = encode({ durationMs: 1.25 }, { startMs: 1_795_446_145_048.749 });
  assert.equal(span.startTimeUnixNano, "1795446145048749000");
  assert.equal(span.endTimeUnixNano, "1795446145049999000");
});

Deno.test("otlp: what counts as an error, and of whom", () => {
  const errorOf = (kind: FinishedSpan["kind"], record: Partial<RequestRecord>) => {
    const span = encode(record, { kind });
    assert.equal(span.status.code === 2, attributesOf(span)["error.type"] !== undefined);
    return attributesOf(span)["error.type"] ?? "";
  };
  assert.equal(errorOf("client", { status: 200 }), "");
  assert.deepEqual([errorOf("client", { status: 404 }), errorOf("server", { status: 404 })], [
    "404",
    "",
  ]);
  assert.equal(errorOf("server", { status: 500 }), "500");
  assert.equal(errorOf("server", { status: 403, reason: "access-denied" }), "access-denied");
  const call = (kind: FinishedSpan["kind"], grpcStatus: number) =>
    errorOf(kind, { status: 200, grpcStatus });
  assert.deepEqual([call("client", 0), call("server", 0)], ["", ""]);
  assert.deepEqual([call("client", 5), call("server", 5)], ["5", ""]);
  assert.deepEqual([call("client", 13), call("server", 13)], ["13", "13"]);
});
