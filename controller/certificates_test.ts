// Tests of certificates that Weft makes: OpenSSL's own reader agrees with what they say, and trusts only what was signed.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { expiryOf } from "../base/x509.ts";
import { makeAuthority, makeCertificate } from "./certificates.ts";

Deno.test("certificates: a server's is for its names, and of its authority", async () => {
  const authority = await makeAuthority();
  const names = ["weft-controller.weft-system.svc", "weft-controller.weft-system"];
  const { cert, key } = await makeCertificate(authority, names);
  const ca = new X509Certificate(authority.cert);
  const server = new X509Certificate(cert);
  assert.ok(ca.ca && !server.ca);
  assert.ok(server.checkIssued(ca) && server.verify(ca.publicKey));
  for (const name of names) assert.equal(server.checkHost(name), name);
  assert.equal(server.checkHost("weft-controller"), undefined);
  assert.match(key, /^-----BEGIN PRIVATE KEY-----\n/);
  const days = ((expiryOf(cert) ?? 0) - Date.now()) / 86_400_000;
  assert.ok(days > 364 && days <= 365, `${days}`);
  assert.ok((expiryOf(authority.cert) ?? 0) > (expiryOf(cert) ?? Infinity));
});

Deno.test("certificates: another authority of the same name has signed nothing of it", async () => {
  const [one, other] = [await makeAuthority(), await makeAuthority()];
  const { cert } = await makeCertificate(one, ["a"]);
  assert.ok(!new X509Certificate(cert).verify(new X509Certificate(other.cert).publicKey));
  assert.notEqual(
    new X509Certificate(one.cert).serialNumber,
    new X509Certificate(other.cert).serialNumber,
  );
});
