/**
 * Every protocol under mutual TLS, in both directions, with peers in Node: HTTP/2 and what becomes of it where the endpoint has only
 * HTTP/1.1, gRPC, WebSocket, and connections that are relayed whole. curl is in `proxy_clients_test.ts`, nginx in `proxy_endpoints_test.ts`.
 */
import assert from "node:assert/strict";
import type { Proxy } from "../../proxy/config.ts";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { HAS_NODE, NodeProcess } from "../http2/node_process.ts";
import { NodePackages } from "../http2/node_packages.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { type Driver, DRIVERS, planOf } from "../support/test_proxy.ts";
import { PATIENT_TIMEOUTS } from "../support/timeouts.ts";
import { until } from "../support/until.ts";
import {
  CLIENT_ID,
  HAS_OPENSSL_COMMAND,
  HAS_PORTABLE_TLS,
  SERVER_ID,
  type TestCertificate,
  testCertificates,
} from "./certificates.ts";
import { hasCommand, runCommand } from "../support/commands.ts";
import {
  callByGrpc,
  callByHttp2,
  type Credentials,
  type EndpointKind,
  startEndpoint,
  stopEndpoint,
  talkByWebSocket,
} from "./node_peers.ts";

function credentials({ chainFile, keyFile }: TestCertificate): Credentials {
  return { cert: chainFile, key: keyFile, ca: testCertificates().authority.chainFile };
}

interface Running {
  readonly node: NodeProcess;
  readonly proxy: Proxy;
  metrics(): Promise<string>;
}

/** A proxy whose inbound side leads to `applicationPort`, and whose outbound side shows the certificate of `client`. */
async function startMutual(driver: Driver, applicationPort: number): Promise<Proxy> {
  const place = { address: "127.0.0.1", port: 0 };
  const { authority, server, client } = testCertificates();
  const trusted = { pem: authority.chainPem };
  const outbound = { ...place, namespace: "default", identity: "", seed: null };
  const tcp = { namespace: "default", service: "app", port: 80 };
  return await startProxy({
    driver,
    workers: 1,
    outbound: [outbound, { ...outbound, tcp }],
    inbound: [{ ...place, application: { address: "127.0.0.1", port: applicationPort } }],
    admin: place,
    tls: {
      inbound: {
        certificate: server,
        clientCertificate: "required",
        clientAuthority: trusted,
        minVersion: "1.2",
        ticketKeys: null,
      },
      upstream: {
        certificate: client,
        authority: trusted,
        target: { serverName: null, uriSans: [SERVER_ID] },
        minVersion: "1.2",
      },
    },
    timeouts: PATIENT_TIMEOUTS,
    bodyBytesMax: Infinity,
    reportRequests: false,
  }, planOf([]));
}

interface ProtocolCase {
  readonly name: string;
  readonly endpoint: EndpointKind;
  /** The endpoint is the application beside the proxy, and plain; else it is reached by TLS. */
  readonly isApplication?: true;
  /** What the port says of its protocol. */
  readonly port?: string;
  readonly needsCurl?: true;
  run(running: Running): Promise<void>;
}

async function get({ proxy }: Running): Promise<string> {
  using client = await RawSocket.connect(proxy.outbound[0].port);
  await client.send("GET /one HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n");
  const { startLine, body } = await client.readResponse();
  assert.match(startLine, /^HTTP\/1\.1 200 /);
  return body;
}

async function metric({ metrics }: Running, name: string): Promise<string | undefined> {
  return (await metrics()).split("\n").find((line) => line.startsWith(`${name} `))?.split(" ")[1];
}

const CLIENT_NAME = `URI:${CLIENT_ID}`;

