/** h2spec through the whole proxy: its inbound listener, in front of an application that speaks HTTP/2. */
import { DEFAULT_TIMEOUTS } from "../../proxy/config.ts";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { H2spec } from "../support/h2spec.ts";
import { DRIVERS, planOf } from "../support/test_proxy.ts";
import { NodeOrigin } from "./node_peers.ts";
import { NodePackages } from "./node_packages.ts";
import { HAS_NODE, NodeProcess } from "./node_process.ts";

/** The port speaks HTTP/1.1 as well: a client that begins in neither is told so in HTTP/1.1, which h2spec takes for a bad frame. */
const EXCUSED = ["Sends invalid connection preface"];

const h2spec = await H2spec.build();

Deno.test({
  name: `HTTP/2 through the proxy passes h2spec, strict cases too${HAS_NODE ? "" : ": needs Node"}`,
  ignore: h2spec.reason !== "" || !HAS_NODE,
  async fn(test) {
    await using suite = h2spec;
    await using folder = await NodePackages.install([]);
    await using node = new NodeProcess(folder.path);
    await using origin = await NodeOrigin.start(node, "h2");
    for (const driver of DRIVERS) {
      await test.step(driver, async () => {
        const application = { address: "127.0.0.1", port: origin.port };
        const proxy = await startProxy({
          driver,
          workers: 1,
          outbound: [],
          inbound: [{ address: "127.0.0.1", port: 0, application }],
          admin: null,
          timeouts: DEFAULT_TIMEOUTS,
          bodyBytesMax: Infinity,
          reportRequests: false,
        }, planOf([]));
        try {
          await suite.check(proxy.inbound[0].port, EXCUSED);
        } finally {
          await proxy.stop();
        }
      });
    }
  },
});
