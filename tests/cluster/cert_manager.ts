/** An issuer of cert-manager, played by a test on a real API server: the definition of its requests, and who answers them. */
import { bytesInPem } from "../../base/pem.ts";
import { readSigningRequest } from "../../base/csr.ts";
import { fieldsOf, type JsonFields, textField } from "../../controller/kube/fields.ts";
import type { KubeClient } from "../../controller/kube/client.ts";
import type { SigningKey } from "../../controller/identity/signing_key.ts";

/** The fields of cert-manager's own definition (v1) that are written and read. */
export const REQUEST_DEFINITION = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: certificaterequests.cert-manager.io}
spec:
  group: cert-manager.io
  scope: Namespaced
  names: {kind: CertificateRequest, listKind: CertificateRequestList, plural: certificaterequests, singular: certificaterequest}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [issuerRef, request]
              properties:
                duration: {type: string}
                isCA: {type: boolean}
                request: {type: string, format: byte}
                usages:
                  type: array
                  items:
                    type: string
                    enum: [signing, digital signature, content commitment, key encipherment, key agreement, data encipherment, cert sign, crl sign, encipher only, decipher only, any, server auth, client auth, code signing, email protection, s/mime, ipsec end system, ipsec tunnel, ipsec user, timestamping, ocsp signing, microsoft sgc, netscape sgc]
                issuerRef:
                  type: object
                  required: [name]
                  properties: {name: {type: string}, kind: {type: string}, group: {type: string}}
            status:
              type: object
              properties:
                certificate: {type: string, format: byte}
                ca: {type: string, format: byte}
                conditions:
                  type: array
                  items:
                    type: object
                    required: [type, status]
                    properties: {type: {type: string}, status: {type: string}, reason: {type: string}, message: {type: string}}
`;

const PATH = "/apis/cert-manager.io/v1/namespaces/default/certificaterequests";

/** What becomes of a request. */
type Answer = (request: JsonFields) => Promise<JsonFields>;

/** As cert-manager's own CA issuer. */
export function signingWith(key: SigningKey, uri?: string): Answer {
  return async (request) => {
    const { publicKey, csr, uri: asked } = await readRequest(request);
    const chain = await key.issue({ publicKey, uri: uri ?? asked, csr });
    const conditions = [{ type: "Ready", status: "True", reason: "Issued" }];
    return { certificate: new TextEncoder().encode(chain).toBase64(), conditions };
  };
}

export const denying: Answer = () =>
  Promise.resolve({
    conditions: [{ type: "Denied", status: "True", reason: "policy", message: "not by us" }],
  });

async function readRequest(request: JsonFields) {
  const base64 = textField(fieldsOf(request["spec"]), "request") ?? "";
  const text = new TextDecoder().decode(Uint8Array.fromBase64(base64));
  const [csr] = bytesInPem(text, "CERTIFICATE REQUEST") ?? [];
  return { csr, ...await readSigningRequest(csr) };
}

/** Answers requests until it is stopped. */
export class PlayedIssuer {
  readonly #client: KubeClient;
  answer: Answer;
  answered = 0;
  #isOver = false;
  readonly #playing: Promise<void>;

  constructor(client: KubeClient, answer: Answer) {
    this.#client = client;
    this.answer = answer;
    this.#playing = this.#play();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#playing;
  }

  async #play(): Promise<void> {
    const seen = new Set<string>();
    while (!this.#isOver) {
      for (const request of await this.requests()) {
        const name = textField(fieldsOf(request["metadata"]), "name") ?? "";
        if (seen.has(name)) continue;
        seen.add(name);
        await this.#client.call("PATCH", `${PATH}/${name}/status`, {
          body: { status: await this.answer(request) },
          contentType: "application/merge-patch+json",
        }).catch(() => {});
        this.answered++;
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Those that are there. */
  async requests(): Promise<JsonFields[]> {
    const { items } = fieldsOf(await this.#client.call("GET", PATH));
    return (Array.isArray(items) ? items : []).map(fieldsOf);
  }
}
