/** Cases through the real proxy with peers in Node, on every driver. */
import { testThroughProxy } from "../support/test_proxy.ts";
import type { ProxyCase, TestProxy, TestProxyOptions } from "../support/test_proxy.ts";
import { HAS_NODE, NodeProcess } from "./node_process.ts";
import type { NodeOrigin, Version } from "./node_peers.ts";

export interface Http2Case {
  readonly name: string;
  run(proxy: TestProxy, node: NodeProcess): Promise<void>;
}

export const VERSIONS: readonly Version[] = ["h1", "h2"];

/** Runs cases one after another through one proxy for each driver; nothing may be left after any of them. */
export function testHttp2(
  subject: string,
  cases: readonly Http2Case[],
  options: TestProxyOptions = {},
): void {
  if (!HAS_NODE) {
    Deno.test({ name: `${subject}: needs Node`, ignore: true, fn() {} });
    return;
  }
  const bound = cases.map(({ name, run }): ProxyCase => ({
    name,
    async run(proxy) {
      // One process a case: nothing of one can be seen in another.
      await using node = new NodeProcess();
      await run(proxy, node);
    },
  }));
  testThroughProxy(subject, bound, options);
}

/** Sends host `app` to this endpoint, by what it speaks. */
export async function routeTo(
  proxy: TestProxy,
  version: Version,
  ...origins: readonly Pick<NodeOrigin, "port">[]
): Promise<void> {
  if (version === "h2") await proxy.routeHttp2(...origins);
  else await proxy.route(...origins);
}
