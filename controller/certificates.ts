/**
 * Certificates that Weft makes for itself (RFC 5280, P-256): an authority of its own, and what it signs for the controller. Written
 * here, because the package for it brings thirty others and a polyfill into every executable.
 */
import { der } from "../base/der.ts";
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
const AUTHORITY = nameOf("weft");

/** A new authority: what trusts its certificate trusts what it signs. */
export async function makeAuthority(): Promise<KeyPair> {
  const { publicKey, privateKey } = await newKeys();
  // An authority whose certificates are of servers and clients, and of no further authorities.
  const constraints = der.sequence(der.boolean(true), der.integer(new Uint8Array(1)));
  const cert = await sign({
    subject: AUTHORITY,
    days: AUTHORITY_DAYS,
    subjectKey: publicKey,
    signingKey: privateKey,
    extensions: [
      extension("2.5.29.19", constraints, true),
      extension("2.5.29.15", der.bits(SIGNS_CERTIFICATES, 1), true),
    ],
  });
  return { cert, key: await privateKeyText(privateKey) };
}

/** A server's certificate for these DNS names. */
export async function makeCertificate(
  authority: KeyPair,
  names: readonly string[],
): Promise<KeyPair> {
  const { publicKey, privateKey } = await newKeys();
  const encoder = new TextEncoder();
  const cert = await sign({
    subject: nameOf(names[0]),
    days: SERVER_DAYS,
    subjectKey: publicKey,
    signingKey: await readPrivateKey(authority.key),
    extensions: [
      extension("2.5.29.19", der.sequence(), true),
      extension("2.5.29.15", der.bits(SIGNS_DATA, 7), true),
      extension("2.5.29.37", der.sequence(der.oid("1.3.6.1.5.5.7.3.1"))),
      extension(
        "2.5.29.17",
        der.sequence(...names.map((name) => der.plain(2, encoder.encode(name)))),
      ),
    ],
  });
  return { cert, key: await privateKeyText(privateKey) };
}

interface Unsigned {
  readonly subject: Uint8Array;
  readonly days: number;
  readonly subjectKey: CryptoKey;
  readonly signingKey: CryptoKey;
  readonly extensions: readonly Uint8Array[];
}

async function sign(
  { subject, days, subjectKey, signingKey, extensions }: Unsigned,
): Promise<string> {
  const now = Date.now();
  const toBeSigned = der.sequence(
    der.explicit(0, der.integer(new Uint8Array([2]))),
    der.integer(crypto.getRandomValues(new Uint8Array(16))),
    ECDSA_WITH_SHA256,
    AUTHORITY,
    // Clocks of a cluster differ: a certificate that is from the future is refused.
    der.sequence(der.time(new Date(now - CLOCK_SKEW_MS)), der.time(new Date(now + days * DAY_MS))),
    subject,
    new Uint8Array(await crypto.subtle.exportKey("spki", subjectKey)),
    der.explicit(3, der.sequence(...extensions)),
  );
  const raw = await crypto.subtle.sign(ALGORITHM, signingKey, toBeSigned.slice());
  const [r, s] = [new Uint8Array(raw, 0, 32), new Uint8Array(raw, 32)];
  const signature = der.bits(der.sequence(der.integer(r), der.integer(s)));
  return pemOf("CERTIFICATE", der.sequence(toBeSigned, ECDSA_WITH_SHA256, signature));
}

/** The common name alone. */
function nameOf(text: string): Uint8Array {
  return der.sequence(der.set(der.sequence(der.oid("2.5.4.3"), der.text(text))));
}

function extension(oid: string, value: Uint8Array, isCritical = false): Uint8Array {
  const critical = isCritical ? [der.boolean(true)] : [];
  return der.sequence(der.oid(oid), ...critical, der.octets(value));
}

function newKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

async function privateKeyText(key: CryptoKey): Promise<string> {
  return pemOf("PRIVATE KEY", new Uint8Array(await crypto.subtle.exportKey("pkcs8", key)));
}

function readPrivateKey(pem: string): Promise<CryptoKey> {
  const bytes = Uint8Array.fromBase64(pem.replace(/-----[A-Z ]+-----|\s/g, ""));
  return crypto.subtle.importKey("pkcs8", bytes, ALGORITHM, false, ["sign"]);
}

function pemOf(label: string, bytes: Uint8Array): string {
  const lines = bytes.toBase64().match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
