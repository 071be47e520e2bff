/** The options of `weft proxy` for TLS, and which files they mean. Checks what contradicts; reads nothing. */
import type { ClientCertificatePolicy, TlsIdentity } from "../base/tls.ts";
import { DEFAULT_TRUST_DOMAIN, isTrustDomain } from "../base/spiffe.ts";
import { usageFailure } from "../console/exit.ts";
import type { SidecarOption } from "./option.ts";

/** What `--identity` says where the controller gives certificates. */
export const FROM_CONTROLLER = "controller";

export interface TlsOptions {
  readonly identity?: string | undefined;
  readonly inboundTlsCert?: string | undefined;
  readonly inboundTlsKey?: string | undefined;
  readonly inboundTlsClientCa?: string | undefined;
  readonly inboundTlsClientCert: "optional" | "required";
  readonly inboundPlaintext: "accepted" | "refused";
  readonly outboundTlsCert?: string | undefined;
  readonly outboundTlsKey?: string | undefined;
  readonly upstreamTlsCa?: string | undefined;
  readonly upstreamTlsCert?: string | undefined;
  readonly upstreamTlsKey?: string | undefined;
  readonly upstreamTlsName?: string | undefined;
  readonly upstreamTlsIdentity?: readonly string[] | undefined;
  readonly tlsMinVersion: "1.2" | "1.3";
  readonly trustDomain: string;
}

export const TLS_OPTIONS: readonly SidecarOption[] = [
  {
    flags: "--inbound-tls-cert <file>",
    about: "others' requests come over TLS: certificate chain",
  },
  { flags: "--inbound-tls-key <file>", about: "and its private key" },
  {
    flags: "--inbound-tls-client-ca <file>",
    about: "clients show a certificate that these vouch for",
  },
  {
    flags: "--inbound-tls-client-cert <policy>",
    about: "with a client CA: whether clients may do without",
    choices: ["optional", "required"],
    default: "required",
  },
  {
    flags: "--inbound-plaintext <mode>",
    about: "with inbound TLS: whether callers may do without",
    choices: ["accepted", "refused"],
    default: "refused",
  },
  { flags: "--outbound-tls-cert <file>", about: "the application speaks TLS to this proxy: chain" },
  { flags: "--outbound-tls-key <file>", about: "and its private key" },
  {
    flags: "--upstream-tls-ca <file>",
    about: "endpoints speak TLS: who vouches for them; `system` for this system's",
  },
  { flags: "--upstream-tls-cert <file>", about: "certificate chain to show to endpoints" },
  { flags: "--upstream-tls-key <file>", about: "and its private key" },
  { flags: "--upstream-tls-name <host>", about: "name that endpoints' certificates must have" },
  {
    flags: "--upstream-tls-identity <uri...>",
    about:
      "or the identity, like spiffe://cluster.local/ns/shop/sa/cart; `plan` for each as the plan says",
    separator: ",",
  },
  {
    flags: "--tls-min-version <version>",
    about: "oldest version of TLS",
    choices: ["1.2", "1.3"],
    default: "1.2",
  },
  {
    flags: "--trust-domain <name>",
    about: "whose SPIFFE ids identify callers",
    default: DEFAULT_TRUST_DOMAIN,
  },
];

/** Files of a certificate and its key. */
export interface CertificateFiles {
  readonly chain: string;
  readonly key: string;
}

/** What the options ask for, with files in place of what is in them. */
export interface TlsFiles {
  readonly minVersion: "1.2" | "1.3";
  readonly inbound: {
    readonly certificate: CertificateFiles;
    readonly clientAuthority: string | null;
    readonly clientCertificate: ClientCertificatePolicy;
    readonly acceptsPlain: boolean;
  } | null;
  readonly outbound: { readonly certificate: CertificateFiles } | null;
  readonly upstream: {
    readonly certificate: CertificateFiles | null;
    /** Null: this system's. */
    readonly authority: string | null;
    /** Null: whom the plan says. */
    readonly target: TlsIdentity | null;
  } | null;
  /** Of a sidecar of the mesh, beside what is plain. */
  readonly mesh: { readonly certificate: CertificateFiles; readonly authority: string } | null;
}

