/**
 * What a controller of a large cluster costs, and how long a change takes from the API server to the last of its proxies. Weft alone: the
 * rows are measures, the variants are sizes.
 */
import { groupKey, type PartKey, routeKey } from "../../routing/parts.ts";
import type { LightConnection } from "../controller/light_connection.ts";
import {
  CLUSTER_ENDPOINTS,
  CLUSTER_NAMESPACE,
  serviceName,
} from "../controller/cluster_objects.ts";
import { LargeCluster } from "../controller/large_cluster.ts";
import { PROXY_SERVICES, ProxyCrowd } from "../controller/proxy_crowd.ts";
import { isForResults } from "../options.ts";
import { type PinnedProcess, settledMemory } from "../process.ts";
import { median, type Row } from "../report.ts";
import { LOAD_CORES, pinThisProcess, type Session } from "../session.ts";
import type { BenchWorkload } from "./workload.ts";

/** Services, and as many proxies. */
export const CLUSTER = { tenth: "100", whole: "1 000", crowd: "5 000 proxies" } as const;
const SIZES: readonly (readonly [variant: string, size: number])[] = [
  [CLUSTER.tenth, 100],
  [CLUSTER.whole, 1_000],
];
const CROWD = 5_000;

/** Changes of each kind in each round. */
const CHANGES = 20;

const POD_CHANGE_MS = 50;

/** That are made at once. */
const PODS = 1_000;

export const CONTROLLER_MEASURES = {
  cold: "from a cold start until all are served",
  certified: "from a cold start until all have a certificate",
  rest: "at rest",
  weight: "a weight changes",
  removal: "an endpoint goes",
  churn: `${1_000 / POD_CHANGE_MS} pods change a second`,
  pods: "1 000 pods are made at once",
} as const;

export const CONTROLLER_COSTS: BenchWorkload = {
  name: "controller",
  title: "A controller of 1 000 Services and 1 000 proxies",
  about:
    `A real API server with Services of ${CLUSTER_ENDPOINTS} pods, every fifth split, and \`weft controller\` on a core of its own. Proxies are light: the stream's protocol ` +
    `over TLS and no more, each with the token of its pod and ${PROXY_SERVICES} Services in use, one of them used by all. They, etcd and the API server share the load's core, ` +
    "so a time is that of a busy machine. It is from the request to the API server until the last proxy has the change in force, and a change waits " +
    "100 ms for others unless an endpoint goes. CPU is of the controller: all of a start, or for one change (of an endpoint that goes and comes back: both), or cores. Memory is all that is resident, " +
    "with the pages of the executable, and what is anonymous. Of pods that are made, a time is the bucket of the controller's own histogram, from the API server's review until its answer " +
    "is known, and CPU is of one pod, TLS included. Reviews are TokenReviews a proxy; the keys of proxies are made before.",
  columns: [
    { key: "ms", title: "median ms", digits: 0 },
    { key: "p99", title: "p99 ms", digits: 0 },
    { key: "cpuMs", title: "CPU ms", digits: 1 },
    { key: "cores", title: "cores", digits: 3 },
    { key: "reviews", title: "reviews", digits: 2 },
    { key: "mb", title: "MB", digits: 0 },
    { key: "anonymousMb", title: "anonymous MB", digits: 0 },
  ],
  compared: null,
  async measure(session) {
    const rows: Row[] = [];
    using _ = pinThisProcess(LOAD_CORES);
    // Large ones take minutes to make: a hasty run does without.
    for (const [variant, size] of isForResults(session.options) ? SIZES : SIZES.slice(0, 1)) {
      const isWhole = variant === CLUSTER.whole;
      console.error(`controller, ${variant}: a cluster is made`);
      const cluster = await LargeCluster.start(size);
      // What one part lacks is no reason to lose the others.
      const attempt = (part: string, work: Promise<void>) =>
        work.catch((error) => session.leaveOut(`${part}, ${variant}`, error));
      try {
        const tokens = await cluster.tokens(isWhole ? CROWD : size);
        const measuring = (shown: string) =>
          new Measuring(session, cluster, tokens, adder(rows, shown));
        await attempt("changes", measuring(variant).all(size));
        await attempt("certificates", measuring(variant).certificates(size));
        if (isWhole) await attempt(`${CROWD}`, measuring(CLUSTER.crowd).changes(CROWD));
      } finally {
        await cluster.stop();
      }
    }
    return rows;
  },
};

