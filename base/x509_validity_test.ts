import { equal, ok } from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { HAS_OPENSSL_COMMAND, testCertificates } from "../tests/tls/certificates.ts";
import { expiryOf } from "./x509_validity.ts";

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
