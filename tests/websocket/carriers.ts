/** How a WebSocket is carried through the proxy: the same cases run over each of these. */
import type { TestProxy } from "../support/test_proxy.ts";
import type { TesterRole } from "./tester.ts";

export interface WebSocketCarrier {
  readonly name: string;
  /** Why it cannot be had here, or empty. */
  readonly obstacle: string;
  /** The ends of a line that HTTP/2 leads to. */
  readonly http2: readonly TesterRole[];
  /** Makes what it needs beside the proxy. */
  start(proxy: TestProxy): Promise<CarrierLine>;
}

export interface CarrierLine extends AsyncDisposable {
  /**
   * Routes host `app` to a server of RFC 6455 on this port of loopback.
   * @returns the port at which a client of RFC 6455 reaches it, through the proxy
   */
  open(serverPort: number): Promise<number>;
}

export const HTTP1_UPGRADE: WebSocketCarrier = {
  name: "HTTP/1.1 upgrade",
  obstacle: "",
  http2: [],
  start: (proxy) =>
    Promise.resolve({
      async open(serverPort) {
        await proxy.route({ port: serverPort });
        return proxy.port;
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
};
