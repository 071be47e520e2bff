/**
 * A bounded soak on loopback: `deno task soak [--seconds 60] [--driver native] [--seed N] [--pause MS] [--only http1,tcp]`. Traffic of every kind
 * through a real proxy in a process of its own, parts of the mesh that change every 100 ms, a source that is slow and gets lost, endpoints that
 * die and come back. Wants no wrong byte, no wrong endpoint, no exchange without an end, no wait for the source past its bound, no fault, no descriptor and no buffer left over, and memory that does not grow. Not part of CI.
 */
import { parseArgs } from "node:util";
import { Random, randomSeed } from "../../base/random.ts";
import { PLAN_ANSWER_MS } from "../../proxy/limits.ts";
import { HAS_NODE } from "../http2/node_process.ts";
import type { Driver } from "../support/test_proxy.ts";
import type { Plan } from "../../routing/plan.ts";
import { HAS_OPENSSL_COMMAND, HAS_PORTABLE_TLS, testCertificates } from "../tls/certificates.ts";
import { runHttp1Client } from "./http1_client.ts";
import { Http1Origin } from "./http1_origin.ts";
import { type NodeKind, NodeTraffic } from "./node_traffic.ts";
import { SoakProxy } from "./proxy_process.ts";
import { APP_HOSTS, type ServiceName, SERVICES, type SoakCanary, soakPlanOf } from "./soak_plan.ts";
import {
  emptyTally,
  type Endpoint,
  EXCHANGE_MS_MAX,
  type Tally,
  TRAFFIC_KINDS,
  type TrafficKind,
} from "./tally.ts";
import { EchoOrigin, runTcpClient } from "./tcp_traffic.ts";

const CHANGE_MS = 100;
const DEATH_MS = 700;
const REVIVAL_MS = 300;
/**
 * Growth, from the third quarter to the last, of what the proxy has in use after a collection of garbage, that is still noise:
 * connections and exchanges come and go. A leak of 100 bytes an exchange would be more.
 */
const GROWTH_BYTES_MAX = 1024 * 1024;
/** How late a busy machine may be with the end of a wait. */
const WAIT_SLACK_MS = 500;
/** In a shorter run there is too little of anything. */
const GROWTH_SECONDS_MIN = 40;
/** Of each kind; fewer would show nothing. */
const ANSWERS_A_SECOND_MIN = 1;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    driver: { type: "string", default: "native" },
    seed: { type: "string" },
    pause: { type: "string", default: "0" },
    only: { type: "string", default: TRAFFIC_KINDS.join() },
  },
});
const seconds = Number(values.seconds);
const driver = values.driver as Driver;
const pauseMs = Number(values.pause);
const seed = values.seed === undefined ? randomSeed() >>> 0 : Number(values.seed);
const only = new Set(values.only.split(","));
const hasTls = HAS_OPENSSL_COMMAND && (driver === "native" || HAS_PORTABLE_TLS);
if (!HAS_NODE) throw new Error("The soak needs Node for the peers of HTTP/2, gRPC and WebSocket");

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const random = new Random(seed, "soak");
const tallies = Object.fromEntries(TRAFFIC_KINDS.map((kind) => [kind, emptyTally()])) as Record<
  TrafficKind,
  Tally
>;

await using node = await NodeTraffic.start();
const several = <T>(count: number, make: () => T) =>
  Promise.all(Array.from({ length: count }, make));
const http1 = (kind: TrafficKind, service: string) =>
  new Http1Origin(service, (what) => tallies[kind].wrong.push(what));
const endpoints: Readonly<Record<ServiceName, readonly Endpoint[]>> = {
  app: await several(6, () => http1("http1", "app")),
  two: await several(3, () => node.endpoint("http2")),
  rpc: await several(3, () => node.endpoint("grpc")),
  chat: await several(3, () => node.endpoint("websocket")),
  db: await several(3, () => new EchoOrigin()),
};
const application = http1("tls", "application");
const mortals = [...Object.values(endpoints).flat(), application];

/** One part or several of the mesh that the soak changes. */
class SoakMesh {
  readonly #ports = new Map<ServiceName, readonly number[]>();
  #canary: SoakCanary | null = null;

