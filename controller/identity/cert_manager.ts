/** Certificates by cert-manager: a CertificateRequest for each, which an issuer of the cluster answers. */
import { Backoff, pause } from "../../base/backoff.ts";
import type { Log } from "../../base/log.ts";
import { pemOf } from "../../base/pem.ts";
import type { KubeClient } from "../kube/client.ts";
import { fieldsOf, type JsonFields, textField } from "../kube/fields.ts";
import type { X509Certificate } from "./certificate.ts";
import { checkedChain } from "./issued.ts";
import { ISSUER_LOOK_MS_MAX, ISSUER_LOOK_MS_MIN, ISSUER_MS, LEAF_MS } from "./limits.ts";
import type { CertificateOrder, CertificateProvider } from "./provider.ts";

/** Which issuer, as cert-manager names it. */
export interface IssuerRef {
  readonly name: string;
  readonly kind: string;
  readonly group: string;
}

interface CertManagerParts {
  readonly client: Pick<KubeClient, "call">;
  readonly namespace: string;
  readonly issuer: IssuerRef;
  readonly roots: readonly X509Certificate[];
  readonly log: Log;
}

export class CertManager implements CertificateProvider {
  readonly #parts: CertManagerParts;
  readonly #path: string;
  /** It is known by each certificate, not beforehand. */
  readonly expiresAtMs = null;

  constructor(parts: CertManagerParts) {
    this.#parts = parts;
    this.#path = `/apis/cert-manager.io/v1/namespaces/${parts.namespace}/certificaterequests`;
  }

  async issue(order: CertificateOrder): Promise<string> {
    const { client, issuer, roots } = this.#parts;
    const body = {
      apiVersion: "cert-manager.io/v1",
      kind: "CertificateRequest",
      metadata: { generateName: "weft-", labels: { "app.kubernetes.io/name": "weft" } },
      spec: {
        request: new TextEncoder().encode(pemOf("CERTIFICATE REQUEST", order.csr)).toBase64(),
        duration: `${LEAF_MS / 1_000}s`,
        usages: ["digital signature", "server auth", "client auth"],
        issuerRef: issuer,
      },
    };
    const made = fieldsOf(await client.call("POST", this.#path, { body, limitMs: ISSUER_MS }));
    const name = textField(fieldsOf(made["metadata"]), "name") ?? "";
    try {
      return await checkedChain(await this.#answer(name), order, roots);
    } finally {
      // What is left lying is of no use, and cert-manager keeps no end of it.
      this.#remove(name);
    }
  }

  async #remove(name: string): Promise<void> {
    try {
      await this.#parts.client.call("DELETE", `${this.#path}/${name}`, { limitMs: ISSUER_MS });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#parts.log.warn("A CertificateRequest stays behind", { name, reason });
    }
  }

  async #answer(name: string): Promise<string> {
    const signal = AbortSignal.timeout(ISSUER_MS);
    const backoff = new Backoff(ISSUER_LOOK_MS_MIN, ISSUER_LOOK_MS_MAX);
    const { client, issuer } = this.#parts;
    while (!signal.aborted) {
      await pause(backoff.nextMs(), signal);
      const path = `${this.#path}/${name}`;
      const { status } = fieldsOf(await client.call("GET", path, { limitMs: ISSUER_MS }));
      const refusal = refusalIn(fieldsOf(status));
      if (refusal !== null) throw new Error(`${issuer.kind} "${issuer.name}" refuses: ${refusal}`);
      const certificate = textField(fieldsOf(status), "certificate");
      if (certificate !== undefined) return textOf(certificate);
    }
    throw new Error(
      `${issuer.kind} "${issuer.name}" has not answered within ${ISSUER_MS / 1_000} s`,
    );
  }
}

/** Null: it is not refused, so far. */
function refusalIn({ conditions }: JsonFields): string | null {
  for (const condition of (Array.isArray(conditions) ? conditions : []).map(fieldsOf)) {
    const { type, status, reason } = condition;
    const isOver = (type === "Denied" || type === "InvalidRequest") && status === "True" ||
      type === "Ready" && status === "False" && (reason === "Failed" || reason === "Denied");
    if (isOver) return textField(condition, "message") ?? String(reason);
  }
  return null;
}

function textOf(base64: string): string {
  return new TextDecoder().decode(Uint8Array.fromBase64(base64));
}
