/**
 * The proxy of the soak, in a process of its own so that its memory and descriptors are its own. Takes `ProxyArguments` as
 * JSON, says where it listens, and then takes a line at a time, answering each: a plan, or `memory` for the bytes that are left
 * in use once all garbage is collected. Ends with its input.
 */
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { decodePlan } from "../../routing/plan_codec.ts";
import type { Driver } from "../support/test_proxy.ts";
import { PATIENT_TIMEOUTS } from "../support/timeouts.ts";

export interface ProxyArguments {
  readonly driver: Driver;
  readonly plan: string;
  readonly applicationPort: number;
  /** Null: the inbound listener is plain. */
  readonly certificate: { readonly chainPem: string; readonly keyPem: string } | null;
}

export interface ProxyPorts {
  readonly http: number;
  readonly tcp: number;
  readonly inbound: number;
  readonly admin: number;
}

function decode(text: string) {
  const decoded = decodePlan(text);
  if (!decoded.ok) throw new Error(decoded.message);
  return decoded.plan;
}

function bytesInUse(): number {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error("Run with --v8-flags=--expose-gc");
  gc();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

if (import.meta.main) {
  const { driver, plan, applicationPort, certificate }: ProxyArguments = JSON.parse(Deno.args[0]);
  const place = { address: "127.0.0.1", port: 0 };
  const client = { ...place, namespace: "default", identity: "", seed: null };
  const proxy = await startProxy({
    driver,
    // As a sidecar runs, and so that there is one heap to collect.
    workers: 0,
    outbound: [client, { ...client, tcp: { namespace: "default", service: "db", port: 5432 } }],
    inbound: [{ ...place, application: { address: "127.0.0.1", port: applicationPort } }],
    admin: place,
    ...(certificate === null ? {} : {
      tls: {
        inbound: {
          certificate,
          clientCertificate: "ignored",
          clientAuthority: null,
          minVersion: "1.2",
          ticketKeys: null,
        },
      },
    }),
    timeouts: PATIENT_TIMEOUTS,
    bodyBytesMax: Infinity,
    reportRequests: false,
  }, decode(plan));
  const ports: ProxyPorts = {
    http: proxy.outbound[0].port,
    tcp: proxy.outbound[1].port,
    inbound: proxy.inbound[0].port,
    admin: proxy.admin?.port ?? 0,
  };
  const say = (text: string) => Deno.stdout.write(new TextEncoder().encode(`${text}\n`));
  await say(JSON.stringify(ports));
  let rest = "";
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "memory") {
        await say(`${bytesInUse()}`);
        continue;
      }
      await proxy.apply(decode(line));
      await say("applied");
    }
  }
  await proxy.stop();
}
