/** ProxyCrowd: many light proxies of a large cluster in this process, and when the last of them has what is waited for. */
import { hostQuestion } from "../../routing/source/messages.ts";
import { CLUSTER_ENDPOINTS, CLUSTER_NAMESPACE, podName, serviceName } from "./cluster_objects.ts";
import type { LargeCluster } from "./large_cluster.ts";
import { LightConnection } from "./light_connection.ts";

/** Services that one application calls. */
export const PROXY_SERVICES = 20;

/** From one proxy that has it to the next: a machine on which that takes longer measures nothing. The first waits for all of the cluster to be read. */
const WAIT_MS = 120_000;

const LOOK_MS = 1_000;

/** What a proxy is to have. */
type Wanted = (proxy: LightConnection) => boolean;

interface Waiting {
  readonly wanted: Wanted;
  readonly missing: Set<LightConnection>;
  readonly resolve: (atMs: number) => void;
  /** When the last of those came that have it. */
  cameMs: number;
}

export class ProxyCrowd {
  readonly #cluster: LargeCluster;
  readonly #tokens: readonly string[];
  readonly #proxies: LightConnection[] = [];
  #waiting: Waiting | null = null;

  constructor(cluster: LargeCluster, tokens: readonly string[]) {
    this.#cluster = cluster;
    this.#tokens = tokens;
  }

  /**
   * All use the first Service, and others in turn.
   * @param keys by which they ask for certificates, all by the same: they are made on the core of the load; null: they ask for none
   */
  growTo(count: number, keys: CryptoKeyPair | null = null): void {
    const { services, streamPort, authority } = this.#cluster;
    for (let i = this.#proxies.length; i < count; i++) {
      const questions = Array.from({ length: PROXY_SERVICES }, (_, use) => {
        const service = use === 0 ? 0 : (i * PROXY_SERVICES + use) % services;
        return hostQuestion(CLUSTER_NAMESPACE, `${serviceName(service)}.${CLUSTER_NAMESPACE}`);
      });
      const proxy: LightConnection = new LightConnection({
        ...{ port: streamPort, authority, token: this.#tokens[i], namespace: CLUSTER_NAMESPACE },
        pod: podName(Math.floor(i / CLUSTER_ENDPOINTS), i % CLUSTER_ENDPOINTS),
        ...{ questions, keys },
        onChange: () => this.#changed(proxy),
      });
      this.#proxies.push(proxy);
    }
  }

  /** When the last of them has it, on the clock of this process. */
  all(wanted: Wanted): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const missing = new Set(this.#proxies.filter((proxy) => !wanted(proxy)));
    const waiting = this.#waiting = { wanted, missing, resolve, cameMs: performance.now() };
    const look = () => {
      if (performance.now() - waiting.cameMs < WAIT_MS) return;
      const [{ trouble }] = missing;
      reject(new Error(`${missing.size} proxies lack it: ${trouble || "none says why"}`));
    };
    const timer = setInterval(look, LOOK_MS);
    if (missing.size === 0) resolve(performance.now());
    return promise.finally(() => clearInterval(timer));
  }

  #changed(proxy: LightConnection): void {
    if (this.#waiting === null) return;
    const { wanted, missing, resolve } = this.#waiting;
    if (missing.has(proxy) && wanted(proxy)) {
      missing.delete(proxy);
      this.#waiting.cameMs = performance.now();
    }
    if (missing.size > 0) return;
    this.#waiting = null;
    resolve(performance.now());
  }

  stop(): void {
    for (const proxy of this.#proxies) proxy.stop();
  }
}
