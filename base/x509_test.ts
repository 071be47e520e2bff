import { deepEqual, equal, ok } from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import {
  CLIENT_ID,
  HAS_OPENSSL_COMMAND,
  SERVER_ID,
  testCertificates,
} from "../tests/tls/certificates.ts";
import { expiryOf, urisOf } from "./x509.ts";

function derOf(pem: string): Uint8Array {
  const [, base64] = /-----BEGIN CERTIFICATE-----([^-]*)/.exec(pem) ?? [];
  return Uint8Array.from(atob(base64.replace(/\s/g, "")), (character) => character.charCodeAt(0));
}

Deno.test({
  name: "URIs of a certificate: one, several, none",
  ignore: !HAS_OPENSSL_COMMAND,
  fn() {
    const { server, ambiguous, authority } = testCertificates();
    deepEqual(urisOf(derOf(server.chainPem)), [SERVER_ID]);
    deepEqual(urisOf(derOf(ambiguous.chainPem)), [CLIENT_ID, SERVER_ID]);
    deepEqual(urisOf(derOf(authority.chainPem)), []);
  },
});

Deno.test({
  name: "URIs of a certificate: a DNS name that looks like one is none",
  ignore: !HAS_OPENSSL_COMMAND,
  fn() {
    const der = derOf(testCertificates().server.chainPem);
    const found = new TextDecoder("latin1").decode(der).indexOf(SERVER_ID);
    // The tag before its length: from uniformResourceIdentifier to dNSName.
    der[found - 2] = 0x82;
    deepEqual(urisOf(der), []);
  },
});

Deno.test({
  name: "URIs of what is no certificate: none, wherever it is cut or altered",
  ignore: !HAS_OPENSSL_COMMAND,
  fn() {
    const der = derOf(testCertificates().ambiguous.chainPem);
    for (let length = 0; length < der.length; length++) {
      deepEqual(urisOf(der.subarray(0, length)), []);
    }
    for (let at = 0; at < der.length; at++) {
      const altered = der.slice();
      altered[at] ^= 0xff;
      urisOf(altered);
    }
    deepEqual(urisOf(Uint8Array.of(0x30, 0x84, 0xff, 0xff, 0xff, 0xff)), []);
  },
});

Deno.test({
  name: "expiry of a certificate, as node:crypto reads it; of a chain, the first one's",
  ignore: !HAS_OPENSSL_COMMAND,
  fn() {
    const { server, client, authority } = testCertificates();
    for (const { chainPem } of [server, client, authority]) {
      equal(expiryOf(chainPem), Date.parse(new X509Certificate(chainPem).validTo));
    }
    ok((expiryOf(server.chainPem) ?? 0) > Date.now());
  },
});

Deno.test({
  name: "expiry of a certificate: after 2049 years have four digits",
  ignore: !HAS_OPENSSL_COMMAND,
  fn() {
    const { stdout } = new Deno.Command("openssl", {
      args: [
        ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
        ...["-keyout", "/dev/null", "-days", "20000", "-subj", "/CN=late"],
      ],
      stderr: "null",
    }).outputSync();
    const pem = new TextDecoder().decode(stdout);
    equal(expiryOf(pem), Date.parse(new X509Certificate(pem).validTo));
    ok(new Date(expiryOf(pem) ?? 0).getUTCFullYear() > 2050);
  },
});

Deno.test("expiry of what is no certificate is not known", () => {
  const pem = (text: string) => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;
  for (
    const text of [
      "",
      "certificate",
      pem(""),
      pem("!!"),
      pem("MAA="),
      pem("MIIB"),
      pem(btoa("a".repeat(99))),
    ]
  ) {
    equal(expiryOf(text), null, text);
  }
});
