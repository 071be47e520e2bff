/** Certificates from files, and again whenever the files change. The last good ones stay where new ones are of no use. */
import { readText } from "../base/read_text.ts";
import type { Log } from "../base/log.ts";
import type { Proxy, ProxyTls } from "../proxy/config.ts";
import type { TlsCertificate, TlsTrust } from "../base/tls.ts";
import { certificateExpiries } from "../proxy/tls/config.ts";
import type { CertificateExpiry } from "../proxy/tls/config.ts";
import { CommandFailure } from "../console/exit.ts";
import { watchPaths } from "../base/watch.ts";
import type { CertificateFiles, TlsFiles } from "./tls_options.ts";

/** Reads what the proxy is to be told. Throws a command failure that names the file that cannot be read. */
export async function readCertificates(files: TlsFiles): Promise<ProxyTls> {
  const { inbound, outbound, upstream, mesh, minVersion } = files;
  const shared = { minVersion, ticketKeys: null };
  return {
    ...(inbound && {
      inbound: {
        ...shared,
        certificate: await readCertificate(inbound.certificate),
        clientCertificate: inbound.clientCertificate,
        acceptsPlain: inbound.acceptsPlain,
        clientAuthority: await readTrust(inbound.clientAuthority),
      },
    }),
    ...(outbound && {
      outbound: {
        ...shared,
        certificate: await readCertificate(outbound.certificate),
        clientCertificate: "ignored",
        clientAuthority: null,
      },
    }),
    ...(upstream && {
      upstream: {
        minVersion,
        certificate: upstream.certificate && await readCertificate(upstream.certificate),
        authority: await readTrust(upstream.authority),
        target: upstream.target,
      },
    }),
    ...(mesh && {
      mesh: {
        certificate: await readCertificate(mesh.certificate),
        authority: { pem: await read(mesh.authority), file: mesh.authority },
        ticketKeys: null,
      },
    }),
  };
}

/**
 * Replaces the proxy's certificates when their files change. A certificate and its key are two files, so half of a change
 * is no use and is passed over; the other half brings the next try. Returns what stops it.
 */
export function followCertificates(files: TlsFiles, proxy: Proxy, log: Log): () => Promise<void> {
  const onChange = async () => {
    try {
      const tls = await readCertificates(files);
      refuseExpired(tls);
      await proxy.replaceCertificates(tls);
      log.info("Certificates replaced", expiryFields(tls));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.warn("Certificates kept", { reason });
    }
  };
  let running = Promise.resolve();
  try {
    const watch = watchPaths(pathsOf(files), {
      recursive: false,
      onChange: () => void (running = running.then(onChange)),
    });
    return () => {
      watch.stop();
      return running;
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.warn("Changes of the certificates are not followed", { reason });
    return () => running;
  }
}

/** At the start there is nothing better to go on with. */
export function warnOfExpired(tls: ProxyTls, log: Log): void {
  for (const { file, expiresAtMs } of expired(tls)) {
    log.warn("Certificate has expired", { file, expired: timeText(expiresAtMs) });
  }
}

function refuseExpired(tls: ProxyTls): void {
  for (const { file, expiresAtMs } of expired(tls)) {
    throw new CommandFailure(
      `Cannot use the certificate "${file}": it expired at ${timeText(expiresAtMs)}`,
    );
  }
}

function expired(tls: ProxyTls): CertificateExpiry[] {
  return certificateExpiries(tls).filter(({ expiresAtMs }) => expiresAtMs <= Date.now());
}

/** By side. */
function expiryFields(tls: ProxyTls): Record<string, string> {
  const expiries = certificateExpiries(tls);
  return Object.fromEntries(
    expiries.map(({ side, expiresAtMs }) => [`${side}Expires`, timeText(expiresAtMs)]),
  );
}

function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

function pathsOf({ inbound, outbound, upstream, mesh }: TlsFiles): string[] {
  const pairs = [inbound, outbound, upstream, mesh].map((side) => side?.certificate);
  const paths = [
    ...pairs.flatMap((pair) => pair ? [pair.chain, pair.key] : []),
    inbound?.clientAuthority,
    upstream?.authority,
    mesh?.authority,
  ];
  return [...new Set(paths.filter((path) => path !== null && path !== undefined))];
}

async function readCertificate({ chain, key }: CertificateFiles): Promise<TlsCertificate> {
  return {
    chainPem: await read(chain),
    chainFile: chain,
    keyPem: await read(key),
    keyFile: key,
  };
}

async function readTrust(file: string | null): Promise<TlsTrust | null> {
  return file === null ? null : { pem: await read(file), file };
}

async function read(file: string): Promise<string> {
  try {
    return await readText(file);
  } catch (error) {
    throw new CommandFailure(error instanceof Error ? error.message : String(error));
  }
}
