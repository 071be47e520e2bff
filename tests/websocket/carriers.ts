/** How a WebSocket is carried through the proxy: the same cases run over each of these. */
import type { TestProxy } from "../support/test_proxy.ts";

export interface Carrier {
  readonly name: string;
  /**
   * Routes host `app` to a WebSocket server on this port of loopback.
   * @returns the port at which a client of RFC 6455 reaches it, through the proxy
   */
  open(proxy: TestProxy, serverPort: number): Promise<{ readonly port: number } & AsyncDisposable>;
}

export const HTTP1_UPGRADE: Carrier = {
  name: "HTTP/1.1 upgrade",
  async open(proxy, serverPort) {
    await proxy.route({ port: serverPort });
    return { port: proxy.port, [Symbol.asyncDispose]: () => Promise.resolve() };
  },
};
