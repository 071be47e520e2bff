/**
 * Certificates that Weft makes for itself (RFC 5280, P-256): an authority of its own, and what it signs for the controller. Written
 * here, because the package for it brings thirty others and a polyfill into every executable.
 */
import { der } from "../base/der.ts";
import { derSignature } from "../base/ecdsa.ts";
import { bytesInPem, CERTIFICATE, pemOf, PRIVATE_KEY } from "../base/pem.ts";
import { AUTHORITY_DAYS, CLOCK_SKEW_MS, DAY_MS, SERVER_DAYS } from "./inject/limits.ts";

/** In PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const ECDSA_WITH_SHA256 = der.sequence(der.oid("1.2.840.10045.4.3.2"));
/** Bits of a KeyUsage, from the first. */
const SIGNS_DATA = new Uint8Array([0x80]);
const SIGNS_CERTIFICATES = new Uint8Array([0x06]);

/** The subject of every authority; verifiers try all that have the name. */
const AUTHORITY = commonName("weft");

/** A new authority: what trusts its certificate trusts what it signs. */
export async function makeAuthority(): Promise<KeyPair> {
  const { publicKey, privateKey } = await newKeyPair();
  const cert = await sign({
    subject: AUTHORITY,
    days: AUTHORITY_DAYS,
    subjectKey: publicKey,
    signingKey: privateKey,
    extensions: [EXTENSIONS.authority(0), EXTENSIONS.signsCertificates()],
  });
  return { cert, key: await privateKeyText(privateKey) };
}

/** A server's certificate for these DNS names. */
export async function makeCertificate(
  authority: KeyPair,
  names: readonly string[],
): Promise<KeyPair> {
  const { publicKey, privateKey } = await newKeyPair();
  const encoder = new TextEncoder();
  const cert = await sign({
    subject: commonName(names[0]),
    days: SERVER_DAYS,
    subjectKey: publicKey,
    signingKey: await readPrivateKey(authority.key),
    extensions: [
      EXTENSIONS.noAuthority(),
      EXTENSIONS.signsData(),
      EXTENSIONS.usedBy("server"),
      EXTENSIONS.altNames(names.map((name) => der.plain(2, encoder.encode(name)))),
    ],
  });
  return { cert, key: await privateKeyText(privateKey) };
}

/** What is to be signed. */
interface Unsigned {
  /** Names of the two, as DER; `commonName`. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly fromMs: number;
  readonly untilMs: number;
  /** SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  readonly signingKey: CryptoKey;
  readonly extensions: readonly Uint8Array[];
}

/** The certificate, as DER. */
export async function signCertificate(unsigned: Unsigned): Promise<Uint8Array> {
  const { issuer, subject, fromMs, untilMs, publicKey, signingKey, extensions } = unsigned;
  const toBeSigned = der.sequence(
    der.explicit(0, der.integer(new Uint8Array([2]))),
    der.integer(crypto.getRandomValues(new Uint8Array(16))),
    ECDSA_WITH_SHA256,
    issuer,
    der.sequence(der.time(new Date(fromMs)), der.time(new Date(untilMs))),
    subject,
    publicKey,
    der.explicit(3, der.sequence(...extensions)),
  );
  const raw = await crypto.subtle.sign(ALGORITHM, signingKey, toBeSigned.slice());
  return der.sequence(toBeSigned, ECDSA_WITH_SHA256, derSignature(raw));
}

/** For so many days, by the authority of the control plane. */
async function sign(
  { subject, days, subjectKey, signingKey, extensions }:
    & Pick<
      Unsigned,
      "subject" | "signingKey" | "extensions"
    >
    & { readonly days: number; readonly subjectKey: CryptoKey },
): Promise<string> {
  const now = Date.now();
  const signed = await signCertificate({
    issuer: AUTHORITY,
    subject,
    // Clocks of a cluster differ: a certificate that is from the future is refused.
    fromMs: now - CLOCK_SKEW_MS,
    untilMs: now + days * DAY_MS,
    publicKey: await publicKeyOf(subjectKey),
    signingKey,
    extensions,
  });
  return pemOf(CERTIFICATE, signed);
}

export async function publicKeyOf(key: CryptoKey): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.exportKey("spki", key));
}

/** The common name alone. */
export function commonName(text: string): Uint8Array {
  return der.sequence(der.set(der.sequence(der.oid("2.5.4.3"), der.text(text))));
}

const USES = { server: "1.3.6.1.5.5.7.3.1", client: "1.3.6.1.5.5.7.3.2" };

export const EXTENSIONS = {
  /** An authority that vouches for no further ones below so many. */
  authority: (below: number) =>
    extension(
      "2.5.29.19",
      der.sequence(der.boolean(true), der.integer(new Uint8Array([below]))),
      true,
    ),
  noAuthority: () => extension("2.5.29.19", der.sequence(), true),
  signsCertificates: () => extension("2.5.29.15", der.bits(SIGNS_CERTIFICATES, 1), true),
  signsData: () => extension("2.5.29.15", der.bits(SIGNS_DATA, 7), true),
  usedBy: (...roles: readonly (keyof typeof USES)[]) =>
    extension("2.5.29.37", der.sequence(...roles.map((role) => der.oid(USES[role])))),
  altNames: (names: readonly Uint8Array[], isCritical = false) =>
    extension("2.5.29.17", der.sequence(...names), isCritical),
  keyId: (id: Uint8Array) => extension("2.5.29.14", der.octets(id)),
  issuerKeyId: (id: Uint8Array) => extension("2.5.29.35", der.sequence(der.plain(0, id))),
};

function extension(oid: string, value: Uint8Array, isCritical = false): Uint8Array {
  const critical = isCritical ? [der.boolean(true)] : [];
  return der.sequence(der.oid(oid), ...critical, der.octets(value));
}

export function newKeyPair(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

export async function privateKeyText(key: CryptoKey): Promise<string> {
  return pemOf(PRIVATE_KEY, new Uint8Array(await crypto.subtle.exportKey("pkcs8", key)));
}

/** @throws {Error} the text is no key of P-256 */
export async function readPrivateKey(pem: string): Promise<CryptoKey> {
  const [bytes] = bytesInPem(pem, PRIVATE_KEY) ?? [];
  if (bytes === undefined) throw new Error("there is no PRIVATE KEY in it (PKCS#8, PEM)");
  try {
    return await crypto.subtle.importKey("pkcs8", bytes.slice(), ALGORITHM, false, ["sign"]);
  } catch {
    throw new Error("its key is none of P-256 (PKCS#8)");
  }
}
