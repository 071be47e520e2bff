/** What every provider of certificates does: one interface, wherever the key is. */

import type { RootSet } from "../../routing/source/messages.ts";

/** A certificate that may be given: it has been looked at who asks. */
export interface CertificateOrder {
  /** SubjectPublicKeyInfo, of P-256. */
  readonly publicKey: Uint8Array;
  /** Its SPIFFE id. */
  readonly uri: string;
  /** The request (DER), for those who want to see it themselves. */
  readonly csr: Uint8Array;
}

export interface CertificateProvider {
  /**
   * The certificate, then those that vouch for it, without the root (PEM).
   * @throws {Error} one line: why there is none
   */
  issue(order: CertificateOrder): Promise<string>;
  /** When that by which it signs expires, in milliseconds since 1970; null: that is not known. */
  readonly expiresAtMs: number | null;
  /** It is not asked any more. */
  close?(): void;
}

/** Who signs, and whom to trust, at one time. */
export interface IdentityState {
  /** Null: none. */
  readonly roots: RootSet | null;
  /** The name of who signs; empty: none does. */
  readonly signer: string;
  readonly provider: CertificateProvider | null;
  /** Why none signs, in one line. */
  readonly problem: string;
  /** Each that is trusted, and why it cannot sign; empty: it can. */
  readonly authorities: readonly { readonly name: string; readonly problem: string }[];
  /** When the first of the roots, and of what signs, expires. */
  readonly expiresAtMs: number | null;
}
