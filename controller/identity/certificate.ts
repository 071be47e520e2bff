/**
 * Certificates of authorities and of what they sign (RFC 5280), read strictly, and chains of them verified: what comes from files, Secrets and
 * other issuers is looked at before a proxy is told to trust it.
 */
import { DerError, DerReader, OID, TAG } from "../../base/der_reader.ts";
import { rawSignature } from "../../base/ecdsa.ts";
import type { RootSet } from "../../routing/source/messages.ts";
import { hashRoots } from "../../routing/source/wire.ts";
import { bytesInPem, CERTIFICATE, pemOf } from "../../base/pem.ts";
import { timeOf, urisOf } from "../../base/x509.ts";

export interface X509Certificate {
  readonly bytes: Uint8Array;
  /** Names as DER. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  readonly fromMs: number;
  readonly untilMs: number;
  /** It may vouch for other certificates. */
  readonly isAuthority: boolean;
  readonly uris: readonly string[];
  /** Extensions by their identifier. */
  readonly extensions: ReadonlyMap<string, Uint8Array>;
  readonly toBeSigned: Uint8Array;
  readonly algorithm: string;
  readonly signature: Uint8Array;
}

/** `[0]` and `[3]` of a TBSCertificate. */
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
/** Of a KeyUsage, in its first byte. */
const KEY_CERT_SIGN = 0x04;

/** @throws {DerError} the bytes are no certificate of this form */
export function readCertificate(bytes: Uint8Array): X509Certificate {
  const file = new DerReader(bytes);
  const certificate = file.enter(TAG.sequence);
  file.end();
  const toBeSigned = certificate.whole(TAG.sequence);
  const algorithm = certificate.enter(TAG.sequence).oid();
  const signature = certificate.bytes(TAG.bits);
  certificate.end();
  const fields = new DerReader(toBeSigned).enter(TAG.sequence);
  if (fields.is(VERSION)) fields.take(VERSION);
  fields.take(TAG.integer);
  if (fields.enter(TAG.sequence).oid() !== algorithm) throw new DerError("has two algorithms");
  const issuer = fields.whole(TAG.sequence);
  const validity = fields.enter(TAG.sequence);
  const [fromMs, untilMs] = [timeIn(validity), timeIn(validity)];
  validity.end();
  const subject = fields.whole(TAG.sequence);
  const publicKey = fields.whole(TAG.sequence);
  const extensions = fields.isAtEnd ? new Map() : readExtensions(fields.enter(EXTENSIONS));
  fields.end();
  const isAuthority = readIsAuthority(extensions);
  const uris = urisOf(bytes);
  return {
    ...{ bytes, issuer, subject, publicKey, fromMs, untilMs, isAuthority, uris, extensions },
    ...{ toBeSigned, algorithm, signature },
  };
}

/**
 * Those of a text in PEM.
 * @param what starts the message, like `"ca.crt" of Secret weft-system/weft-identity-a`
 * @throws {Error} one line: there are none, or one is no certificate
 */
export function certificatesIn(pem: string, what: string): readonly X509Certificate[] {
  const blocks = bytesInPem(pem, CERTIFICATE) ?? [];
  if (blocks.length === 0) throw new Error(`${what} holds no certificate in PEM`);
  try {
    return blocks.map(readCertificate);
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    throw new Error(`A certificate in ${what} ${error.message}`);
  }
}

/** Each in PEM, in one spelling. */
export function pemsOf(certificates: readonly X509Certificate[]): string[] {
  return certificates.map(({ bytes }) => pemOf(CERTIFICATE, bytes));
}

/** All of them, in an order that depends on the certificates alone, so that every replica has the same hash. */
export function rootSetOf(groups: readonly (readonly X509Certificate[])[]): RootSet {
  const roots = [...new Set(pemsOf(groups.flat()))].sort();
  return { hash: hashRoots(roots), roots };
}

/**
 * Why a chain (the own certificate first) does not lead to one of the roots now; null: it does.
 */
