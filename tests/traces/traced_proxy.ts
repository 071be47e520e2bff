/** A proxy that sends spans, whose outbound listener leads to host `app`: through its own inbound listener, or straight there. */
import type { Plan } from "../../routing/plan.ts";
import type { Proxy, ProxyConfig, SpanExport } from "../../proxy/config.ts";
import type { RequestRecord } from "../../proxy/observe/request_record.ts";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { planOf } from "../support/test_proxy.ts";
import type { Driver } from "../support/test_proxy.ts";
import { PATIENT_TIMEOUTS } from "../support/timeouts.ts";

const EXPORT: SpanExport = {
  url: "",
  headers: [["x-token", "secret"]],
  resource: { "service.name": "web" },
  queueMax: 2_048,
  batchMax: 512,
  delayMs: 20,
  timeoutMs: 5_000,
};

interface TracedOptions {
  readonly driver: Driver;
  readonly workers?: number;
  readonly share?: number;
  /** Null: no spans. */
  readonly spans: Partial<SpanExport> | null;
  /** The port of the application behind the inbound listener; 0: none is there. */
  readonly application?: number;
  readonly plan?: Plan;
  readonly reportRequests?: boolean;
}

export class TracedProxy {
  readonly proxy: Proxy;
  readonly records: readonly RequestRecord[];
  readonly logged: readonly string[];

  private constructor(proxy: Proxy, records: RequestRecord[], logged: string[]) {
    this.proxy = proxy;
    this.records = records;
    this.logged = logged;
  }

  static async start(options: TracedOptions): Promise<TracedProxy> {
    const { driver, workers = 1, share = 1, spans, application = 0, plan } = options;
    const config: ProxyConfig = {
      driver,
      workers,
      outbound: [{ address: "127.0.0.1", port: 0, namespace: "default", identity: "", seed: null }],
      inbound: [{
        address: "127.0.0.1",
        port: 0,
        application: { address: "127.0.0.1", port: application },
      }],
      admin: { address: "127.0.0.1", port: 0 },
      timeouts: PATIENT_TIMEOUTS,
      bodyBytesMax: Infinity,
      traceShare: share,
      ...(spans === null ? {} : { spans: { ...EXPORT, ...spans } }),
      reportRequests: options.reportRequests ?? true,
    };
    const records: RequestRecord[] = [];
    const logged: string[] = [];
    const proxy = await startProxy(config, plan ?? planOf([]), {
      onRequest: (record) => void records.push(record),
      onLog: (_level, message) => void logged.push(message),
    });
    return new TracedProxy(proxy, records, logged);
  }

  /** Where clients send their requests. */
  get port(): number {
    return this.proxy.outbound[0].port;
  }

  /** Host `app` is behind the inbound listener of this same proxy. */
  async routeThroughInbound(protocol: "http" | "http2" | "grpc"): Promise<void> {
    await this.proxy.apply(planOf([this.proxy.inbound[0].port], protocol));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy.stop();
  }
}
