/** Cases through the real proxy with peers in Node, on every driver. */
import { DRIVERS, TestProxy } from "../support/test_proxy.ts";
import type { TestProxyOptions } from "../support/test_proxy.ts";
import { HAS_NODE, NodeProcess } from "./node_process.ts";
import { NodePackages } from "./node_packages.ts";
import type { NodeOrigin, Version } from "./node_peers.ts";

export interface Http2Case {
  readonly name: string;
  run(proxy: TestProxy, node: NodeProcess): Promise<void>;
}

export const VERSIONS: readonly Version[] = ["h1", "h2"];

interface Http2CaseOptions extends TestProxyOptions {
  /** Packages that Node has, by their names in deno.json. */
  readonly packages?: readonly string[];
}

/** Runs cases one after another through one proxy for each driver; nothing may be left after any of them. */
export function testHttp2(
  subject: string,
  cases: readonly Http2Case[],
  { packages = [], ...options }: Http2CaseOptions = {},
): void {
  for (const driver of DRIVERS) {
    Deno.test({
      name: `${subject} (${driver})${HAS_NODE ? "" : ": needs Node"}`,
      ignore: !HAS_NODE,
      // The proxy outlives each step; what is left of it is checked by `checkNothingLeft`.
      sanitizeOps: false,
      sanitizeResources: false,
      async fn(test) {
        await using proxy = await TestProxy.start(driver, options);
        await using folder = await NodePackages.install(packages);
        await using node = new NodeProcess(folder.path);
        for (const { name, run } of cases) {
          await test.step(name, async () => {
            await run(proxy, node);
            await proxy.checkNothingLeft();
          });
        }
      },
    });
  }
}

/** Sends host `app` to these endpoints, by what they speak. */
export async function routeTo(
  proxy: TestProxy,
  version: Version,
  ...origins: readonly Pick<NodeOrigin, "port">[]
): Promise<void> {
  if (version === "h2") await proxy.routeHttp2(...origins);
  else await proxy.route(...origins);
}
