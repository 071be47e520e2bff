/**
 * Two sidecars of a mesh: what goes between them is mutual TLS, with everything else plain beside it. Certificates come late and are
 * replaced while requests go through.
 */
import assert from "node:assert/strict";
import type { Plan } from "../../routing/plan.ts";
import { hasCommand } from "../support/commands.ts";
import { readPrometheus } from "../support/prometheus_text.ts";
import { RawSocket, statusOf } from "../support/raw_socket.ts";
import { DRIVERS } from "../support/test_proxy.ts";
import {
  certificateFor,
  CLIENT_ID,
  HAS_OPENSSL_COMMAND,
  SERVER_ID,
  testCertificates,
} from "./certificates.ts";
import { ANSWERED, isReady, meshOf, meshPlan, startTlsApplication, TlsMesh } from "./mesh_lab.ts";

// Where there is a mesh, connections are captured, which only the native driver can.
for (const driver of DRIVERS.filter((each) => each === "native")) {
  const ignore = !HAS_OPENSSL_COMMAND || !hasCommand("curl");

  Deno.test({
    name:
      `mesh (${driver}): plain until there are certificates, then mutual TLS, and no request lost`,
    ignore,
    async fn() {
      await using application = startTlsApplication();
      await using mesh = await TlsMesh.start(driver, application.addr.port);
      const { authority, otherAuthority, impostor } = testCertificates();
      const [own, other] = [certificateFor(`URI:${CLIENT_ID}`), certificateFor(`URI:${SERVER_ID}`)];
      assert.deepEqual(await mesh.get(), ANSWERED);
      assert.deepEqual(await mesh.get("http://app:81/"), ANSWERED);
      assert.deepEqual(await isReady(mesh.server), [503, "not ready: waiting for a certificate\n"]);
      await mesh.server.replaceCertificates(meshOf(other, authority));
      assert.deepEqual(await isReady(mesh.server), [200, "ready\n"]);
      assert.deepEqual(await mesh.get(), ANSWERED);
      await mesh.client.replaceCertificates(meshOf(own, authority));
      assert.deepEqual(await mesh.get(), ANSWERED);
      assert.deepEqual(await mesh.get("http://app:81/"), ANSWERED);
      assert.equal(await mesh.lastCaller(5), "default/client");
      assert.deepEqual(
        mesh.served.map(({ source }) => source),
        ["", "", "", "default/client", "default/client"],
      );
      // Another authority: both are trusted by all before one signs with it.
      const both = [authority, otherAuthority];
      await mesh.client.replaceCertificates(meshOf(own, ...both));
      await mesh.server.replaceCertificates(meshOf(other, ...both));
      await mesh.client.replaceCertificates(meshOf(impostor, ...both));
      assert.deepEqual(await mesh.get(), ANSWERED);
      assert.equal(await mesh.lastCaller(6), "default/client");
    },
  });

  Deno.test({
    name: `mesh (${driver}): a server that speaks first is heard at once, by whom the plan names`,
    ignore,
    async fn() {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const greeting = (async () => {
        for await (const connection of listener) {
          await connection.write(new TextEncoder().encode("220 ready\n"));
          await connection.closeWrite();
          // What is left to be read makes an orderly end a reset.
          await new Response(connection.readable).text().catch(() => {});
        }
      })();
      await using mesh = await TlsMesh.start(driver, listener.addr.port);
      const { authority } = testCertificates();
      const [own, other] = [certificateFor(`URI:${CLIENT_ID}`), certificateFor(`URI:${SERVER_ID}`)];
      await mesh.server.replaceCertificates(meshOf(other, authority));
      await mesh.client.replaceCertificates(meshOf(own, authority));
      assert.equal(await mesh.hear(), "220 ready\n");
      assert.equal(await mesh.lastCaller(1), "default/client");
      listener.close();
      await greeting;
    },
  });

  Deno.test({
    name: `mesh (${driver}): nothing goes to another identity than the plan names`,
    ignore,
    async fn() {
      await using application = startTlsApplication();
      await using mesh = await TlsMesh.start(driver, application.addr.port);
      const { authority, impostor } = testCertificates();
      const [own, other] = [certificateFor(`URI:${CLIENT_ID}`), certificateFor(`URI:${SERVER_ID}`)];
      const { port } = mesh.server.inbound[0];
      await mesh.server.replaceCertificates(meshOf(other, authority));
      await mesh.client.replaceCertificates(meshOf(own, authority));
      await mesh.client.apply(meshPlan(port, { account: "stranger" }));
      assert.deepEqual((await mesh.get()).slice(0, 2), [503, "upstream-tls-failed"]);
      await mesh.client.apply(meshPlan(port));
      assert.deepEqual(await mesh.get(), ANSWERED);
      // A pod without a sidecar, by the plan, is spoken to in plain.
      await mesh.client.apply(meshPlan(port, { mutualTls: false }));
      assert.deepEqual(await mesh.get(), ANSWERED);
      assert.equal(await mesh.lastCaller(2), "");
      await mesh.client.apply(meshPlan(port));
      // Of an authority that is not trusted.
      await mesh.client.replaceCertificates(meshOf(impostor, authority));
      assert.equal((await mesh.get("http://app:81/"))[0], 503);
      assert.equal(mesh.served.length, 2);
    },
  });

  Deno.test({
    name: `mesh (${driver}): who must come by mutual TLS, switched while connections are open`,
    ignore,
    async fn() {
      await using application = startTlsApplication();
      await using mesh = await TlsMesh.start(driver, application.addr.port);
      const { port } = mesh.server.inbound[0];
      const { authority } = testCertificates();
      const client = certificateFor(`URI:${CLIENT_ID}`);
      const server = certificateFor(`URI:${SERVER_ID}`);
      await mesh.server.replaceCertificates(meshOf(server, authority));
      const strict = (mtls: NonNullable<Plan["mtls"]>) =>
        mesh.server.apply({ ...meshPlan(1), mtls });
      const plain = await RawSocket.connect(port);
      /** The status of the next request of one connection. */
      const status = async (path: string, method = "GET") => {
        await plain.send(`${method} ${path} HTTP/1.1\r\nHost: app\r\n\r\n`);
        return statusOf(await plain.readResponse());
      };
      assert.equal(await status("/"), 200);
      await strict({ mesh: "strict", namespaces: {} });
      assert.equal(await status("/"), 403);
      assert.equal(await status("/healthz"), 200);
      assert.equal(await status("/healthz", "POST"), 403);
      assert.equal(await status("/grpc.health.v1.Health/Check", "POST"), 200);
      assert.equal(await status("/grpc.health.v1.Health/Check"), 403);
      await strict({ mesh: "strict", namespaces: { default: "permissive" } });
      assert.equal(await status("/"), 200);
      await strict({ namespaces: { default: `permissive,${application.addr.port}=strict` } });
      assert.equal(await status("/"), 403);
      assert.deepEqual((await mesh.get()).slice(0, 2), [403, "mtls-required"]);
      await mesh.client.replaceCertificates(meshOf(client, authority));
      assert.deepEqual(await mesh.get(), ANSWERED);
      await strict({ mesh: "permissive", namespaces: { other: "strict" } });
      assert.equal(await status("/"), 200);
      plain.close();
      const metrics = await (await fetch(`http://127.0.0.1:${mesh.server.admin?.port}/metrics`))
        .text();
      const counted = (name: string) =>
        readPrometheus(metrics).filter((each) => each.name === name)
          .map(({ labels, value }) => [...Object.values(labels), value].join(" ")).sort();
      assert.deepEqual(counted("weft_inbound_denied_total"), [
        "127.0.0.1 default/server mtls-required 5",
      ]);
      assert.deepEqual(counted("weft_inbound_plaintext_total"), [
        "127.0.0.1 accepted 3",
        "127.0.0.1 refused 5",
      ]);
    },
  });
}
