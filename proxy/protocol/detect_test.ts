// Tests of protocol detection: whole openings, every beginning of them, and protocols that only look alike.
import { ok, strictEqual as equal } from "node:assert/strict";
import fc from "fast-check";
import { clientHello } from "../../tests/support/client_hello.ts";
import { detectProtocol, TLS_ALONE } from "./mod.ts";
import { serverNameOf } from "./tls/client_hello.ts";

const encoder = new TextEncoder();

function detect(opening: string | Uint8Array): string {
  const bytes = typeof opening === "string" ? encoder.encode(opening) : opening;
  return detectProtocol(bytes, 0, bytes.length);
}

const OPENINGS: readonly (readonly [what: string, opening: string | Uint8Array, name: string])[] = [
  ["a request", "GET / HTTP/1.1\r\n", "http1"],
  ["a request of HTTP/1.0", "GET / HTTP/1.0\r\n", "http1"],
  ["a request for a tunnel", "CONNECT db:5432 HTTP/1.1\r\n", "http1-proxy"],
  ["a request of a proxy", "\r\nGET http://db/x HTTP/1.1\r\n", "http1-proxy"],
  [
    "a request of a proxy, its method one's own",
    "FROBNICATE ftp://db/ HTTP/1.0\r\n",
    "http1-proxy",
  ],
  ["a request whose query has a scheme", "GET /?to=http://db/ HTTP/1.1\r\n", "http1"],
  ["a request for a server", "OPTIONS * HTTP/1.1\r\n", "http1"],
  ["a request without a scheme", "GET ://db HTTP/1.1\r\n", "http1"],
  ["a request with a word for a target", "GET x:y HTTP/1.1\r\n", "http1"],
  ["an unregistered method", "FROBNICATE /x HTTP/1.1\r\n", "http1"],
  ["a request after empty lines", "\r\n\r\nPOST /x HTTP/1.1\r\n", "http1"],
  ["a bare newline", "GET / HTTP/1.1\n", "http1"],
  ["a WebDAV request", "PROPFIND / HTTP/1.1\r\n", "http1"],
  ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2"],
  ["TLS", clientHello("web.test"), "tls"],
  ["SMTP", "EHLO client.test\r\n", "opaque"],
  ["IRC", "NICK ada\r\n", "opaque"],
  ["RTSP", "OPTIONS rtsp://camera/ RTSP/1.0\r\n", "opaque"],
  ["memcached", "get key\r\n", "opaque"],
  ["Redis", "*1\r\n$4\r\nPING\r\n", "opaque"],
  ["Redis, inline", "PING\r\n", "opaque"],
  ["PostgreSQL", Uint8Array.of(0, 0, 0, 8, 4, 210, 22, 47), "opaque"],
  ["AMQP", "AMQP\x00\x00\x09\x01", "opaque"],
  ["SSH", "SSH-2.0-OpenSSH_9.2\r\n", "opaque"],
  ["a TLS alert", Uint8Array.of(21, 3, 3, 0, 2, 1, 0), "opaque"],
  ["a TLS record that is no ClientHello", Uint8Array.of(22, 3, 3, 0, 4, 2, 0, 0, 0), "opaque"],
  ["HTTP without a version", "GET /\r\n", "opaque"],
  ["a request with something behind its version", "GET / HTTP/1.1 \r\n", "opaque"],
  ["a request of a version to come", "GET / HTTP/3.1\r\n", "opaque"],
];

for (const [what, opening, name] of OPENINGS) {
  Deno.test(`detectProtocol: ${what} is ${name}`, () => {
    equal(detect(opening), name);
  });
}

Deno.test("detectProtocol: what is known by a beginning stays so with every byte more", () => {
  for (const [what, opening, name] of OPENINGS) {
    const bytes = typeof opening === "string" ? encoder.encode(opening) : opening;
    let decided = "undecided";
    for (let length = 0; length <= bytes.length; length++) {
      const now = detect(bytes.subarray(0, length));
      if (decided !== "undecided") equal(now, decided, `${what}, ${length} bytes`);
      decided = now;
    }
    equal(decided, name);
  }
});

Deno.test("detectProtocol: a known method decides where the line does not end", () => {
  const detectAll = (text: string) => detectProtocol(encoder.encode(text), 0, text.length, true);
  for (const part of ["GET /a/very/long", "GE", "FROBNICATE /x", "PRI * HT", "\x16\x03"]) {
    equal(detect(part), "undecided", part);
  }
  equal(detectAll("GET /a/very/long"), "http1");
  equal(detectAll("PRI * HT"), "http2");
  equal(detectAll("CONNECT db:443"), "http1-proxy");
  equal(detectAll("GET http://db/x"), "http1-proxy");
  equal(detectAll("GET http:"), "http1");
  for (const part of ["GE", "FROBNICATE /x", "PR", "\x16\x03"]) {
    equal(detectAll(part), "opaque", part);
  }
  for (const length of [8_192, 8_193, 16_000]) {
    for (const end of ["", " HTTP/1.1\r\n", "\r\n"]) {
      equal(detect(`GET /${"x".repeat(length)}${end}`), "http1");
      equal(detect(`FROBNICATE /${"x".repeat(length)}${end}`), "opaque");
      equal(detect(`GET ${"x".repeat(length)}://${end}`), "http1");
    }
  }
  equal(detect("X".repeat(33)), "opaque");
});

Deno.test("detectProtocol: where TLS alone is asked for, all else is opaque", () => {
  for (const [what, opening, name] of OPENINGS) {
    const bytes = typeof opening === "string" ? encoder.encode(opening) : opening;
    const found = detectProtocol(bytes, 0, bytes.length, false, TLS_ALONE);
    equal(found, name === "tls" ? "tls" : "opaque", what);
  }
});

Deno.test("serverNameOf: the name, in lower case", () => {
  const hello = clientHello("Web.Test");
  equal(serverNameOf(hello, 0, hello.length), "web.test");
});

Deno.test("serverNameOf: no name from what is cut short, and none that is not one", () => {
  const hello = clientHello("web.test");
  for (let length = 0; length < hello.length - 1; length++) {
    const name = serverNameOf(hello, 0, length);
    ok("web.test".startsWith(name), name);
  }
  const odd = clientHello("bad\r\nname");
  equal(serverNameOf(odd, 0, odd.length), "");
  const none = clientHello("");
  equal(serverNameOf(none, 0, none.length), "");
});

Deno.test("detection and server names take any bytes, and never read past the end", () => {
  fc.assert(fc.property(
    fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 8 }), fc.nat(200)).map(([bytes, at]) => {
        const hello = clientHello("web.test");
        hello.set(bytes, Math.min(at, hello.length - bytes.length));
        return hello;
      }),
    ),
    (bytes) => {
      const padded = new Uint8Array(bytes.length + 64).fill(0x2e);
      padded.set(bytes, 32);
      const end = 32 + bytes.length;
      const name = detectProtocol(padded, 32, end);
      equal(name, detect(bytes));
      equal(serverNameOf(padded, 32, end), serverNameOf(bytes, 0, bytes.length));
    },
  ));
});
