/**
 * Providers: who signs under each MeshRootCertificate, opened and tried when the object is first seen or another one. Keys in Secrets and
 * files are read again each time; one that was good stays in use while its place is empty or broken.
 */
import { readText } from "../../base/read_text.ts";
import { writeSigningRequest } from "../../base/csr.ts";
import { formatWorkloadId } from "../../base/spiffe.ts";
import { newKeyPair, publicKeyOf } from "../certificates.ts";
import type { KubeClient } from "../kube/client.ts";
import { CertManager } from "./cert_manager.ts";
import { readKeySecret } from "./key_secret.ts";
import type { CertificateProvider } from "./provider.ts";
import type { RootCertificate } from "./root_certificate.ts";
import { type KeyTexts, SigningKey } from "./signing_key.ts";
import { Vault } from "./vault.ts";

interface ProvidersParts {
  readonly client: Pick<KubeClient, "call">;
  readonly trustDomain: string;
  /** With the token of the controller's ServiceAccount. */
  readonly tokenFile?: string;
}

interface Opened {
  readonly generation: number;
  readonly provider: CertificateProvider;
}

const TOKEN_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/token";

export class Providers {
  readonly #parts: ProvidersParts;
  /** By the uid of the object. */
  readonly #opened = new Map<string, Opened>();

  constructor(parts: ProvidersParts) {
    this.#parts = parts;
  }

  /** One that was opened before, and is of use still; null: none. */
  known({ uid, generation }: RootCertificate): CertificateProvider | null {
    const opened = this.#opened.get(uid);
    return opened?.generation === generation ? opened.provider : null;
  }

  /**
   * Null: none signs under it, as it says itself.
   * @throws {Error} one line: it cannot sign
   */
  async open(root: RootCertificate, namespace: string): Promise<CertificateProvider> {
    const provider = await this.#providerOf(root, namespace);
    this.#opened.set(root.uid, { generation: root.generation, provider });
    return provider;
  }

  /** Of objects that are gone. */
  retain(roots: readonly RootCertificate[]): void {
    const uids = new Set(roots.map(({ uid }) => uid));
    for (const [uid, { provider }] of this.#opened) {
      if (uids.has(uid)) continue;
      this.#opened.delete(uid);
      provider.close?.();
    }
  }

  async #providerOf(root: RootCertificate, namespace: string): Promise<CertificateProvider> {
    const { provider: spec, roots } = root;
    const { client } = this.#parts;
    switch (spec.kind) {
      case "secret": {
        const what = `Secret ${namespace}/${spec.name}`;
        const secret = await readKeySecret(client, namespace, spec.name);
        if (secret === null) throw new Error(`${what} is not there, so nothing can be signed`);
        return await SigningKey.read(secret, roots, what);
      }
      case "files":
        return await SigningKey.read(await readFiles(spec.directory), roots, spec.directory);
      case "certManager":
        return this.known(root) ??
          await this.#tried(new CertManager({ client, namespace, issuer: spec.issuer, roots }));
      case "vault": {
        const { tokenFile = TOKEN_FILE } = this.#parts;
        return this.known(root) ??
          await this.#tried(new Vault({ ...spec.place, tokenFile, roots }));
      }
    }
  }

  /** Signs something with it, for an account that no pod has: what fails there would fail for proxies. */
  async #tried(provider: CertificateProvider): Promise<CertificateProvider> {
    const keys = await newKeyPair();
    const { trustDomain } = this.#parts;
    const uri = formatWorkloadId({ trustDomain, identity: "weft-system/weft-probe" });
    const csr = await writeSigningRequest(keys, { uri, challenge: "" });
    await provider.issue({ publicKey: await publicKeyOf(keys.publicKey), uri, csr });
    return provider;
  }
}

/** As the files of a Secret of type kubernetes.io/tls. */
async function readFiles(directory: string): Promise<KeyTexts> {
  const [chain, key] = await Promise.all(
    ["tls.crt", "tls.key"].map((name) => readText(`${directory}/${name}`)),
  );
  return { chain, key };
}
