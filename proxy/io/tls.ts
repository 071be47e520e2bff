/**
 * TLS as every driver offers it: certificates made ready once, then put on any number of connections. Shapes, and how they are
 * called.
 *
 * Above `Io` nothing changes: what is read and written is plain. A connection under TLS first becomes readable or writable once
 * its peer has proved who it is.
 */
import type {
  ClientCertificatePolicy,
  TlsCertificate,
  TlsIdentity,
  TlsTrust,
} from "../../base/tls.ts";

export interface TlsServerSettings {
  readonly role: "server";
  readonly minVersion: "1.2" | "1.3";
  /** Protocols by preference, such as `h2`, `http/1.1`; empty: none is negotiated. */
  readonly alpn: readonly string[];
  readonly certificate: TlsCertificate;
  readonly clientCertificate: ClientCertificatePolicy;
  /** Whom to trust about clients. Null: no one, where client certificates are ignored. */
  readonly trusted: TlsTrust | null;
  /**
   * `TICKET_KEY_BYTES` random bytes in base64 that several event loops have in common, so that each resumes what another
   * began. Null: this one's own.
   */
  readonly ticketKeys: string | null;
}

export interface TlsClientSettings {
  readonly role: "client";
  readonly minVersion: "1.2" | "1.3";
  /** Shown to servers that ask; null: none. */
  readonly certificate: TlsCertificate | null;
  /** Whom to trust about servers. Null: whom this system trusts. */
  readonly trusted: TlsTrust | null;
}

export type TlsSettings = TlsServerSettings | TlsClientSettings;

/** A key's name, then a key each for encryption and authentication (RFC 5077 4). */
export const TICKET_KEY_BYTES = 80;

/** The server that a client wants, and what to speak with it. Sessions are resumed by target: keep it. */
export interface TlsTarget extends TlsIdentity {
  /** Protocols to offer; empty: none is negotiated. */
  readonly alpn: readonly string[];
}

/** What a handshake came to. Empty text: there is none. */
export interface TlsInfo {
  /** The protocol that was negotiated. */
  readonly alpn: string;
  /** The name that the client asked for (SNI). */
  readonly serverName: string;
  /** The verified peer's only URI; a certificate with several is ambiguous (SPIFFE X.509-SVID 2). */
  readonly peerUriSan: string;
  /** URIs in the verified peer's certificate; 0 also where it showed none. */
  readonly peerUriCount: number;
  /** `TLSv1.2` or `TLSv1.3`. */
  readonly version: string;
  readonly cipher: string;
  /** An earlier session was gone on with, so no certificate was sent again. */
  readonly isResumed: boolean;
}

/**
 * Why there is no TLS: `tls-certificate` the peer's certificate is refused, `tls-no-certificate` it has none,
 * `tls-identity` it has another identity, `tls-alert` the peer refused, `tls-plaintext` it does not speak TLS,
 * `tls-protocol` nothing in common or malformed, `tls-closed` it went away, `tls-timeout`, `tls-crowded` too many at once.
 */
export type TlsFailureCode =
  | "tls-certificate"
  | "tls-no-certificate"
  | "tls-identity"
  | "tls-alert"
  | "tls-plaintext"
  | "tls-protocol"
  | "tls-closed"
  | "tls-timeout"
  | "tls-crowded";

export interface TlsFailure {
  readonly code: TlsFailureCode;
  /** For a log. */
  readonly detail: string;
}

/** Certificates made ready for one role. */
export interface TlsContext {
  /**
   * Makes other certificates ready, and changes nothing yet.
   * @throws {IoError} they are of no use; one line says why
   */
  prepare(settings: TlsSettings): TlsReplacement;
  /** For handshakes no more; connections go on. */
  close(): void;
}

/** Certificates that are ready to take the place of a context's. One of the two is called, once. */
export interface TlsReplacement {
  /** From the next handshake on; connections go on with what they have, and no earlier session is resumed. */
  use(): void;
  /** Lets go of them. */
  drop(): void;
}

/** What a message calls something that may be from a file. */
export function nameWithFile(what: string, file: string | undefined): string {
  return file === undefined ? what : `${what} "${file}"`;
}