  constructor() {
    for (const name of Object.keys(SERVICES) as ServiceName[]) {
      this.#ports.set(name, endpoints[name].map(({ port }) => port));
    }
  }

  get plan(): Plan {
    return soakPlanOf(this.#ports, this.#canary);
  }

  /** Endpoints come and go, weights move, a Service is not there for a while. */
  change(): void {
    for (const name of Object.keys(SERVICES) as ServiceName[]) {
      if (random.below(3) === 0) this.#ports.set(name, somePorts(name));
    }
    if (random.below(3) === 0) {
      this.#canary = random.below(3) === 0
        ? null
        : { weight: random.below(101), endpoints: somePorts("app") };
    }
    if (random.below(20) === 0) this.#ports.delete("two");
  }
}

/** Two thirds of its endpoints, and one at least. */
function somePorts(name: ServiceName): number[] {
  const kept = endpoints[name].filter(() => random.below(3) > 0);
  return (kept.length > 0 ? kept : endpoints[name].slice(0, 1)).map(({ port }) => port);
}

const mesh = new SoakMesh();
const proxy = await SoakProxy.start({
  driver,
  seed,
  applicationPort: application.port,
  certificate: hasTls ? testCertificates().server : null,
}, mesh.plan);
// Asking leaves a connection to the admin port open: it is no leak.
await proxy.metric("weft_faults_total");
const descriptors = proxy.descriptors();
let isOver = false;
let changes = 0;
let deaths = 0;

async function changeMesh(): Promise<void> {
  while (!isOver) {
    const next = wait(CHANGE_MS);
    mesh.change();
    await proxy.change(mesh.plan);
    changes++;
    await next;
  }
}

async function killEndpoints(): Promise<void> {
  while (!isOver) {
    await wait(DEATH_MS);
    const endpoint = mortals[random.below(mortals.length)];
    await endpoint.die();
    deaths++;
    await wait(REVIVAL_MS);
    await endpoint.comeBack();
  }
}

interface Sample {
  readonly inUse: number;
  readonly resident: number;
}

async function watchMemory(): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let second = 1; !isOver; second++) {
    await wait(1_000);
    const sample = { inUse: await proxy.bytesInUse(), resident: proxy.residentBytes() };
    samples.push(sample);
    if (second % 10 > 0) continue;
    console.log(
      `${second} s: ${mebibytes(sample.inUse)} in use, ${mebibytes(sample.resident)} resident, ` +
        `${proxy.descriptors()} descriptors`,
    );
  }
  return samples;
}

const mebibytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
const local = { hostname: "127.0.0.1" };
const client = { pause: () => wait(pauseMs), isOver: () => isOver };
const plain = {
  ...client,
  hosts: [...APP_HOSTS, "two"],
  dial: () => Deno.connect({ ...local, port: proxy.ports.http }),
};
const secured = {
  ...client,
  hosts: ["application"],
  dial: () =>
    Deno.connectTls({
      hostname: "localhost",
      port: proxy.ports.inbound,
      caCerts: [testCertificates().authority.chainPem],
    }),
};
/** How many clients of this kind there are. */
const countOf = (kind: TrafficKind, count: number) => ({ length: only.has(kind) ? count : 0 });
const clients = [
  ...Array.from(
    countOf("http1", 12),
    (_, i) => runHttp1Client(plain, new Random(seed, `http1 ${i}`), tallies.http1),
  ),
  ...Array.from(
    countOf("tls", hasTls ? 4 : 0),
    (_, i) => runHttp1Client(secured, new Random(seed, `tls ${i}`), tallies.tls),
  ),
  ...Array.from(
    countOf("tcp", 4),
    (_, i) =>
      runTcpClient(
        { ...client, port: proxy.ports.tcp },
        new Random(seed, `tcp ${i}`),
        tallies.tcp,
      ),
  ),
];
const ofNode: readonly [kind: NodeKind, count: number, hosts: readonly string[]][] = [
  ["http2", 3, [...APP_HOSTS, "two"]],
  ["grpc", 2, ["rpc"]],
  ["websocket", 4, ["chat"]],
];
for (const [kind, count, hosts] of ofNode) {
  await node.startClients({
    kind,
    count: countOf(kind, count).length,
    hosts,
    port: proxy.ports.http,
    pauseMs,
  });
}
const others = [changeMesh(), killEndpoints()];
const memory = watchMemory();
await wait(seconds * 1_000);
isOver = true;
await node.stopClients();
await Promise.all([...clients, ...others]);
const samples = await memory;

