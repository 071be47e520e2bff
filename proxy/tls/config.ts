/** What the proxy's settings of TLS come to for `Io`, and when its certificates expire. Files are read elsewhere. */
import { TICKET_KEY_BYTES } from "../io/tls.ts";
import { expiryOf } from "../../base/x509.ts";
import type { TlsClientSettings, TlsServerSettings } from "../io/tls.ts";
import type { MeshCertificates, ProxyTls, TlsOrigination, TlsTermination } from "../config.ts";
import type { IngressTls } from "../../routing/table/ingress_rules.ts";
import { MESH_ALPN } from "../protocol/tls/mesh.ts";

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

/** How a sidecar of the mesh is the server of others. */
export function meshServerSettings(
  { certificate, authority, ticketKeys }: MeshCertificates,
): TlsServerSettings {
  return {
    role: "server",
    certificate,
    clientCertificate: "required",
    trusted: authority,
    alpn: Object.values(MESH_ALPN),
    minVersion: "1.3",
    ticketKeys,
  };
}

/** How it is the server of clients from outside, where it ends their TLS. What a certificate allows is judged request by request. */
export function ingressServerSettings(
  { certificate, authority }: MeshCertificates,
  tls: IngressTls,
): TlsServerSettings {
  return {
    role: "server",
    certificate,
    clientCertificate: tls === "asking" ? "optional" : "ignored",
    trusted: tls === "asking" ? authority : null,
    alpn: PROTOCOLS,
    minVersion: "1.2",
    // No session of theirs is one of a sidecar's.
    ticketKeys: null,
  };
}

/** And how it is their client. */
export function meshClientSettings(
  { certificate, authority }: MeshCertificates,
): TlsClientSettings {
  return { role: "client", certificate, trusted: authority, minVersion: "1.3" };
}

const SIDES = ["inbound", "outbound", "upstream", "mesh"] as const;

/** A certificate that this proxy shows, and when it expires. */
export interface CertificateExpiry {
  readonly side: typeof SIDES[number];
  /** Where its file is not known: empty. */
  readonly file: string;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
}

export function certificateExpiries(tls: ProxyTls): CertificateExpiry[] {
  return SIDES.flatMap((side) => {
    const certificate = tls[side]?.certificate;
    const expiresAtMs = certificate ? expiryOf(certificate.chainPem) : null;
    return expiresAtMs === null ? [] : [{ side, file: certificate?.chainFile ?? "", expiresAtMs }];
  });
}

/** Ticket keys of their own for the terminations that have none. */
export function withTicketKeys(tls: ProxyTls): ProxyTls {
  const keyed = <T extends TlsTermination | MeshCertificates>(termination: T): T => ({
    ...termination,
    ticketKeys: termination.ticketKeys ?? randomBase64(TICKET_KEY_BYTES),
  });
  const { inbound, outbound, mesh } = tls;
  return {
    ...tls,
    ...(inbound && { inbound: keyed(inbound) }),
    ...(outbound && { outbound: keyed(outbound) }),
    ...(mesh && { mesh: keyed(mesh) }),
  };
}

function randomBase64(length: number): string {
  return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(length))));
}
