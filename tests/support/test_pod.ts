/** TestPod: an application on loopback with a sidecar before it, as a caller's sidecar meets it. The application can end first. */
import type { RequestRecord } from "../../proxy/observe/request_record.ts";
import type { Proxy, ProxyTls } from "../../proxy/config.ts";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { type Driver, planOf } from "./test_proxy.ts";
import { timeoutsWith } from "./timeouts.ts";

export class TestPod {
  readonly #sidecar: Proxy;
  /** What its sidecar was asked, in order. */
  readonly asked: readonly RequestRecord[];

  private constructor(sidecar: Proxy, asked: readonly RequestRecord[]) {
    this.#sidecar = sidecar;
    this.asked = asked;
  }

  /** @param application where it listens, or once did */
  static async start(
    driver: Driver,
    application: { readonly port: number },
    tls?: ProxyTls,
  ): Promise<TestPod> {
    const asked: RequestRecord[] = [];
    const sidecar = await startProxy(
      {
        driver,
        workers: 1,
        outbound: [],
        inbound: [{
          address: "127.0.0.1",
          port: 0,
          application: { address: "127.0.0.1", port: application.port },
        }],
        admin: null,
        ...(tls === undefined ? {} : { tls }),
        timeouts: timeoutsWith(),
        bodyBytesMax: Infinity,
        reportRequests: true,
      },
      planOf([]),
      { onRequest: (record) => void asked.push(record) },
    );
    return new TestPod(sidecar, asked);
  }

  /** Of its sidecar. */
  get port(): number {
    return this.#sidecar.inbound[0].port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sidecar.stop();
  }
}
