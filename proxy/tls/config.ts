/**
 * What a proxy is told about TLS: where it ends and where it begins, with which certificates. Shapes, and what they come
 * to for `Io`; files are read elsewhere.
 */
import { TICKET_KEY_BYTES } from "../io/tls.ts";
import { expiryOf } from "../../base/x509_validity.ts";
import type {
  ClientCertificatePolicy,
  TlsCertificate,
  TlsClientSettings,
  TlsIdentity,
  TlsServerSettings,
  TlsTrust,
} from "../io/tls.ts";

/** TLS ends at a listener. */
export interface TlsTermination {
  readonly certificate: TlsCertificate;
  readonly clientCertificate: ClientCertificatePolicy;
  /** Whom to trust about clients. Null where their certificates are ignored. */
  readonly clientAuthority: TlsTrust | null;
  readonly minVersion: "1.2" | "1.3";
  /** Inbound: callers may do without TLS, and are then nobody. Left out: false. */
  readonly acceptsPlain?: boolean;
  /** See `TlsServerSettings`; the same for all event loops, and new whenever certificates are. */
  readonly ticketKeys: string | null;
}

/** TLS begins at the connections to endpoints. */
export interface TlsOrigination {
  /** Shown to endpoints that ask; null: none. */
  readonly certificate: TlsCertificate | null;
  /** Whom to trust about endpoints. Null: whom this system trusts. */
  readonly authority: TlsTrust | null;
  /** Whom every endpoint must be. Null: each the service account that the plan says it runs as. */
  readonly target: TlsIdentity | null;
  readonly minVersion: "1.2" | "1.3";
}

/** What is left out is plain. */
export interface ProxyTls {
  readonly inbound?: TlsTermination;
  readonly outbound?: TlsTermination;
  /** To endpoints; never to the application beside this proxy. */
  readonly upstream?: TlsOrigination;
}

/** What clients may choose from. HTTP/2 is also known by its first bytes. */
const PROTOCOLS: readonly string[] = ["h2", "http/1.1"];

export function serverSettings(termination: TlsTermination): TlsServerSettings {
  const { certificate, clientCertificate, clientAuthority, minVersion, ticketKeys } = termination;
  return {
    role: "server",
    certificate,
    clientCertificate,
    trusted: clientAuthority,
    alpn: PROTOCOLS,
    minVersion,
    ticketKeys,
  };
}

export function clientSettings(origination: TlsOrigination): TlsClientSettings {
  const { certificate, authority, minVersion } = origination;
  return {
    role: "client",
    certificate,
    trusted: authority,
    minVersion,
  };
}

/** A certificate that this proxy shows, and when it expires. */
export interface CertificateExpiry {
  readonly side: "inbound" | "outbound" | "upstream";
  /** Where its file is not known: empty. */
  readonly file: string;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
}

export function certificateExpiries(
  { inbound, outbound, upstream }: ProxyTls,
): CertificateExpiry[] {
  const sides = { inbound, outbound, upstream };
  return (["inbound", "outbound", "upstream"] as const).flatMap((side) => {
    const certificate = sides[side]?.certificate;
    const expiresAtMs = certificate ? expiryOf(certificate.chainPem) : null;
    return expiresAtMs === null ? [] : [{ side, file: certificate?.chainFile ?? "", expiresAtMs }];
  });
}

/** Ticket keys of their own for the terminations that have none. */
export function withTicketKeys(tls: ProxyTls): ProxyTls {
  const keyed = (termination: TlsTermination) => ({
    ...termination,
    ticketKeys: termination.ticketKeys ?? randomBase64(TICKET_KEY_BYTES),
  });
  const { inbound, outbound } = tls;
  return {
    ...tls,
    ...(inbound && { inbound: keyed(inbound) }),
    ...(outbound && { outbound: keyed(outbound) }),
  };
}

function randomBase64(length: number): string {
  return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(length))));
}