const CASES: readonly ProtocolCase[] = [
  {
    name: "an endpoint that has HTTP/2 gets it",
    endpoint: "h2",
    port: "http2",
    async run(running) {
      assert.equal(await get(running), `GET /one by HTTP/2.0 from ${CLIENT_NAME}`);
      assert.equal(await get(running), `GET /one by HTTP/2.0 from ${CLIENT_NAME}`);
      assert.equal(await metric(running, "weft_tls_handshakes_total"), "1");
    },
  },
  {
    name: "an endpoint that has only HTTP/1.1 gets that, and is not asked again for a while",
    endpoint: "h1",
    port: "http2",
    async run(running) {
      const expected = `GET /one by HTTP/1.1 from ${CLIENT_NAME}`;
      // All of these wait for one connection, which turns out to be of no use for HTTP/2.
      assert.deepEqual(
        await Promise.all(Array.from({ length: 5 }, () => get(running))),
        Array.from({ length: 5 }, () => expected),
      );
      const before = await metric(running, "weft_tls_handshakes_total");
      assert.equal(await get(running), expected);
      assert.equal(await metric(running, "weft_tls_handshakes_total"), before);
    },
  },
  {
    name: "gRPC is not for an endpoint that has only HTTP/1.1, and its caller is told so",
    endpoint: "h1",
    port: "grpc",
    needsCurl: true,
    async run(running) {
      const { stdout } = await runCommand("curl", [
        ...["-sS", "-D", "-", "--http2-prior-knowledge", "--max-time", "20", "-d", ""],
        ...["-H", "content-type: application/grpc", "-H", "te: trailers", "-H", "host: app"],
        `http://127.0.0.1:${running.proxy.outbound[0].port}/test.Test/Echo`,
      ]);
      assert.match(stdout, /^grpc-status: 14\r$/m);
      assert.match(stdout, /^x-weft-reason: upstream-tls-failed\r$/m);
      assert.match(
        await running.metrics(),
        /^weft_tls_handshake_failures_total{reason="tls-protocol"} \d/m,
      );
    },
  },
  {
    name: "gRPC, to an endpoint",
    endpoint: "grpc",
    port: "grpc",
    async run({ node, proxy }) {
      const target = `127.0.0.1:${proxy.outbound[0].port}`;
      const { messages, code } = await node.run(callByGrpc, target, "app", null);
      assert.deepEqual([messages, code], [["re: a", "re: b", "re: c"], 0]);
    },
  },
  {
    name: "WebSocket, to an endpoint",
    endpoint: "ws",
    async run({ node, proxy }) {
      const url = `ws://127.0.0.1:${proxy.outbound[0].port}/`;
      const { texts, bytes, code } = await node.run(talkByWebSocket, url, "app", null);
      assert.deepEqual([texts, bytes, code], [[`hello ${CLIENT_NAME}`, "text"], 100_000, 4_001]);
    },
  },
  {
    name: "a connection that is relayed whole, each direction to its own end",
    endpoint: "echo",
    port: "tcp",
    async run({ proxy }) {
      using client = await RawSocket.connect(proxy.outbound[1].port);
      const sent = "0123456789".repeat(20_000);
      await client.send(sent);
      await client.endSending();
      assert.equal(await client.readRest(), sent);
    },
  },
  {
    name: "HTTP/2, from a caller",
    endpoint: "h2",
    isApplication: true,
    async run({ node, proxy }) {
      const url = `https://localhost:${proxy.inbound[0].port}`;
      const client = credentials(testCertificates().client);
      const answers = await node.run(callByHttp2, url, client);
      assert.deepEqual(answers, ["GET /many by HTTP/2.0 from plain"]);
      // Of another authority.
      const impostor = credentials(testCertificates().impostor);
      await assert.rejects(node.run(callByHttp2, url, impostor));
    },
  },
  {
    name: "gRPC, from a caller",
    endpoint: "grpc",
    isApplication: true,
    async run({ node, proxy }) {
      const target = `localhost:${proxy.inbound[0].port}`;
      const client = credentials(testCertificates().client);
      const { messages, code } = await node.run(callByGrpc, target, "localhost", client);
      assert.deepEqual([messages, code], [["re: a", "re: b", "re: c"], 0]);
    },
  },
  {
    name: "WebSocket, from a caller",
    endpoint: "ws",
    isApplication: true,
    async run({ node, proxy }) {
      const url = `wss://localhost:${proxy.inbound[0].port}/`;
      const client = credentials(testCertificates().client);
      const { texts, bytes, code } = await node.run(talkByWebSocket, url, "localhost", client);
      assert.deepEqual([texts, bytes, code], [["hello plain", "text"], 100_000, 4_001]);
    },
  },
];

const HAS_CURL = hasCommand("curl");

for (const driver of DRIVERS) {
  Deno.test({
    name: `TLS, protocols (${driver})${HAS_NODE ? "" : ": needs Node"}`,
    ignore: !HAS_OPENSSL_COMMAND || !HAS_NODE || (driver === "portable" && !HAS_PORTABLE_TLS),
    // The proxies outlive steps, and the libraries stay open.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn(test) {
      await using folder = await NodePackages.install(["ws", "@grpc/grpc-js"]);
      await using node = new NodeProcess(folder.path);
      for (
        const { name, endpoint, isApplication = false, port = "http", needsCurl, run } of CASES
      ) {
        await test.step({
          name,
          ignore: needsCurl === true && !HAS_CURL,
          async fn() {
            const files = isApplication ? null : credentials(testCertificates().server);
            const endpointPort = await node.run(startEndpoint, endpoint, files);
            const proxy = await startMutual(driver, isApplication ? endpointPort : 9);
            const metrics = async () =>
              await (await fetch(`http://127.0.0.1:${proxy.admin?.port}/metrics`)).text();
            try {
              if (!isApplication) await proxy.apply(planOf([endpointPort], port));
              await run({ node, proxy, metrics });
              await until(
                "no client is left",
                metrics,
                (text) => /^weft_connections_open 0$/m.test(text),
              );
              assert.match(await metrics(), /^weft_faults_total 0$/m);
            } finally {
              await proxy.stop();
              await node.run(stopEndpoint);
            }
          },
        });
      }
    },
  });
}
