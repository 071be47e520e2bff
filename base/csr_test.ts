/** Signing requests: what is written is read, what is broken or of another form is refused, and other programs agree. */
import { deepEqual, ok, rejects } from "node:assert/strict";
import { readSigningRequest, writeSigningRequest } from "./csr.ts";
import { der } from "./der.ts";
import { DerError } from "./der_reader.ts";

const URI = "spiffe://cluster.local/ns/shop/sa/cart";
const WANTED = { uri: URI, challenge: "00ff" };

function newKeys(curve = "P-256"): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey({ name: "ECDSA", namedCurve: curve }, true, ["sign", "verify"]);
}

Deno.test("csr: what a sidecar writes is what the controller reads", async () => {
  const keys = await newKeys();
  const read = await readSigningRequest(await writeSigningRequest(keys, WANTED));
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("spki", keys.publicKey));
  deepEqual(read, { ...WANTED, publicKey });
});

Deno.test("csr: no change of a byte passes, and none is an error of another kind", async () => {
  const bytes = await writeSigningRequest(await newKeys(), WANTED);
  for (let at = 0; at < bytes.length; at++) {
    for (const bit of [1, 0x80]) {
      const changed = bytes.slice();
      changed[at] ^= bit;
      await rejects(readSigningRequest(changed), DerError, `byte ${at}`);
    }
    await rejects(readSigningRequest(bytes.slice(0, at)), DerError);
  }
  await rejects(readSigningRequest(new Uint8Array([...bytes, 0])), DerError);
});

Deno.test("csr: another one's key does not vouch for it", async () => {
  const [own, other] = [await newKeys(), await newKeys()];
  const mixed = { publicKey: own.publicKey, privateKey: other.privateKey };
  await rejects(readSigningRequest(await writeSigningRequest(mixed, WANTED)), /not signed by/);
});

const COMMAND = await new Deno.Command("openssl", { args: ["version"] }).output().then(
  ({ success }) => success,
  () => false,
);

async function openssl(args: readonly string[], input?: Uint8Array): Promise<Uint8Array> {
  const child = new Deno.Command("openssl", {
    args: [...args],
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(input);
    await writer.close();
  }
  const { success, stdout, stderr } = await child.output();
  ok(success, new TextDecoder().decode(stderr));
  return stdout;
}

Deno.test({
  name: "csr: OpenSSL reads it and accepts its signature",
  ignore: !COMMAND,
  async fn() {
    const bytes = await writeSigningRequest(await newKeys(), WANTED);
    const args = ["req", "-inform", "DER", "-noout", "-verify", "-text"];
    const text = new TextDecoder().decode(await openssl(args, bytes));
    ok(text.includes(`URI:${URI}`), text);
    ok(/challengePassword\s*:\s*00ff/.test(text), text);
  },
});

Deno.test({
  name: "csr: what other programs write for another purpose is refused",
  ignore: !COMMAND,
  async fn() {
    const folder = await Deno.makeTempDir();
    const alike = `subjectAltName=critical,URI:${URI}`;
    const cases: readonly (readonly [subject: string, key: string, extension: string, RegExp])[] = [
      ["/CN=x", "P-256", alike, /subject/],
      ["/", "P-384", alike, /P-256|another form/],
      ["/", "P-256", `${alike},URI:spiffe://cluster.local/ns/a/sa/b`, /more than one/],
      ["/", "P-256", `${alike},DNS:a`, /more than one/],
      ["/", "P-256", "subjectAltName=DNS:a", /no URI/],
      ["/", "P-256", "basicConstraints=CA:TRUE", /more than a name/],
    ];
    for (const [subject, curve, extension, reason] of cases) {
      const key = `${folder}/key`;
      await openssl(["ecparam", "-name", curve, "-genkey", "-noout", "-out", key]);
      const args = ["req", "-new", "-key", key, "-subj", subject, "-addext", extension];
      await rejects(readSigningRequest(await openssl([...args, "-outform", "DER"])), reason);
    }
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test("csr: without a challenge, or with something more, it is refused", async () => {
  // The request is cut before its signature is looked at, so it need not have a good one.
  const keys = await newKeys();
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", keys.publicKey));
  const names = der.sequence(der.plain(6, new TextEncoder().encode(URI)));
  const altName = der.sequence(der.oid("2.5.29.17"), der.octets(names));
  const attribute = (oid: string, value: Uint8Array) => der.sequence(der.oid(oid), der.set(value));
  const named = attribute("1.2.840.113549.1.9.14", der.sequence(altName));
  const challenge = attribute("1.2.840.113549.1.9.7", der.text("a"));
  const request = (...attributes: Uint8Array[]) => {
    const info = [der.integer(new Uint8Array(1)), der.sequence(), spki];
    const halves = der.sequence(
      der.integer(new Uint8Array([1])),
      der.integer(new Uint8Array([1])),
    );
    return der.sequence(
      der.sequence(...info, der.explicit(0, ...attributes)),
      der.sequence(der.oid("1.2.840.10045.4.3.2")),
      der.bits(halves),
    );
  };
  await rejects(readSigningRequest(request(named)), /no challenge/);
  await rejects(readSigningRequest(request(challenge)), /no SPIFFE id/);
  await rejects(readSigningRequest(request(named, challenge, named)), /not given/);
  await rejects(readSigningRequest(request(named, challenge)), /not signed by/);
});