export async function chainProblem(
  chain: readonly X509Certificate[],
  roots: readonly X509Certificate[],
  nowMs: number,
): Promise<string | null> {
  for (const [i, certificate] of chain.entries()) {
    const name = i === 0 ? "the certificate" : `certificate ${i + 1} of the chain`;
    if (nowMs < certificate.fromMs) {
      return `${name} is not valid before ${timeText(certificate.fromMs)}`;
    }
    if (nowMs >= certificate.untilMs) return `${name} expired at ${timeText(certificate.untilMs)}`;
    if (i > 0 && !certificate.isAuthority) return `${name} is none of an authority`;
    const next = chain[i + 1];
    if (next !== undefined && !await isSignedBy(certificate, next)) {
      return `${name} is not signed by the next of the chain`;
    }
  }
  const last = chain[chain.length - 1];
  for (const root of roots) {
    const isRoot = isSameBytes(root.bytes, last.bytes) || await isSignedBy(last, root);
    if (!isRoot) continue;
    if (nowMs >= root.untilMs) return `its root expired at ${timeText(root.untilMs)}`;
    if (nowMs < root.fromMs) return `its root is not valid before ${timeText(root.fromMs)}`;
    return null;
  }
  return "it leads to none of the roots";
}

function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/\.\d+Z$/, "Z");
}

function timeIn(validity: DerReader): number {
  const { tag, value } = validity.any();
  const timeMs = timeOf(tag, new TextDecoder().decode(value));
  if (timeMs === null) throw new DerError("has a time of another form");
  return timeMs;
}

function readExtensions(wrapper: DerReader): Map<string, Uint8Array> {
  const list = wrapper.enter(TAG.sequence);
  wrapper.end();
  const extensions = new Map<string, Uint8Array>();
  while (!list.isAtEnd) {
    const extension = list.enter(TAG.sequence);
    const oid = extension.oid();
    if (extension.is(TAG.boolean)) extension.boolean();
    if (extensions.has(oid)) throw new DerError("has one extension twice");
    extensions.set(oid, extension.bytes(TAG.octets));
    extension.end();
  }
  return extensions;
}

function readIsAuthority(extensions: ReadonlyMap<string, Uint8Array>): boolean {
  const constraints = extensions.get(OID.basicConstraints);
  if (constraints === undefined) return false;
  const fields = new DerReader(constraints).enter(TAG.sequence);
  const isAuthority = fields.is(TAG.boolean) && fields.boolean();
  const usage = extensions.get(OID.keyUsage);
  if (usage === undefined) return isAuthority;
  const [, bits = 0] = new DerReader(usage).bytes(TAG.bits);
  return isAuthority && (bits & KEY_CERT_SIGN) !== 0;
}

/** How a signature is verified, by its algorithm: what issuers use. */
const ALGORITHMS: Readonly<Record<string, { readonly hash: string; readonly isRsa: boolean }>> = {
  "2a8648ce3d040302": { hash: "SHA-256", isRsa: false },
  "2a8648ce3d040303": { hash: "SHA-384", isRsa: false },
  "2a864886f70d01010b": { hash: "SHA-256", isRsa: true },
  "2a864886f70d01010c": { hash: "SHA-384", isRsa: true },
  "2a864886f70d01010d": { hash: "SHA-512", isRsa: true },
};

/** Curves of keys, with the bytes of their numbers. */
const CURVES = [["P-256", 32], ["P-384", 48]] as const;

async function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): Promise<boolean> {
  const how = ALGORITHMS[certificate.algorithm];
  const isNamed = issuer.isAuthority && isSameBytes(certificate.issuer, issuer.subject);
  if (how === undefined || !isNamed) return false;
  const { hash, isRsa } = how;
  if (isRsa) {
    return await verifies(
      { name: "RSASSA-PKCS1-v1_5", hash },
      certificate,
      issuer,
      (bits) => bits.slice(1),
    );
  }
  for (const [namedCurve, halfBytes] of CURVES) {
    const algorithm = { name: "ECDSA", namedCurve, hash };
    if (await verifies(algorithm, certificate, issuer, (bits) => rawSignature(bits, halfBytes))) {
      return true;
    }
  }
  return false;
}

/** False also where the key is for another algorithm. */
async function verifies(
  algorithm: { readonly name: string; readonly namedCurve?: string; readonly hash: string },
  { signature, toBeSigned }: X509Certificate,
  { publicKey }: X509Certificate,
  rawOf: (bits: Uint8Array) => Uint8Array,
): Promise<boolean> {
  try {
    const key = await crypto.subtle.importKey("spki", publicKey.slice(), algorithm, false, [
      "verify",
    ]);
    return await crypto.subtle.verify(algorithm, key, rawOf(signature).slice(), toBeSigned.slice());
  } catch {
    return false;
  }
}

function isSameBytes(some: Uint8Array, others: Uint8Array): boolean {
  return some.length === others.length && some.every((byte, i) => byte === others[i]);
}