type Add = (measure: string, values: Row["values"]) => void;

function adder(rows: Row[], variant: string): Add {
  return (measure, values) => {
    console.error(`controller, ${measure}, ${variant}: ${JSON.stringify(values)}`);
    rows.push({ contender: measure, variant, values });
  };
}

/** The parts of what all proxies use. */
const SPLIT = routeKey(`${CLUSTER_NAMESPACE}/${serviceName(0)}`);
const GROUP = groupKey(`${CLUSTER_NAMESPACE}/${serviceName(0)}:80`);

/** One controller, and its proxies. */
class Measuring {
  readonly #session: Session;
  readonly #cluster: LargeCluster;
  readonly #crowd: ProxyCrowd;
  readonly #add: Add;
  #turn = 0;

  constructor(session: Session, cluster: LargeCluster, tokens: readonly string[], add: Add) {
    this.#session = session;
    this.#cluster = cluster;
    this.#crowd = new ProxyCrowd(cluster, tokens);
    this.#add = add;
  }

  /** With so many proxies. */
  all(proxies: number): Promise<void> {
    return this.#withController(proxies, async (controller) => {
      await this.#addRest(controller);
      await this.#addChanges(controller);
      await this.#addChurn(controller);
      await this.#addPods(controller);
    });
  }

  changes(proxies: number): Promise<void> {
    return this.#withController(proxies, async (controller) => {
      await this.#addRest(controller);
      await this.#addChanges(controller);
    });
  }

  /** All ask for certificates as soon as the controller is there, beside what they ask anyway. */
  async certificates(proxies: number): Promise<void> {
    const algorithm = { name: "ECDSA", namedCurve: "P-256" };
    const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    this.#crowd.growTo(proxies, keys);
    await this.#fromStart((proxy) => proxy.isCertified, async (values) => {
      const reviews = await this.#cluster.goodReviews() / proxies;
      this.#add(CONTROLLER_MEASURES.certified, { ...values, reviews });
    });
  }

  async #withController(
    proxies: number,
    work: (controller: PinnedProcess) => Promise<void>,
  ): Promise<void> {
    this.#crowd.growTo(proxies);
    await this.#fromStart((proxy) => proxy.isServed, async (values, controller) => {
      this.#add(CONTROLLER_MEASURES.cold, values);
      await work(controller);
    });
  }

  /** Proxies have been there before the controller. */
  async #fromStart(
    wanted: (proxy: LightConnection) => boolean,
    work: (values: Row["values"], controller: PinnedProcess) => Promise<void>,
  ): Promise<void> {
    const startMs = performance.now();
    const controller = this.#cluster.startController();
    try {
      const endMs = await this.#crowd.all(wanted);
      const values = {
        ms: endMs - startMs,
        cpuMs: controller.cpuSeconds() * 1_000,
        ...memoryOf(controller.memory()),
      };
      await work(values, controller);
    } finally {
      this.#crowd.stop();
      await controller.stop();
    }
  }

  /** Once garbage of the start has been collected. */
  async #addRest(controller: PinnedProcess): Promise<void> {
    const { seconds, rounds } = this.#session.options;
    await pause(10_000);
    const cores = await coresWhile(controller, () => pause(rounds * seconds * 1_000));
    const memory = memoryOf(await settledMemory(controller));
    this.#add(CONTROLLER_MEASURES.rest, { cores, ...memory });
  }

  async #addChanges(controller: PinnedProcess): Promise<void> {
    const count = this.#session.options.rounds * CHANGES;
    const weights = Array.from({ length: count }, () => () => this.#changeWeight());
    this.#add(CONTROLLER_MEASURES.weight, await costsOf(controller, weights));
    const removals = Array.from({ length: count }, () => async () => {
      const tookMs = await this.#remove();
      await this.#returnEndpoint();
      return tookMs;
    });
    this.#add(CONTROLLER_MEASURES.removal, await costsOf(controller, removals));
  }

  #changeWeight(): Promise<number> {
    const weight = 100 + this.#turn++;
    return this.#timed(() => this.#cluster.setWeight(0, weight), (proxy) => {
      const part = partOf(proxy, SPLIT);
      const backends = part !== undefined && "service" in part
        ? part.service?.ports[0]?.fallback.backends
        : undefined;
      return backends?.some((backend) => backend.weight === weight) === true;
    });
  }

  #remove(): Promise<number> {
    const change = () => this.#cluster.setEndpoints(0, this.#turn++ % CLUSTER_ENDPOINTS);
    return this.#timed(change, (proxy) => endpointsOf(proxy) === CLUSTER_ENDPOINTS - 1);
  }

  #returnEndpoint(): Promise<number> {
    const change = () => this.#cluster.setEndpoints(0);
    return this.#timed(change, (proxy) => endpointsOf(proxy) === CLUSTER_ENDPOINTS);
  }

  /** From the request until the last proxy has it in force. */
  async #timed(
    change: () => Promise<void>,
    wanted: (proxy: LightConnection) => boolean,
  ): Promise<number> {
    const all = this.#crowd.all(wanted);
    const startMs = performance.now();
    await change();
    return await all - startMs;
  }

  /** Pods of Services in turn become unready and ready again, as nodes and the endpoint controller report it. */
  async #addChurn(controller: PinnedProcess): Promise<void> {
    const { seconds, rounds } = this.#session.options;
    const { services } = this.#cluster;
    const under: Promise<void>[] = [];
    const timer = setInterval(() => {
      const [service, isReady] = [1 + (this.#turn >> 1) % (services - 1), this.#turn % 2 === 1];
      this.#turn++;
      under.push(this.#cluster.setPod(service, 0, isReady));
      under.push(this.#cluster.setEndpoints(service, isReady ? undefined : 0));
    }, POD_CHANGE_MS);
    const cores = await coresWhile(controller, () => pause(rounds * seconds * 1_000));
    clearInterval(timer);
    await Promise.all(under);
    this.#add(CONTROLLER_MEASURES.churn, { cores, ...memoryOf(controller.memory()) });
  }

  /** By the API server's webhook; the time is that of the controller alone, as it counts it. */
  async #addPods(controller: PinnedProcess): Promise<void> {
    await this.#cluster.askAboutPods();
    const before = controller.cpuSeconds();
    await this.#cluster.tryPods(PODS);
    const cpuMs = (controller.cpuSeconds() - before) * 1_000 / PODS;
    const [ms, p99] = [
      await this.#cluster.answeredWithinMs(0.5),
      await this.#cluster.answeredWithinMs(0.99),
    ];
    this.#add(CONTROLLER_MEASURES.pods, { ms, p99, cpuMs });
  }
}

function partOf(proxy: LightConnection, key: PartKey) {
  return proxy.held.get(key);
}

function endpointsOf(proxy: LightConnection): number {
  const part = partOf(proxy, GROUP);
  return part !== undefined && "endpoints" in part ? part.endpoints.length : 0;
}

/** @param changes each says how long it took */
async function costsOf(
  controller: PinnedProcess,
  changes: readonly (() => Promise<number>)[],
): Promise<Row["values"]> {
  const times: number[] = [];
  const before = controller.cpuSeconds();
  for (const change of changes) times.push(await change());
  const cpuMs = (controller.cpuSeconds() - before) * 1_000 / changes.length;
  const sorted = times.toSorted((a, b) => a - b);
  return { ms: median(times), p99: sorted[Math.floor(sorted.length * 0.99)], cpuMs };
}

async function coresWhile(process: PinnedProcess, work: () => Promise<void>): Promise<number> {
  const [startMs, before] = [performance.now(), process.cpuSeconds()];
  await work();
  return (process.cpuSeconds() - before) * 1_000 / (performance.now() - startMs);
}

function memoryOf({ residentKb, anonymousKb }: ReturnType<PinnedProcess["memory"]>) {
  return { mb: residentKb / 1_024, anonymousMb: anonymousKb / 1_024 };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
