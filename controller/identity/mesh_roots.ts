/**
 * MeshRoots: what the MeshRootCertificates of the controllers' namespace come to: whom proxies trust, and who signs. Roots are data of these
 * objects and not of the keys, so that losing a key changes no proxy's trust. The first one is made where there is none at the start.
 */
import { pause } from "../../base/backoff.ts";
import type { Finding, ResourceRef } from "../../base/finding.ts";
import type { Log } from "../../base/log.ts";
import { makeFinding } from "../../schemas/report.ts";
import { type KubeClient, KubeError } from "../kube/client.ts";
import { fieldsOf, type JsonFields, textField } from "../kube/fields.ts";
import type { ObjectIdentity } from "../objects.ts";
import { rootSetOf } from "./certificate.ts";
import { Providers, TrialError } from "./providers.ts";
import { makeKeySecret, readKeySecret } from "./key_secret.ts";
import { KEYS_READ_MS } from "./limits.ts";
import type { CertificateProvider, IdentityState } from "./provider.ts";
import {
  KEY_SECRETS,
  readRootCertificate,
  ROOT_API_VERSION,
  ROOT_KIND,
  type RootCertificate,
  rootObject,
} from "./root_certificate.ts";

interface MeshRootsParts {
  readonly client: Pick<KubeClient, "call">;
  readonly trustDomain: string;
  readonly log: Log;
  /** Who signs and whom to trust is another now. */
  readonly changed: (state: IdentityState) => void;
  /** What is wrong with an object. */
  readonly findings: (ref: ResourceRef, findings: readonly Finding[]) => void;
}

/** A root that is trusted, and who signs under it; null: none can. */
interface OpenedRoot {
  readonly root: RootCertificate;
  readonly provider: CertificateProvider | null;
  readonly problem: string;
}

/** Of the root that the controller makes by itself. */
const FIRST_ROOT = "weft-root";

export class MeshRoots {
  readonly #parts: MeshRootsParts;
  readonly #objects = new Map<string, JsonFields>();
  readonly #ended = new AbortController();
  readonly #providers: Providers;
  #namespace: string | null = null;
  /** As they were last read, by namespace and name. */
  readonly #known = new Map<string, RootCertificate>();
  /** Those of them that have been deleted. */
  readonly #gone = new Set<string>();
  #wake = () => {};
  #running: Promise<void> = Promise.resolve();

  constructor(parts: MeshRootsParts) {
    this.#parts = parts;
    this.#providers = new Providers({ ...parts, tried: () => this.#wake() });
  }

  heard(object: JsonFields): void {
    if (object["kind"] !== ROOT_KIND) return;
    this.#objects.set(keyOf(fieldsOf(object["metadata"])), object);
    this.#wake();
  }

  removed(kind: string, namespace: string, name: string): void {
    if (kind !== ROOT_KIND) return;
    this.#objects.delete(`${namespace}/${name}`);
    this.#wake();
  }

  identityOf({ namespace, name }: ResourceRef): ObjectIdentity | undefined {
    const object = this.#objects.get(`${namespace}/${name}`);
    if (object === undefined) return undefined;
    const apiVersion = textField(object, "apiVersion") ?? ROOT_API_VERSION;
    return { apiVersion, uid: textField(fieldsOf(object["metadata"]), "uid") ?? "" };
  }

  /** All that there is has been heard, and the objects of this namespace count. Resolves once they have been looked at. */
  start(namespace: string): Promise<void> {
    this.#namespace = namespace;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#running = this.#run(resolve);
    return promise;
  }

  stop(): Promise<void> {
    this.#ended.abort();
    this.#wake();
    return this.#running;
  }

