/** What TLS is told, by either driver: certificates, whom to trust, and who the other end must be. */

/** PEM text, and the files that it is from, where messages are to name them. */
export interface TlsCertificate {
  /** The own certificate, then those that vouch for it. */
  readonly chainPem: string;
  readonly chainFile?: string;
  /** Not encrypted. */
  readonly keyPem: string;
  readonly keyFile?: string;
}

/** Whose certificates are trusted: PEM text, and the file that it is from. */
export interface TlsTrust {
  readonly pem: string;
  readonly file?: string;
}

/** What becomes of a client's certificate. `optional`: asked for and, where there is one, verified. */
export type ClientCertificatePolicy = "ignored" | "optional" | "required";

/** Who a server is. At least one of the two is given: a chain of trust alone names no server. */
export interface TlsIdentity {
  /** DNS name or IP address: must be in the certificate, unless `uriSans` are given. A name is sent as SNI. */
  readonly serverName: string | null;
  /** The server's certificate must be for one of these (SPIFFE ids); empty: `serverName` decides. */
  readonly uriSans: readonly string[];
}
