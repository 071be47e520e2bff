/** A sidecar that resumes sessions, and another one that takes them back: trust has changed since they began. */
import assert from "node:assert/strict";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { RawSocket, statusOf } from "../support/raw_socket.ts";
import { planOf } from "../support/test_proxy.ts";
import { PATIENT_TIMEOUTS } from "../support/timeouts.ts";
import { until } from "../support/until.ts";
import {
  HAS_OPENSSL_COMMAND,
  HAS_PORTABLE_TLS,
  SERVER_ID,
  testCertificates,
} from "./certificates.ts";

Deno.test({
  name:
    "TLS, native to portable: a session that is taken back costs one connection, not all that follow",
  ignore: !HAS_OPENSSL_COMMAND || !HAS_PORTABLE_TLS || Deno.build.os !== "linux",
  // The library stays open.
  sanitizeResources: false,
  async fn() {
    const { authority, otherAuthority, server, client } = testCertificates();
    const place = { address: "127.0.0.1", port: 0 };
    const common = {
      workers: 1,
      timeouts: { ...PATIENT_TIMEOUTS, upstreamIdleMs: 1 },
      bodyBytesMax: Infinity,
      reportRequests: false,
    };
    await using application = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      () => new Response("hello\n"),
    );
    const trusting = (pem: string) => ({
      inbound: {
        certificate: server,
        clientCertificate: "required" as const,
        clientAuthority: { pem },
        minVersion: "1.2" as const,
        ticketKeys: null,
      },
    });
    const called = await startProxy({
      ...common,
      driver: "portable",
      outbound: [],
      inbound: [{ ...place, application: { address: "127.0.0.1", port: application.addr.port } }],
      admin: null,
      tls: trusting(authority.chainPem),
    }, planOf([]));
    const caller = await startProxy({
      ...common,
      driver: "native",
      outbound: [{ ...place, namespace: "default", identity: "", seed: null }],
      inbound: [],
      admin: place,
      tls: {
        upstream: {
          certificate: client,
          authority: { pem: authority.chainPem },
          target: { serverName: null, uriSans: [SERVER_ID] },
          minVersion: "1.2",
        },
      },
    }, planOf([]));
    const metric = async (name: string) => {
      const text = await (await fetch(`http://127.0.0.1:${caller.admin?.port}/metrics`)).text();
      return Number(text.split("\n").find((line) => line.startsWith(`${name} `))?.split(" ")[1]);
    };
    await caller.apply(planOf([called.inbound[0].port]));
    /** A request over a connection of its own to the other sidecar. */
    const ask = async () => {
      await until(
        "no connection",
        () => metric("weft_upstream_connections_open"),
        (open) => open === 0,
      );
      using socket = await RawSocket.connect(caller.outbound[0].port);
      await socket.send("GET / HTTP/1.1\r\nHost: app\r\n\r\n");
      return statusOf(await socket.readResponse());
    };
    try {
      assert.equal(await ask(), 200);
      assert.equal(await ask(), 200);
      assert.equal(await metric("weft_tls_resumptions_total"), 1);
      // The client is as trusted as before; its session's certificate has not been verified.
      await called.replaceCertificates(trusting(authority.chainPem + otherAuthority.chainPem));
      assert.deepEqual([await ask(), await ask(), await ask()], [502, 200, 200]);
      assert.equal(await metric("weft_tls_resumptions_total"), 3);
      assert.equal(await metric("weft_tls_handshakes_total"), 5);
    } finally {
      await caller.stop();
      await called.stop();
    }
  },
});