/** Null: everything is plain. Throws a usage failure for options that contradict or leave something out. */
export function tlsFiles(options: TlsOptions): TlsFiles | null {
  const inbound = certificateFiles("--inbound-tls", options.inboundTlsCert, options.inboundTlsKey);
  const outbound = certificateFiles(
    "--outbound-tls",
    options.outboundTlsCert,
    options.outboundTlsKey,
  );
  const clientAuthority = options.inboundTlsClientCa ?? null;
  if (clientAuthority !== null && inbound === null) {
    throw usageFailure("--inbound-tls-client-ca needs --inbound-tls-cert and --inbound-tls-key");
  }
  const upstream = upstreamFiles(options);
  const mesh = meshFiles(options);
  if (mesh !== null && (inbound !== null || upstream !== null)) {
    throw usageFailure("--identity goes with no --inbound-tls- and no --upstream-tls- options");
  }
  if ([inbound, outbound, upstream, mesh].every((side) => side === null)) return null;
  return {
    minVersion: options.tlsMinVersion,
    inbound: inbound && {
      certificate: inbound,
      clientAuthority,
      clientCertificate: clientAuthority === null ? "ignored" : options.inboundTlsClientCert,
      acceptsPlain: options.inboundPlaintext === "accepted",
    },
    outbound: outbound && { certificate: outbound },
    upstream,
    mesh,
  };
}

/** As cert-manager's CSI driver for SPIFFE, and Secrets of the type kubernetes.io/tls, name them. */
function meshFiles({ identity }: TlsOptions): TlsFiles["mesh"] {
  if (identity === undefined || identity === FROM_CONTROLLER) return null;
  const [chain, key, authority] = ["tls.crt", "tls.key", "ca.crt"].map((name) =>
    `${identity}/${name}`
  );
  return { certificate: { chain, key }, authority };
}

export function parseTrustDomain(text: string): string {
  if (isTrustDomain(text)) return text;
  throw usageFailure(
    `"${text}" is not a trust domain`,
    "Write what follows spiffe:// in the ids of callers, like cluster.local.",
  );
}

function upstreamFiles(options: TlsOptions): TlsFiles["upstream"] {
  const { upstreamTlsCa, upstreamTlsName, upstreamTlsIdentity } = options;
  const certificate = certificateFiles(
    "--upstream-tls",
    options.upstreamTlsCert,
    options.upstreamTlsKey,
  );
  if (upstreamTlsCa === undefined) {
    const others = [certificate, upstreamTlsName, upstreamTlsIdentity];
    if (others.every((value) => value === null || value === undefined)) return null;
    throw usageFailure(
      "TLS to endpoints needs --upstream-tls-ca",
      "Give the file of those who vouch for them, or `system`.",
    );
  }
  return {
    certificate,
    authority: upstreamTlsCa === "system" ? null : upstreamTlsCa,
    target: targetOf(upstreamTlsName ?? null, upstreamTlsIdentity ?? []),
  };
}

/** What stands for the identities that the plan knows. */
const PLAN = "plan";

function targetOf(serverName: string | null, uriSans: readonly string[]): TlsIdentity | null {
  if (serverName === null && uriSans.length === 0) {
    throw usageFailure(
      "TLS to endpoints needs --upstream-tls-name or --upstream-tls-identity",
      "A certificate of a known CA may be that of any server.",
    );
  }
  if (!uriSans.includes(PLAN)) return { serverName, uriSans };
  if (serverName === null && uriSans.length === 1) return null;
  throw usageFailure(
    "--upstream-tls-identity plan goes with no other identity and no name",
    "The plan says who each endpoint must be.",
  );
}

function certificateFiles(
  prefix: string,
  chain: string | undefined,
  key: string | undefined,
): CertificateFiles | null {
  if (chain === undefined && key === undefined) return null;
  if (chain === undefined || key === undefined) {
    throw usageFailure(`${prefix}-cert and ${prefix}-key go together`);
  }
  return { chain, key };
}
