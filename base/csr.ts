/**
 * Certificate signing requests (PKCS#10, RFC 2986) of one form: a P-256 key, no subject, one SPIFFE id, and a challenge that was told before.
 * Written by a sidecar, read by the controller, which takes no other form: what is not understood is not signed.
 */
import { der } from "./der.ts";
import { derSignature, rawSignature } from "./ecdsa.ts";
import { DerError, DerReader, OID, TAG } from "./der_reader.ts";

const KEY_ALGORITHM = { name: "ECDSA", namedCurve: "P-256" };
const SIGN_ALGORITHM = { name: "ECDSA", hash: "SHA-256" };
const ECDSA_WITH_SHA256 = der.sequence(der.oid("1.2.840.10045.4.3.2"));
/** `[0]` of a CertificationRequestInfo. */
const ATTRIBUTES = 0xa0;
/** `uniformResourceIdentifier` of a GeneralName. */
const URI = 0x86;
/** A number of an ECDSA signature over P-256. */
const P256_BYTES = 32;

/** What a request asks for. */
export interface SigningRequest {
  /** SubjectPublicKeyInfo, in the one form that it has. */
  readonly publicKey: Uint8Array;
  readonly uri: string;
  readonly challenge: string;
}

/** A request (DER) for a key pair of P-256. */
export async function writeSigningRequest(
  { publicKey, privateKey }: CryptoKeyPair,
  { uri, challenge }: Pick<SigningRequest, "uri" | "challenge">,
): Promise<Uint8Array> {
  const names = der.sequence(der.plain(6, new TextEncoder().encode(uri)));
  // The subject is empty, so the name that there is counts.
  const altName = der.sequence(der.oid("2.5.29.17"), der.boolean(true), der.octets(names));
  const attribute = (oid: string, value: Uint8Array) => der.sequence(der.oid(oid), der.set(value));
  const info = der.sequence(
    der.integer(new Uint8Array(1)),
    der.sequence(),
    new Uint8Array(await crypto.subtle.exportKey("spki", publicKey)),
    der.explicit(
      0,
      attribute("1.2.840.113549.1.9.7", der.text(challenge)),
      attribute("1.2.840.113549.1.9.14", der.sequence(altName)),
    ),
  );
  const raw = await crypto.subtle.sign(SIGN_ALGORITHM, privateKey, info.slice());
  return der.sequence(info, ECDSA_WITH_SHA256, derSignature(raw));
}

/** A request as it is written. */
interface ParsedRequest extends Pick<SigningRequest, "uri" | "challenge"> {
  /** What is signed. */
  readonly info: Uint8Array;
  readonly spki: Uint8Array;
  readonly signature: Uint8Array<ArrayBuffer>;
}

/**
 * What a request (DER) asks for, once it is known that who wrote it has the key.
 * @throws {DerError} it is of another form, or its signature is not by its key
 */
export async function readSigningRequest(bytes: Uint8Array): Promise<SigningRequest> {
  const { info, spki, signature, uri, challenge } = parseSigningRequest(bytes);
  const publicKey = await verifiedKey(spki, info, signature);
  return { publicKey, uri, challenge };
}

/**
 * Without a look at its signature.
 * @throws {DerError} it is of another form
 */
export function parseSigningRequest(bytes: Uint8Array): ParsedRequest {
  const file = new DerReader(bytes);
  const request = file.enter(TAG.sequence);
  file.end();
  const info = request.whole(TAG.sequence);
  const algorithm = request.enter(TAG.sequence);
  if (algorithm.oid() !== OID.ecdsaWithSha256) throw new DerError("is not signed by ECDSA-SHA256");
  algorithm.end();
  const signature = rawSignature(request.bytes(TAG.bits), P256_BYTES);
  request.end();
  return { info, signature, ...readInfo(info) };
}

function readInfo(bytes: Uint8Array) {
  const info = new DerReader(bytes).enter(TAG.sequence);
  if (info.bytes(TAG.integer).toHex() !== "00") throw new DerError("is of an unknown version");
  if (!info.enter(TAG.sequence).isAtEnd) throw new DerError("has a subject");
  const spki = info.whole(TAG.sequence);
  const attributes = info.enter(ATTRIBUTES);
  info.end();
  const found: { uri?: string; challenge?: string } = {};
  while (!attributes.isAtEnd) {
    const attribute = attributes.enter(TAG.sequence);
    const oid = attribute.oid();
    const values = attribute.enter(TAG.set);
    attribute.end();
    if (oid === OID.challengePassword && found.challenge === undefined) {
      found.challenge = values.text(TAG.utf8);
    } else if (oid === OID.extensionRequest && found.uri === undefined) {
      found.uri = uriIn(values.enter(TAG.sequence));
    } else throw new DerError("asks for something that is not given");
    values.end();
  }
  const { uri, challenge } = found;
  if (uri === undefined) throw new DerError("names no SPIFFE id");
  if (challenge === undefined) throw new DerError("holds no challenge");
  return { spki, uri, challenge };
}

/** The one name of the one extension. */
function uriIn(extensions: DerReader): string {
  const extension = extensions.enter(TAG.sequence);
  extensions.end();
  if (extension.oid() !== OID.subjectAltName) throw new DerError("asks for more than a name");
  if (extension.is(TAG.boolean)) extension.boolean();
  const value = extension.bytes(TAG.octets);
  extension.end();
  const file = new DerReader(value);
  const names = file.enter(TAG.sequence);
  file.end();
  if (!names.is(URI)) throw new DerError("names something that is no URI");
  const uri = names.text(URI);
  if (!names.isAtEnd) throw new DerError("has more than one name");
  return uri;
}

/** The key of the request, as every program writes it. */
async function verifiedKey(
  spki: Uint8Array,
  info: Uint8Array,
  signature: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array> {
  try {
    const key = await crypto.subtle.importKey("spki", spki.slice(), KEY_ALGORITHM, true, [
      "verify",
    ]);
    if (await crypto.subtle.verify(SIGN_ALGORITHM, key, signature, info.slice())) {
      return new Uint8Array(await crypto.subtle.exportKey("spki", key));
    }
  } catch {
    // A point that is on no curve is found at one of the three, by the version of the runtime.
    throw new DerError("has a key that is none of P-256");
  }
  throw new DerError("is not signed by the key that it holds");
}
