/**
 * SigningKey: an intermediate certificate with its key, in this process. It signs X509-SVIDs for proxies: one SPIFFE id, no other name, for
 * TLS on both ends.
 */
import { der } from "../../base/der.ts";
import { OID } from "../../base/der_reader.ts";
import { CERTIFICATE, pemOf } from "../../base/pem.ts";
import { EXTENSIONS, readPrivateKey, signCertificate } from "../certificates.ts";
import { CLOCK_SKEW_MS } from "../inject/limits.ts";
import { certificatesIn, chainProblem, pemsOf, type X509Certificate } from "./certificate.ts";
import { LEAF_MS } from "./limits.ts";
import type { CertificateOrder, CertificateProvider } from "./provider.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

export interface KeyTexts {
  /** The signing certificate, then those between it and a root (PEM). */
  readonly chain: string;
  readonly key: string;
}

export class SigningKey implements CertificateProvider {
  readonly #chain: readonly X509Certificate[];
  readonly #key: CryptoKey;
  readonly #roots: readonly X509Certificate[];

  private constructor(
    chain: readonly X509Certificate[],
    key: CryptoKey,
    roots: readonly X509Certificate[],
  ) {
    this.#chain = chain;
    this.#key = key;
    this.#roots = roots;
  }

  /**
   * @param what starts a message, like `Secret weft-system/weft-identity-a`
   * @throws {Error} one line: it is of no use under these roots
   */
  static async read(
    { chain, key }: KeyTexts,
    roots: readonly X509Certificate[],
    what: string,
  ): Promise<SigningKey> {
    const certificates = certificatesIn(chain, `tls.crt of ${what}`);
    const [own] = certificates;
    if (!own.isAuthority) throw new Error(`tls.crt of ${what} is none of an authority`);
    const privateKey = await readPrivateKey(key).catch((error) => {
      throw new Error(`tls.key of ${what} is of no use: ${error.message}`);
    });
    if (!await areOnePair(privateKey, own)) {
      throw new Error(`tls.key of ${what} is not the key of tls.crt`);
    }
    const signingKey = new SigningKey(certificates, privateKey, roots);
    const problem = await signingKey.problem();
    if (problem !== null) throw new Error(`tls.crt of ${what} cannot sign: ${problem}`);
    return signingKey;
  }

  get expiresAtMs(): number {
    return Math.min(...this.#chain.map(({ untilMs }) => untilMs));
  }

  /** Why what it signs would be refused; null: it would not. */
  problem(): Promise<string | null> {
    return chainProblem(this.#chain, this.#roots, Date.now());
  }

  async issue({ publicKey, uri }: CertificateOrder): Promise<string> {
    const problem = await this.problem();
    if (problem !== null) throw new Error(`the authority cannot sign: ${problem}`);
    const [issuer] = this.#chain;
    const nowMs = Date.now();
    const issuerKeyId = issuer.extensions.get(OID.subjectKeyId);
    const leaf = await signCertificate({
      issuer: issuer.subject,
      // Empty, so that its SPIFFE id is the one name that it has.
      subject: der.sequence(),
      fromMs: Math.max(nowMs - CLOCK_SKEW_MS, issuer.fromMs),
      untilMs: Math.min(nowMs + LEAF_MS, this.expiresAtMs),
      publicKey,
      signingKey: this.#key,
      extensions: [
        EXTENSIONS.noAuthority(),
        EXTENSIONS.signsData(),
        EXTENSIONS.usedBy("server", "client"),
        EXTENSIONS.altNames([der.plain(6, new TextEncoder().encode(uri))], true),
        ...(issuerKeyId === undefined ? [] : [EXTENSIONS.issuerKeyId(issuerKeyId.subarray(2))]),
      ],
    });
    const isRoot = (certificate: X509Certificate) =>
      this.#roots.some((root) => pemsOf([root])[0] === pemsOf([certificate])[0]);
    const between = this.#chain.filter((certificate) => !isRoot(certificate));
    return pemOf(CERTIFICATE, leaf) + pemsOf(between).join("");
  }
}

/** Whether what the key signs is verified by the certificate. */
async function areOnePair(key: CryptoKey, { publicKey }: X509Certificate): Promise<boolean> {
  const probe = new Uint8Array(1);
  const signature = await crypto.subtle.sign(ALGORITHM, key, probe);
  try {
    const own = await crypto.subtle.importKey("spki", publicKey.slice(), ALGORITHM, false, [
      "verify",
    ]);
    return await crypto.subtle.verify(ALGORITHM, own, signature, probe);
  } catch {
    return false;
  }
}
