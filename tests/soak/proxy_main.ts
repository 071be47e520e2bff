/**
 * The proxy of the soak, in a process of its own so that its memory and descriptors are its own. It asks a source that is slow and gets
 * lost. Takes `ProxyArguments` as JSON, says where it listens, and then takes a line at a time, answering each: a plan, which the mesh is from
 * then on; `settle`, answered once the proxy has what it uses of it; `waited`, for the longest that a request has waited for an answer; or
 * `memory` for the bytes that are left in use once all garbage is collected. Ends with its input.
 */
import { createLog } from "../../base/log.ts";
import { Random } from "../../base/random.ts";
import { readLines } from "../../base/lines.ts";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { planHeaderOf } from "../../routing/parts.ts";
import { decodePlan } from "../../routing/plan_codec.ts";
import { MeshParts } from "../../routing/source/mesh.ts";
import { PlanClient } from "../../sidecar/plan_client.ts";
import type { Driver } from "../support/test_proxy.ts";
import { PATIENT_TIMEOUTS } from "../support/timeouts.ts";
import { until } from "../support/until.ts";
import { SoakSource } from "./soak_source.ts";

export interface ProxyArguments {
  readonly driver: Driver;
  readonly plan: string;
  readonly applicationPort: number;
  readonly seed: number;
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

/** Longer than any line. */
const LINE_BYTES_MAX = 64 * 1024 * 1024;

if (import.meta.main) {
  const { driver, plan, applicationPort, certificate, seed }: ProxyArguments = JSON.parse(
    Deno.args[0],
  );
  const place = { address: "127.0.0.1", port: 0 };
  const client = { ...place, namespace: "default", identity: "", seed: null };
  let waitedMs = 0;
  const proxy = await startProxy(
    {
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
      reportRequests: true,
    },
    null,
    {
      onQuestion: (question) => planClient.ask(question),
      heldPlan: () => planClient.held.plan,
      onRequest: ({ planWaitMs }) => waitedMs = Math.max(waitedMs, planWaitMs),
    },
  );
  const first = decode(plan);
  const mesh = new MeshParts(planHeaderOf(first));
  mesh.set(first);
  const served = Promise.withResolvers<void>();
  const source = new SoakSource(mesh, new Random(seed, "source"));
  const planClient = new PlanClient({
    source,
    proxy,
    always: [],
    log: createLog({ level: "error", format: "human", sink: console.error, now: Date.now }),
    onChange: () => served.resolve(),
  });
  planClient.start();
  await served.promise;
  const ports: ProxyPorts = {
    http: proxy.outbound[0].port,
    tcp: proxy.outbound[1].port,
    inbound: proxy.inbound[0].port,
    admin: proxy.admin?.port ?? 0,
  };
  const say = (text: string) => Deno.stdout.write(new TextEncoder().encode(`${text}\n`));
  const isSettled = () =>
    [...planClient.held.parts].every(([key, { hash }]) => mesh.hashed(key)?.hash === hash);
  await say(JSON.stringify(ports));
  for await (const line of readLines(Deno.stdin.readable, () => LINE_BYTES_MAX)) {
    if (line === "memory") await say(`${bytesInUse()}`);
    else if (line === "waited") await say(`${waitedMs}`);
    else if (line === "losses") await say(`${source.losses}`);
    else if (line === "settle") {
      await until("the parts of the mesh", isSettled, Boolean);
      await say("settled");
    } else {
      mesh.set(decode(line));
      await say("set");
    }
  }
  planClient.stop();
  await proxy.stop();
}