  async #run(onLook: () => void): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      const woken = new AbortController();
      this.#wake = () => woken.abort();
      try {
        await this.#look();
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        this.#parts.log.warn("The mesh's authority cannot be read", { reason });
      }
      onLook();
      // Keys change in Secrets and files that are not watched: reading them is rare, and a right to watch Secrets is a right to all.
      await pause(KEYS_READ_MS, AbortSignal.any([woken.signal, signal]));
    }
  }

  async #look(): Promise<void> {
    this.#read();
    if (this.#known.size === 0) return await this.#makeFirst();
    const trusted = [...this.#known.values()].filter(({ role }) => role !== "inactive");
    if (trusted.length === 0) {
      return this.#parts.log.warn("No MeshRootCertificate is trusted: the last ones stay");
    }
    this.#providers.retain(trusted);
    const opened = await Promise.all(trusted.map((root) => this.#open(root)));
    const signer = signerOf(trusted);
    const signing = opened.find(({ root }) => root === signer);
    this.#parts.changed({
      roots: rootSetOf(trusted.map(({ roots }) => roots)),
      signer: signing === undefined || signing.provider === null ? "" : signing.root.name,
      provider: signing?.provider ?? null,
      problem: signing === undefined
        ? "no MeshRootCertificate is active"
        : signing.provider === null
        ? signing.problem
        : "",
      authorities: opened.map(({ root: { name }, problem }) => ({ name, problem })),
      expiresAtMs: Math.min(
        ...trusted.flatMap(({ roots }) => roots.map(({ untilMs }) => untilMs)),
        signing?.provider?.expiresAtMs ?? Infinity,
      ),
    });
  }

  /**
   * What cannot be read, or was deleted while it was trusted, is what it was: a proxy must not be cut off by a slip. Trust ends by the role
   * `inactive`, or with the next start.
   */
  #read(): void {
    for (const [key, object] of this.#objects) {
      if (!key.startsWith(`${this.#namespace}/`)) continue;
      try {
        this.#known.set(key, readRootCertificate(object));
        this.#gone.delete(key);
      } catch (error) {
        this.#tell(object, error);
      }
    }
    for (const [key, { role }] of this.#known) {
      if (this.#objects.has(key)) continue;
      if (role === "inactive") this.#known.delete(key);
      else if (!this.#gone.has(key)) {
        this.#gone.add(key);
        this.#parts.log.warn(
          "A MeshRootCertificate is gone that was not inactive: it stays in use",
          {
            name: key,
          },
        );
      }
    }
  }

  /** A key that was good stays in use while its place is empty or broken. */
  async #open(root: RootCertificate): Promise<OpenedRoot> {
    const object = this.#objects.get(`${this.#namespace}/${root.name}`);
    try {
      const provider = await this.#providers.open(root, this.#namespace ?? "");
      this.#tell(object, null);
      return { root, provider, problem: "" };
    } catch (error) {
      if (!(error instanceof TrialError)) this.#tell(object, error);
      const problem = error instanceof Error ? error.message : String(error);
      return { root, provider: this.#providers.known(root), problem };
    }
  }

  /** A replica that was faster has made the same. */
  async #makeFirst(): Promise<void> {
    const { client, log } = this.#parts;
    const namespace = this.#namespace ?? "";
    const [name] = KEY_SECRETS;
    const { roots } = await readKeySecret(client, namespace, name) ??
      await makeKeySecret(client, namespace, name);
    const spec = { role: "active", roots, provider: { secret: { name } } } as const;
    try {
      await client.call(
        "POST",
        `/apis/${ROOT_API_VERSION}/namespaces/${namespace}/meshrootcertificates`,
        {
          body: rootObject(FIRST_ROOT, namespace, spec),
        },
      );
      log.info("New MeshRootCertificate", { name: `${namespace}/${FIRST_ROOT}` });
    } catch (error) {
      if (!(error instanceof KubeError && error.status === 409)) throw error;
    }
  }

  #tell(object: JsonFields | undefined, error: unknown): void {
    if (object === undefined) return;
    const metadata = fieldsOf(object["metadata"]);
    const namespace = textField(metadata, "namespace") ?? "";
    const ref = { kind: ROOT_KIND, namespace, name: textField(metadata, "name") ?? "" };
    const message = error instanceof Error ? error.message : String(error);
    this.#parts.findings(
      ref,
      error === null ? [] : [makeFinding("root-unusable", {
        message,
        hint: "Put back what was there, or go to another authority: weft certificate rotate",
        resource: ref,
      })],
    );
  }
}

/** The newest of the active ones: while one takes over from another, both may be. */
function signerOf(roots: readonly RootCertificate[]): RootCertificate | undefined {
  const byAge = (a: RootCertificate, b: RootCertificate) =>
    a.createdAt < b.createdAt || (a.createdAt === b.createdAt && a.name < b.name) ? -1 : 1;
  return roots.filter(({ role }) => role === "active").sort(byAge).at(-1);
}

function keyOf(metadata: JsonFields): string {
  return `${textField(metadata, "namespace") ?? ""}/${textField(metadata, "name") ?? ""}`;
}
