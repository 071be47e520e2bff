/** Clients that are not ours, curl, nghttp and h2load, against the proxy while plans are swapped under it. */
import assert from "node:assert/strict";
import { textOf } from "../support/bytes_notation.ts";
import { hasCommand } from "../support/commands.ts";
import { DRIVERS, TestProxy } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import { routeTo, VERSIONS } from "./http2_cases.ts";
import { NodeOrigin } from "./node_peers.ts";
import type { Version } from "./node_peers.ts";
import { NodePackages } from "./node_packages.ts";
import { HAS_NODE, NodeProcess } from "./node_process.ts";

const MISSING = ["node", "curl", "nghttp", "h2load"].filter((command) => !hasCommand(command));
const APP = ["-H", ":authority: app"];

for (const driver of DRIVERS) {
  Deno.test({
    name: `HTTP/2 tools (${driver})${
      MISSING.length === 0 ? "" : `: no ${MISSING.join(", no ")} here`
    }`,
    ignore: MISSING.length > 0 || !HAS_NODE,
    async fn(test) {
      await using proxy = await TestProxy.start(driver);
      await using folder = await NodePackages.install([]);
      await using node = new NodeProcess(folder.path);
      const url = `http://127.0.0.1:${proxy.port}`;
      await test.step("curl", async () => {
        await using origin = await NodeOrigin.start(node, "h2");
        await proxy.routeHttp2(origin);
        const curl = await outputOf("curl", [
          ...["-sS", "--http2-prior-knowledge", "-H", "host: app", "-d", "x=1", `${url}/report`],
          ...["-w", "\n%{http_code} %{http_version}"],
        ]);
        const [body, status] = curl.split("\n");
        assert.equal(status, "200 2");
        assert.equal(JSON.parse(body).length, 3);
      });
      await test.step("nghttp: a tree of priorities, padding, heads in CONTINUATIONs", async () => {
        await using origin = await NodeOrigin.start(node, "h2");
        await proxy.routeHttp2(origin);
        const small = [...APP, `${url}/bytes?count=5`];
        assert.equal((await outputOf("nghttp", small)).length, 5);
        assert.equal((await outputOf("nghttp", ["--padding=200", ...small])).length, 5);
        assert.match(await outputOf("nghttp", ["-nv", "--continuation", ...small]), /:status: \d/);
      });
      for (const endpoint of VERSIONS) {
        await test.step(`h2load to ${endpoint}, while plans are swapped: nothing fails`, async () => {
          const load = ["-n", "6000", "-c", "4", "-m", "50", ...APP, `${url}/bytes?count=500`];
          await swapping(proxy, node, endpoint, async () => {
            assert.match(await outputOf("h2load", load), /6000 succeeded, 0 failed, 0 errored/);
          });
        });
        await test.step(`nghttp to ${endpoint}, while plans are swapped: all that was asked for`, async () => {
          const ask = [
            ...["-m", "200", "-w", "14", "-b", "16"],
            ...APP,
            `${url}/bytes?count=10000`,
          ];
          await swapping(proxy, node, endpoint, async () => {
            for (let i = 0; i < 5; i++) {
              assert.equal((await outputOf("nghttp", ask)).length, 200 * 10_000);
            }
          });
        });
      }
      await proxy.checkNothingLeft();
    },
  });
}

/** Runs `work` while host `app` goes to one endpoint and then to the other, again and again; both must get some of it. */
async function swapping(
  proxy: TestProxy,
  node: NodeProcess,
  version: Version,
  work: () => Promise<void>,
): Promise<void> {
  await using one = await NodeOrigin.start(node, version);
  await using other = await NodeOrigin.start(node, version);
  await routeTo(proxy, version, one);
  let isDone = false;
  let swaps = 0;
  const swapped = (async () => {
    while (!isDone) {
      const origin = swaps++ % 2 === 0 ? other : one;
      const before = (await origin.counts()).requests;
      await routeTo(proxy, version, origin);
      await until(
        "a request",
        () => origin.counts(),
        ({ requests }) => isDone || requests > before,
      );
    }
  })();
  try {
    // Again, where the machine swaps more slowly than the tool asks.
    for (let rounds = 0; rounds < 20 && swaps <= 5; rounds++) await work();
  } finally {
    isDone = true;
    await swapped;
  }
  assert.ok(swaps > 5, `${swaps} swaps`);
  for (const origin of [one, other]) assert.ok((await origin.counts()).requests > 0);
}

/** What a command prints, one character a byte. */
async function outputOf(command: string, args: readonly string[]): Promise<string> {
  const { stdout } = await new Deno.Command(command, { args: [...args] }).output();
  return textOf(stdout);
}