const problems: string[] = [];
// A client that waits for an end that does not come gives up by then, and has said so.
const endMs = performance.now() + EXCHANGE_MS_MAX + 10_000;
for (const kind of ["http2", "grpc", "websocket"] as const) {
  while ((await node.running())[kind] > 0 && performance.now() < endMs) await wait(50);
  if ((await node.running())[kind] > 0) problems.push(`${kind}: clients that do not end`);
}
Object.assign(tallies, await node.tallies());
/** A check that failed is a problem, and the next is made. */
async function check(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
}
await check(proxy.untilMetric("weft_connections_open", 0));
const losses = await proxy.losses();
const longestWaitMs = await proxy.longestWaitMs();
if (longestWaitMs > PLAN_ANSWER_MS + WAIT_SLACK_MS) {
  problems.push(`a request waited ${longestWaitMs} ms for the source`);
}
await check(proxy.change(soakPlanOf(new Map(), null)));
await check(proxy.settle());
// The application beside an inbound listener is of no plan: its idle connections are kept.
application.die();
await check(proxy.untilMetric("weft_upstream_connections_open", 0));
await check(proxy.untilMetric("weft_buffers_lent", 0));
await check(proxy.untilMetric("weft_faults_total", 0));
// Sockets that are closed go a little later.
for (let i = 0; i < 50 && proxy.descriptors() > descriptors; i++) await wait(100);
const left = proxy.descriptors() - descriptors;
const code = await proxy.stop();

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}
const quarter = Math.floor(samples.length / 4);
const inUse = samples.map((sample) => sample.inUse);
const growth = median(inUse.slice(3 * quarter)) - median(inUse.slice(2 * quarter, 3 * quarter));
const resident = samples.map((sample) => sample.resident);

console.log(
  `${driver} driver, seed ${seed}, ${seconds} s, ${changes} changes of the mesh, ${losses} losses of its source, ${deaths} deaths`,
);
for (const kind of TRAFFIC_KINDS) {
  const { answered, refused, cut, abandoned, bytes, wrong } = tallies[kind];
  console.log(
    `${kind.padEnd(10)} ${answered} answered, ${refused} refused, ${cut} cut, ` +
      `${abandoned} abandoned, ${wrong.length} wrong, ${mebibytes(bytes)}`,
  );
  problems.push(...wrong.slice(0, 10).map((what) => `${kind}: ${what}`));
  const isExpected = only.has(kind) && (kind !== "tls" || hasTls);
  if (isExpected && answered < ANSWERS_A_SECOND_MIN * seconds) {
    problems.push(`${kind}: too little traffic to show anything`);
  }
}
console.log(
  `memory     ${(growth / 1024).toFixed(0)} KiB growth of what is in use; resident ` +
    `${mebibytes(median(resident.slice(0, quarter)))} in the first quarter, ` +
    `${mebibytes(median(resident.slice(3 * quarter)))} in the last`,
);
console.log(`source     ${longestWaitMs.toFixed(0)} ms was the longest wait for what it says`);
console.log(`left over  ${left} descriptors`);
if (left > 0) problems.push(`${left} descriptors left open`);
if (seconds >= GROWTH_SECONDS_MIN && growth > GROWTH_BYTES_MAX) {
  problems.push(`memory in use grew by ${growth} bytes`);
}
if (code !== 0) problems.push(`the proxy ended with ${code}`);
if (!hasTls) {
  console.log("TLS was passed over: it needs the openssl command and a driver that has it");
}
for (const problem of problems) console.log(`FAILED: ${problem}`);
console.log(problems.length === 0 ? "PASSED" : `FAILED: ${problems.length} problems`);
// Endpoints still listen.
Deno.exit(problems.length === 0 ? 0 : 1);
