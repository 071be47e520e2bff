/**
 * Certificates by Vault's PKI engine: the controller shows its ServiceAccount's token (auth method `kubernetes`), and has each request signed
 * by a role of the engine. Vault's answers are those that its documentation of the HTTP API describes.
 */
import { pemOf } from "../../base/pem.ts";
import { readText } from "../../base/read_text.ts";
import { fieldsOf, type JsonFields, textField } from "../kube/fields.ts";
import type { X509Certificate } from "./certificate.ts";
import { checkedChain } from "./issued.ts";
import { ISSUER_ANSWER_BYTES_MAX, ISSUER_MS, LEAF_MS, VAULT_TOKEN_SHARE } from "./limits.ts";
import type { CertificateOrder, CertificateProvider } from "./provider.ts";

/** Where Vault is, and as whom it is asked. */
export interface VaultPlace {
  /** Such as `https://vault.vault.svc:8200`. */
  readonly address: string;
  /** Of the PKI engine. */
  readonly mount: string;
  /** Of the engine: what it signs. */
  readonly role: string;
  readonly authMount: string;
  /** Of the auth method: what the controller may do. */
  readonly authRole: string;
  /** Certificates of who vouches for Vault (PEM); empty: those of this system. */
  readonly authority: string;
}

interface VaultParts extends VaultPlace {
  /** With the token of the controller's ServiceAccount. */
  readonly tokenFile: string;
  readonly roots: readonly X509Certificate[];
}

export class Vault implements CertificateProvider {
  readonly #parts: VaultParts;
  readonly #client: Deno.HttpClient;
  #token: { readonly text: string; readonly untilTickMs: number } | null = null;
  /** It is known by each certificate, not beforehand. */
  readonly expiresAtMs = null;

  constructor(parts: VaultParts) {
    this.#parts = parts;
    const { authority } = parts;
    this.#client = Deno.createHttpClient(authority === "" ? {} : { caCerts: [authority] });
  }

  async issue(order: CertificateOrder): Promise<string> {
    const { mount, role, roots } = this.#parts;
    const { data } = await this.#post(`${mount}/sign/${role}`, await this.#login(), {
      csr: pemOf("CERTIFICATE REQUEST", order.csr),
      ttl: `${LEAF_MS / 1_000}s`,
      format: "pem",
    });
    const { ca_chain, issuing_ca } = fieldsOf(data);
    const above = Array.isArray(ca_chain) ? ca_chain : [issuing_ca];
    const texts = [textField(fieldsOf(data), "certificate") ?? "", ...above];
    return await checkedChain(texts.map(String).join("\n"), order, roots);
  }

  close(): void {
    this.#client.close();
  }

  async #login(): Promise<string> {
    const tickMs = performance.now();
    if (this.#token !== null && tickMs < this.#token.untilTickMs) return this.#token.text;
    const { authMount, authRole, tokenFile } = this.#parts;
    const jwt = (await readText(tokenFile)).trim();
    const { auth } = await this.#post(`auth/${authMount}/login`, null, { role: authRole, jwt });
    const text = textField(fieldsOf(auth), "client_token") ?? "";
    const lifeMs = Number(fieldsOf(auth)["lease_duration"] ?? 0) * 1_000;
    this.#token = { text, untilTickMs: tickMs + VAULT_TOKEN_SHARE * lifeMs };
    return text;
  }

  async #post(path: string, token: string | null, body: unknown): Promise<JsonFields> {
    const response = await fetch(`${this.#parts.address}/v1/${path}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token === null ? {} : { "x-vault-token": token }),
      },
      body: JSON.stringify(body),
      client: this.#client,
      redirect: "error",
      signal: AbortSignal.timeout(ISSUER_MS),
    });
    const text = await boundedText(response);
    if (response.ok) return fieldsOf(JSON.parse(text));
    // A token that was taken back is asked for anew.
    if (response.status === 403) this.#token = null;
    throw new Error(`Vault answered ${response.status} to ${path}: ${errorsIn(text)}`);
  }
}

async function boundedText(response: Response): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > ISSUER_ANSWER_BYTES_MAX) {
      await response.body?.cancel().catch(() => {});
      throw new Error("Vault's answer is too large");
    }
  }
  return text;
}

function errorsIn(text: string): string {
  try {
    const { errors } = fieldsOf(JSON.parse(text));
    return Array.isArray(errors) ? errors.join("; ").replaceAll("\n", " ") : "";
  } catch {
    return "";
  }
}
