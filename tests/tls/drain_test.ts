/** A drain of a proxy whose callers may do without TLS: until its first byte, a client is of neither kind. */
import assert from "node:assert/strict";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { RawSocket, statusOf } from "../support/raw_socket.ts";
import { DRIVERS, planOf } from "../support/test_proxy.ts";
import { PATIENT_TIMEOUTS } from "../support/timeouts.ts";
import { soon, until } from "../support/until.ts";
import { HAS_OPENSSL_COMMAND, HAS_PORTABLE_TLS } from "./certificates.ts";
import { mutual } from "./proxy_cases.ts";

const place = { address: "127.0.0.1", port: 0 };

for (const driver of DRIVERS) {
  Deno.test({
    name:
      `TLS, proxy (${driver}): a client that has only connected when a drain begins is still served`,
    ignore: !HAS_OPENSSL_COMMAND || (driver === "portable" && !HAS_PORTABLE_TLS),
    sanitizeResources: false,
    async fn() {
      const onListen = () => {};
      const origin = Deno.serve({ ...place, hostname: place.address, onListen }, () => {
        return new Response("hello");
      });
      const proxy = await startProxy({
        driver,
        workers: 1,
        outbound: [{ ...place, namespace: "default", identity: "", seed: null }],
        inbound: [{ ...place, application: { ...place, port: origin.addr.port } }],
        admin: place,
        tls: { inbound: { ...mutual(), acceptsPlain: true } },
        timeouts: PATIENT_TIMEOUTS,
        bodyBytesMax: Infinity,
        reportRequests: false,
      }, planOf([origin.addr.port]));
      const metrics = async () =>
        await (await fetch(`http://127.0.0.1:${proxy.admin?.port}/metrics`)).text();
      using client = await RawSocket.connect(proxy.inbound[0].port);
      await until("it is there", metrics, (text) => text.includes("weft_connections_open 1\n"));
      const drained = proxy.drain();
      await client.send("GET / HTTP/1.1\r\nHost: app\r\n\r\n");
      assert.equal(statusOf(await client.readResponse()), 200);
      await soon("the drain's end", drained);
      await origin.shutdown();
    },
  });
}
