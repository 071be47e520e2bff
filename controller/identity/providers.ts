/**
 * Providers: who signs under each MeshRootCertificate, opened and tried when the object is first seen or another one. Keys in Secrets and
 * files are read again each time; one that was good stays in use while its place is empty or broken.
 */
import type { Log } from "../../base/log.ts";
import { readText } from "../../base/read_text.ts";
import { writeSigningRequest } from "../../base/csr.ts";
import { formatWorkloadId } from "../../base/spiffe.ts";
import { newKeyPair, publicKeyOf } from "../certificates.ts";
import type { KubeClient } from "../kube/client.ts";
import { CertManager } from "./cert_manager.ts";
import { readKeySecret } from "./key_secret.ts";
import { KEYS_READ_MS } from "./limits.ts";
import type { CertificateProvider } from "./provider.ts";
import type { RootCertificate } from "./root_certificate.ts";
import { type KeyTexts, SigningKey } from "./signing_key.ts";
import { Vault } from "./vault.ts";

interface ProvidersParts {
  readonly client: Pick<KubeClient, "call">;
  readonly trustDomain: string;
  readonly log: Log;
  /** With the token of the controller's ServiceAccount. */
  readonly tokenFile?: string;
  /** An authority elsewhere has been tried: it is to be opened again. */
  readonly tried: () => void;
}

/** An authority elsewhere, with what has come of its last trial; null: it is under way. */
interface Trial {
  readonly generation: number;
  problem: string | null;
  endedAtMs: number;
}

interface Opened {
  readonly generation: number;
  readonly provider: CertificateProvider;
}

/** It is not known yet whether it can sign. */
export class TrialError extends Error {
  override readonly name = "TrialError";
}

const TOKEN_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/token";

export class Providers {
  readonly #parts: ProvidersParts;
  /** By the uid of the object. */
  readonly #opened = new Map<string, Opened>();
  /** Likewise. An authority elsewhere may take its time, and no other one waits for it. */
  readonly #trials = new Map<string, Trial>();

  constructor(parts: ProvidersParts) {
    this.#parts = parts;
  }

  /** One that was opened before, and is of use still; null: none. */
  known({ uid, generation }: RootCertificate): CertificateProvider | null {
    const opened = this.#opened.get(uid);
    return opened?.generation === generation ? opened.provider : null;
  }

  /**
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
    for (const uid of this.#trials.keys()) if (!uids.has(uid)) this.#trials.delete(uid);
    for (const [uid, { provider }] of this.#opened) {
      if (uids.has(uid)) continue;
      this.#opened.delete(uid);
      provider.close?.();
    }
  }

  async #providerOf(root: RootCertificate, namespace: string): Promise<CertificateProvider> {
    const { provider: spec, roots } = root;
    const { client, log } = this.#parts;
    switch (spec.kind) {
      case "unreadable":
        throw new Error(spec.problem);
      case "secret": {
        const what = `Secret ${namespace}/${spec.name}`;
        const secret = await readKeySecret(client, namespace, spec.name);
        if (secret === null) throw new Error(`${what} is not there, so nothing can be signed`);
        return await SigningKey.read(secret, roots, what);
      }
      case "files":
        return await SigningKey.read(await readFiles(spec.directory), roots, spec.directory);
      case "certManager": {
        const { issuer } = spec;
        const make = () => new CertManager({ client, namespace, issuer, roots, log });
        return this.known(root) ?? this.#try(root, make);
      }
      case "vault": {
        const { tokenFile = TOKEN_FILE } = this.#parts;
        const make = () => new Vault({ ...spec.place, tokenFile, roots });
        return this.known(root) ?? this.#try(root, make);
      }
    }
  }

  /** @throws {Error} always: how its trial goes */
  #try({ uid, generation }: RootCertificate, make: () => CertificateProvider): never {
    const trial = this.#trials.get(uid);
    const isSame = trial?.generation === generation;
    const isFresh = isSame &&
      (trial.problem === null || Date.now() - trial.endedAtMs < KEYS_READ_MS);
    if (!isFresh) this.#startTrial(uid, generation, make());
    if (isSame && trial.problem !== null) throw new Error(trial.problem);
    throw new TrialError("its authority is being tried");
  }

  async #startTrial(
    uid: string,
    generation: number,
    provider: CertificateProvider,
  ): Promise<void> {
    const trial: Trial = { generation, problem: null, endedAtMs: 0 };
    this.#trials.set(uid, trial);
    try {
      await this.#sign(provider);
      if (this.#trials.get(uid) === trial) this.#opened.set(uid, { generation, provider });
    } catch (error) {
      trial.problem = error instanceof Error ? error.message : String(error);
      trial.endedAtMs = Date.now();
      provider.close?.();
    }
    this.#parts.tried();
  }

  /** Signs something with it, for an account that no pod has: what fails there would fail for proxies. */
  async #sign(provider: CertificateProvider): Promise<void> {
    const keys = await newKeyPair();
    const { trustDomain } = this.#parts;
    const uri = formatWorkloadId({ trustDomain, identity: "weft-system/weft-probe" });
    const csr = await writeSigningRequest(keys, { uri, challenge: "" });
    await provider.issue({ publicKey: await publicKeyOf(keys.publicKey), uri, csr });
  }
}

/** As the files of a Secret of type kubernetes.io/tls. */
async function readFiles(directory: string): Promise<KeyTexts> {
  const [chain, key] = await Promise.all(
    ["tls.crt", "tls.key"].map((name) => readText(`${directory}/${name}`)),
  );
  return { chain, key };
}
