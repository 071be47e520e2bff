/**
 * TestProxy: the real proxy in front of endpoints on loopback, for tests through sockets. The host `app` (port 80)
 * goes to the endpoints that a test names.
 */
import assert from "node:assert/strict";
import { compile } from "../../routing/compile/compile.ts";
import type { Plan } from "../../routing/plan.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import type { Proxy, ProxyTimeouts, ProxyTls } from "../../proxy/config.ts";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { readPrometheus, type Sample } from "./prometheus_text.ts";
import { RawSocket } from "./raw_socket.ts";
import { timeoutsWith } from "./timeouts.ts";
import { soon, until } from "./until.ts";

export type Driver = "native" | "portable";

/** The drivers that work here; a test that runs on fewer than both says so. */
export const DRIVERS: readonly Driver[] = Deno.build.os === "linux"
  ? ["native", "portable"]
  : ["portable"];

export interface TestProxyOptions {
  readonly timeouts?: Partial<ProxyTimeouts>;
  readonly headBytesMax?: number;
  readonly bodyBytesMax?: number;
  readonly workers?: number;
  readonly tls?: ProxyTls;
  /** Whether there is a second listener, `relayPort`, whose connections go to host `app` as they are. */
  readonly relays?: boolean;
}

/** A plan that sends host `app` to these ports of 127.0.0.1. The port's name may say what it speaks, such as `http2`. */
export function planOf(ports: readonly number[], name = "http"): Plan {
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "app", namespace: "default" },
    spec: { ports: [{ name, port: 80 }] },
  };
  const slices = ports.map((port, i) => ({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    addressType: "IPv4",
    metadata: {
      name: `app-${i}`,
      namespace: "default",
      labels: { "kubernetes.io/service-name": "app" },
    },
    ports: [{ name, port }],
    endpoints: [{ addresses: ["127.0.0.1"] }],
  }));
  const text = [service, ...slices].map((document) => JSON.stringify(document)).join("\n---\n");
  const { snapshot, findings } = parseManifests([{ name: "app.yaml", text }]);
  assert.deepEqual(findings, []);
  return compile(snapshot).plan;
}

/** A case waits for more than one thing. */
const CASE_PATIENCE = 4;
const LISTENER = {
  address: "127.0.0.1",
  port: 0,
  namespace: "default",
  identity: "",
  seed: null,
};
const APP = { namespace: "default", service: "app", port: 80 };

export class TestProxy {
  readonly #proxy: Proxy;
  readonly #adminPort: number;

  private constructor(proxy: Proxy) {
    this.#proxy = proxy;
    this.#adminPort = proxy.admin?.port ?? 0;
  }

  static async start(driver: Driver, options: TestProxyOptions = {}): Promise<TestProxy> {
    const proxy = await startProxy({
      driver,
      workers: options.workers ?? 1,
      outbound: options.relays === true ? [LISTENER, { ...LISTENER, tcp: APP }] : [LISTENER],
      inbound: [],
      admin: { address: "127.0.0.1", port: 0 },
      ...(options.tls === undefined ? {} : { tls: options.tls }),
      timeouts: timeoutsWith(options.timeouts),
      ...(options.headBytesMax === undefined ? {} : { headBytesMax: options.headBytesMax }),
      bodyBytesMax: options.bodyBytesMax ?? Infinity,
      reportRequests: false,
    }, planOf([]));
    return new TestProxy(proxy);
  }

  get port(): number {
    return this.#proxy.outbound[0].port;
  }

  get relayPort(): number {
    return this.#proxy.outbound[1].port;
  }

  get proxy(): Proxy {
    return this.#proxy;
  }

  /** Sends host `app` to these endpoints from now on. */
  async route(...endpoints: { readonly port: number }[]): Promise<void> {
    await this.#proxy.apply(planOf(endpoints.map(({ port }) => port)));
  }

  /** The same, to endpoints that speak HTTP/2. */
  async routeHttp2(...endpoints: { readonly port: number }[]): Promise<void> {
    await this.#proxy.apply(planOf(endpoints.map(({ port }) => port), "http2"));
  }

  connect(): Promise<RawSocket> {
    return RawSocket.connect(this.port);
  }

  async #metrics(): Promise<string> {
    return await (await fetch(`http://127.0.0.1:${this.#adminPort}/metrics`)).text();
  }

  /** The sum of all series of a metric. */
  async metric(name: string): Promise<number> {
    const text = await this.#metrics();
    const lines = text.split("\n").filter((line) => line.startsWith(name) && !line.startsWith("#"));
    return lines.map((line) => Number(line.split(" ").at(-1))).reduce(
      (sum, value) => sum + value,
      0,
    );
  }

  /** Everything that the metrics say, as a scraper would read it. */
  async samples(): Promise<Sample[]> {
    return readPrometheus(await this.#metrics());
  }

  /** Waits until a metric has a value. */
  async untilMetric(name: string, value: number): Promise<void> {
    await until(`${name} ${value}`, () => this.metric(name), (seen) => seen === value);
  }

  /** Waits until no client is left, and then wants every buffer and socket back, and no fault counted. */
  async checkNothingLeft(): Promise<void> {
    await this.untilMetric("weft_connections_open", 0);
    await this.#proxy.apply(planOf([]));
    await this.untilMetric("weft_upstream_connections_open", 0);
    await this.untilMetric("weft_buffers_lent", 0);
    assert.equal(await this.metric("weft_faults_total"), 0, "A handler threw");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#proxy.stop();
  }
}

/** One thing that the proxy does, shown on every driver. */
export interface ProxyCase {
  readonly name: string;
  /** Why the case cannot be shown here, or empty. */
  readonly skip?: (driver: Driver) => string;
  run(proxy: TestProxy): Promise<void>;
}

/** Runs cases one after another through one proxy for each driver; nothing may be left after any of them. */
export function testThroughProxy(
  subject: string,
  cases: readonly ProxyCase[],
  options: TestProxyOptions = {},
): void {
  for (const driver of DRIVERS) {
    Deno.test({
      name: `proxy (${driver}): ${subject}`,
      // The proxy outlives each step; what is left of it is checked by `checkNothingLeft`.
      sanitizeOps: false,
      sanitizeResources: false,
      async fn(test) {
        await using proxy = await TestProxy.start(driver, options);
        for (const { name, skip, run } of cases) {
          const reason = skip?.(driver) ?? "";
          await test.step({
            name: reason === "" ? name : `${name} (skipped: ${reason})`,
            ignore: reason !== "",
            async fn() {
              await soon(`the end of "${name}"`, run(proxy), CASE_PATIENCE);
              await proxy.checkNothingLeft();
            },
          });
        }
      },
    });
  }
}
