/** Certificates and requests for them, in DER. */
import assert from "node:assert/strict";
import { parseSigningRequest } from "../../base/csr.ts";
import { der } from "../../base/der.ts";
import { DerError } from "../../base/der_reader.ts";
import type { Random } from "../../base/random.ts";
import { urisOf } from "../../base/x509.ts";
import { readCertificate } from "../../controller/identity/certificate.ts";
import type { Target } from "./fuzz.ts";

/** As a sidecar has written it. */
const REQUEST = Uint8Array.fromBase64(
  "MIIBGDCBvgIBADAAMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEiQnBYZz0Mvl25u8rxlxOWuBpEJDjW/+sLj3/" +
    "3POb5eYtwMmq2nQFZSYXEGCE5gB4Rf20+hdrNhrD8U5eExnSTqBcMBMGCSqGSIb3DQEJBzEGDAQwMGZmMEUGCSqG" +
    "SIb3DQEJDjE4MDYwNAYDVR0RAQH/BCowKIYmc3BpZmZlOi8vY2x1c3Rlci5sb2NhbC9ucy9zaG9wL3NhL2NhcnQw" +
    "CgYIKoZIzj0EAwIDSQAwRgIhAIvisZ+3Vx4knYj4JJdv9bzZ8d9dDptg+bM7JhfZ2yHsAiEA0w1y14lAngcUQEFW" +
    "6G3bwLcbMS+rtX/SDNqg9oZo2Bo=",
);

/** Of an intermediate. */
const CERTIFICATE = Uint8Array.fromBase64(
  "MIIBpjCCAUygAwIBAgIQIPw0wmRF+GcHfJBI0fCRYzAKBggqhkjOPQQDAjAdMRswGQYDVQQDDBJ3ZWZ0IHJvb3Qg" +
    "NTc5M2VlN2EwHhcNMjYxMTMwMTIxNzA1WhcNMzYxMTI3MTIxOTA1WjAlMSMwIQYDVQQDDBp3ZWZ0IGludGVybWVk" +
    "aWF0ZSA1NzkzZWU3YTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABP+JJsNsqJ4dHFQ5/TYA/VfXnz3qtUimNNQW" +
    "FqOEXfCc7IQ80rN682S6ljpFpsvWYkwutJteAJaAONafxsAwSNSjZjBkMBIGA1UdEwEB/wQIMAYBAf8CAQAwDgYD" +
    "VR0PAQH/BAQDAgEGMB0GA1UdDgQWBBSKAEMtkPk95PDjtrdziSj3+zxOyTAfBgNVHSMEGDAWgBQ7/6blx/YNRkxr" +
    "wI6aolns+YtMIzAKBggqhkjOPQQDAgNIADBFAiEAqkjKliQx8EJyLbGX016h1aLAXBqF0zizZKeNtjz+N4sCICDU" +
    "7+vMkyvP/+iG8p7gMtGU/qSqvL+5U2z0JlyuH67f",
);

/** Bytes changed, doubled, taken away and put in, a few at a time. */
function damaged(bytes: Uint8Array, random: Random): Uint8Array {
  let made = bytes;
  for (let times = random.below(4); times > 0; times--) {
    const at = random.below(made.length + 1);
    const length = random.below(8);
    const middle = [
      () => made.subarray(at, at + length),
      () => Uint8Array.from({ length }, () => random.below(256)),
      () => new Uint8Array(0),
    ][random.below(3)]();
    const rest = made.subarray(at + (random.below(2) === 0 ? 0 : length));
    made = new Uint8Array([...made.subarray(0, at), ...middle, ...rest]);
  }
  return made;
}

/** Undefined: it is refused, in the one way in which it may be. */
function taken<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    assert.ok(error instanceof DerError, String(error));
    return undefined;
  }
}

/** Every way to write what a request says. */
function* spellings({ spki, uri, challenge }: ReturnType<typeof parseSigningRequest>) {
  const names = der.octets(der.sequence(der.plain(6, new TextEncoder().encode(uri))));
  const attribute = (oid: string, value: Uint8Array) => der.sequence(der.oid(oid), der.set(value));
  const asked = attribute("1.2.840.113549.1.9.7", der.text(challenge));
  for (const critical of [[], [der.boolean(true)], [der.boolean(false)]]) {
    const altName = der.sequence(der.oid("2.5.29.17"), ...critical, names);
    const wanted = attribute("1.2.840.113549.1.9.14", der.sequence(altName));
    for (const attributes of [[asked, wanted], [wanted, asked]]) {
      const version = der.integer(new Uint8Array(1));
      yield der.sequence(version, der.sequence(), spki, der.explicit(0, ...attributes));
    }
  }
}

const request: Target = {
  name: "csr",
  invariant: "What is taken says nothing but a key, one URI and a challenge, and is DER",
  generate: (random) => damaged(REQUEST, random),
  check(bytes) {
    const parsed = taken(() => parseSigningRequest(bytes));
    if (parsed === undefined) return;
    const written = parsed.info.toHex();
    assert.ok([...spellings(parsed)].some((each) => each.toHex() === written), written);
    assert.equal(taken(() => parseSigningRequest(new Uint8Array([...bytes, 0]))), undefined);
  },
};

const certificate: Target = {
  name: "certificate",
  invariant: "Read or refused; what is signed is all of it, and both readers find the same names",
  generate: (random) => damaged(CERTIFICATE, random),
  check(bytes) {
    const read = taken(() => readCertificate(bytes));
    if (read === undefined) return;
    assert.deepEqual(read.uris, urisOf(bytes));
    assert.ok(read.fromMs > 0 && Number.isFinite(read.untilMs));
    assert.ok(bytes.toHex().includes(read.toBeSigned.toHex()));
    assert.equal(taken(() => readCertificate(new Uint8Array([...bytes, 0]))), undefined);
  },
};

export const CERTIFICATE_TARGETS: readonly Target[] = [request, certificate];
