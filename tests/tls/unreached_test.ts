// An application that is gone, behind a sidecar that is spoken to by mutual TLS.
import assert from "node:assert/strict";
import { headerOf, statusOf } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { closedPort } from "../support/free_port.ts";
import { TestPod } from "../support/test_pod.ts";
import { DRIVERS, TestProxy } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import {
  HAS_OPENSSL_COMMAND,
  HAS_PORTABLE_TLS,
  SERVER_ID,
  testCertificates,
} from "./certificates.ts";
import { mutual } from "./proxy_cases.ts";

for (const driver of DRIVERS) {
  for (const acceptsPlain of [false, true]) {
    Deno.test({
      name: `TLS (${driver}): a POST goes past an application that is gone, plain callers ${
        acceptsPlain ? "allowed" : "refused"
      }`,
      ignore: !HAS_OPENSSL_COMMAND || (driver === "portable" && !HAS_PORTABLE_TLS),
      // The native driver opens its libraries once for the life of the process.
      sanitizeResources: false,
      async fn() {
        const { authority, client: certificate } = testCertificates();
        const tls = { inbound: { ...mutual(), acceptsPlain } };
        await using app = new ScriptedOrigin(answering(({ body }) => ok(body)));
        await using dying = await TestPod.start(driver, closedPort(), tls);
        await using living = await TestPod.start(driver, app, tls);
        await using proxy = await TestProxy.start(driver, {
          tls: {
            upstream: {
              certificate,
              authority: { pem: authority.chainPem },
              target: { serverName: null, uriSans: [SERVER_ID] },
              minVersion: "1.2",
            },
          },
        });
        await proxy.route(dying, living);
        using client = await proxy.connect();
        // Both have a turn.
        for (let i = 0; i < 2; i++) {
          await client.send("POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 4\r\n\r\nbody");
          const answer = await client.readResponse();
          assert.deepEqual([statusOf(answer), answer.body], [200, "body"]);
          assert.equal(headerOf(answer, "x-weft-unreached"), undefined);
        }
        const asked = () => [dying.asked.length, living.asked.length].join();
        await until("both were asked", asked, (counts) => counts === "1,2");
      },
    });
  }
}
