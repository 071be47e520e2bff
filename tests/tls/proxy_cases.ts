/**
 * What tests of the proxy under TLS have in common: a proxy between clients and endpoints, and clients that are not ours.
 */
import assert from "node:assert/strict";
import type { Proxy } from "../../proxy/config.ts";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import type { ProxyTls, TlsTermination } from "../../proxy/config.ts";
import { type Driver, DRIVERS, planOf } from "../support/test_proxy.ts";
import { PATIENT_TIMEOUTS } from "../support/timeouts.ts";
import { until } from "../support/until.ts";
import { HAS_OPENSSL_COMMAND, HAS_PORTABLE_TLS, testCertificates } from "./certificates.ts";
import { hasCommand, runCommand } from "../support/commands.ts";

export const HAS_CURL = hasCommand("curl");

export interface RunningProxyCase {
  readonly driver: Driver;
  readonly proxy: Proxy;
  /** Echoes the body of a request, or names the method and path where there is none, and repeats `x-repeat` a hundred times. */
  readonly origin: Deno.HttpServer<Deno.NetAddr>;
  metrics(): Promise<string>;
}

export interface TlsProxyCase {
  readonly name: string;
  readonly ignore?: boolean;
  /** The portable driver resumes tickets alone, and nothing as a client. */
  readonly needsSessions?: true;
  readonly workers?: number;
  readonly tls: () => ProxyTls;
  run(running: RunningProxyCase): Promise<void>;
}

async function start(driver: Driver, tls: ProxyTls, workers = 1): Promise<RunningProxyCase> {
  const onListen = () => {};
  const origin = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen }, (request) => {
    if (request.body !== null) return new Response(request.body);
    const repeated = request.headers.get("x-repeat");
    return new Response(`${request.method} ${new URL(request.url).pathname}\n`, {
      headers: repeated === null ? {} : { "x-repeated": repeated.repeat(100) },
    });
  });
  const place = { address: "127.0.0.1", port: 0 };
  const proxy = await startProxy({
    driver,
    workers,
    outbound: [
      { ...place, namespace: "default", identity: "", seed: null },
      {
        ...place,
        namespace: "default",
        identity: "",
        seed: null,
        tcp: { namespace: "default", service: "app", port: 80 },
      },
    ],
    inbound: [{ ...place, application: { address: "127.0.0.1", port: origin.addr.port } }],
    admin: place,
    tls,
    timeouts: PATIENT_TIMEOUTS,
    bodyBytesMax: Infinity,
    reportRequests: false,
  }, planOf([origin.addr.port]));
  const metrics = async () =>
    await (await fetch(`http://127.0.0.1:${proxy.admin?.port}/metrics`)).text();
  return { driver, proxy, origin, metrics };
}

export function terminating(settings: Partial<TlsTermination> = {}): TlsTermination {
  return {
    certificate: testCertificates().server,
    clientCertificate: "ignored",
    clientAuthority: null,
    minVersion: "1.2",
    ticketKeys: null,
    ...settings,
  };
}

export function mutual(): TlsTermination {
  const clientAuthority = { pem: testCertificates().authority.chainPem };
  return terminating({ clientCertificate: "required", clientAuthority });
}

/** GET `/hello` of the inbound listener. */
export function curlThrough({ proxy }: RunningProxyCase, ...more: readonly string[]) {
  const url = `https://localhost:${proxy.inbound[0].port}/hello`;
  const { chainFile } = testCertificates().authority;
  return runCommand("curl", ["-sS", "--max-time", "60", "--cacert", chainFile, ...more, url]);
}

/** What `s_client` prints of a handshake and, with a request, of the answer. */
export function sClient(running: RunningProxyCase, ...more: readonly string[]): Promise<string> {
  return sClientGet(running, "/hello", more);
}

export async function sClientGet(
  { proxy }: RunningProxyCase,
  path: string,
  more: readonly string[],
): Promise<string> {
  const { stdout, stderr } = await runCommand("openssl", [
    ...["s_client", "-connect", `127.0.0.1:${proxy.inbound[0].port}`, "-servername", "localhost"],
    ...["-CAfile", testCertificates().authority.chainFile, "-verify_return_error", "-ign_eof"],
    ...more,
  ], `GET ${path} HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n`);
  return stdout + stderr;
}

export async function untilMetric(running: RunningProxyCase, line: string): Promise<void> {
  const [name] = line.split(/[{ ]/);
  const look = async () =>
    (await running.metrics()).split("\n").filter((some) => some.startsWith(name));
  await until(line, look, (lines) => lines.includes(line));
}

export function originating(settings: Partial<ProxyTls["upstream"] & object> = {}): ProxyTls {
  const { authority, client } = testCertificates();
  return {
    upstream: {
      certificate: client,
      authority: { pem: authority.chainPem },
      target: { serverName: "localhost", uriSans: [] },
      minVersion: "1.2",
      ...settings,
    },
  };
}

/** Runs each case through a proxy of its own, on every driver. */
export function testTls(subject: string, cases: readonly TlsProxyCase[]): void {
  for (const driver of DRIVERS) {
    for (const { name, ignore, needsSessions, workers, tls, run } of cases) {
      Deno.test({
        name: `TLS, proxy (${driver}), ${subject}: ${name}`,
        ignore: !HAS_OPENSSL_COMMAND || ignore === true ||
          (driver === "portable" && (needsSessions === true || !HAS_PORTABLE_TLS)),
        // The libraries stay open.
        sanitizeResources: false,
        async fn() {
          const running = await start(driver, tls(), workers);
          try {
            await run(running);
            assert.match(await running.metrics(), /^weft_faults_total 0$/m);
          } finally {
            await running.proxy.stop();
            await running.origin.shutdown();
          }
        },
      });
    }
  }
}
