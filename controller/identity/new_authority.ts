/**
 * A new authority of a mesh: a root, and an intermediate that signs. The root's key is forgotten once it has signed the intermediate, so that
 * no other intermediate can be made: what is kept is the key of this one.
 */
import { CERTIFICATE, pemOf } from "../../base/pem.ts";
import {
  commonName,
  EXTENSIONS,
  newKeyPair,
  privateKeyText,
  publicKeyOf,
  signCertificate,
} from "../certificates.ts";
import { AUTHORITY_DAYS, CLOCK_SKEW_MS, DAY_MS } from "../inject/limits.ts";
import type { KeyTexts } from "./signing_key.ts";

/** In PEM. */
interface NewAuthority extends KeyTexts {
  readonly roots: string;
}

export async function newAuthority(): Promise<NewAuthority> {
  const [root, intermediate] = [await newKeyPair(), await newKeyPair()];
  const id = crypto.getRandomValues(new Uint8Array(4)).toHex();
  const [rootName, name] = [commonName(`weft root ${id}`), commonName(`weft intermediate ${id}`)];
  const [rootId, intermediateId] = [await keyIdOf(root), await keyIdOf(intermediate)];
  const nowMs = Date.now();
  const term = { fromMs: nowMs - CLOCK_SKEW_MS, untilMs: nowMs + AUTHORITY_DAYS * DAY_MS };
  const signed = { ...term, issuer: rootName, signingKey: root.privateKey };
  const rootBytes = await signCertificate({
    ...signed,
    subject: rootName,
    publicKey: await publicKeyOf(root.publicKey),
    extensions: [
      EXTENSIONS.authority(1),
      EXTENSIONS.signsCertificates(),
      EXTENSIONS.keyId(rootId),
    ],
  });
  const bytes = await signCertificate({
    ...signed,
    subject: name,
    publicKey: await publicKeyOf(intermediate.publicKey),
    extensions: [
      EXTENSIONS.authority(0),
      EXTENSIONS.signsCertificates(),
      EXTENSIONS.keyId(intermediateId),
      EXTENSIONS.issuerKeyId(rootId),
    ],
  });
  return {
    roots: pemOf(CERTIFICATE, rootBytes),
    chain: pemOf(CERTIFICATE, bytes),
    key: await privateKeyText(intermediate.privateKey),
  };
}

/** By which a certificate names the key of its issuer: two issuers may have one name. */
async function keyIdOf({ publicKey }: CryptoKeyPair): Promise<Uint8Array> {
  const digest = await crypto.subtle.digest("SHA-256", (await publicKeyOf(publicKey)).slice());
  return new Uint8Array(digest, 0, 20);
}
