/** Clients of the proxy under TLS that are not ours: curl and `openssl s_client`. What only concerns `Io` is in `io_cases.ts`. */
import assert from "node:assert/strict";
import { RawSocket } from "../support/raw_socket.ts";
import { showing, testCertificates } from "./certificates.ts";
import { runCommand as run } from "../support/commands.ts";
import {
  curlThrough,
  HAS_CURL,
  mutual,
  sClient,
  sClientGet,
  terminating,
  testTls,
  untilMetric,
} from "./proxy_cases.ts";

if (!HAS_CURL) console.warn("Tests of TLS with curl are passed over: there is none");

testTls("clients", [
  {
    name: "curl, TLS 1.2 and 1.3, HTTP/1.1 and HTTP/2",
    ignore: !HAS_CURL,
    tls: () => ({ inbound: terminating() }),
    async run(running) {
      for (const version of ["1.2", "1.3"]) {
        for (const [flag, protocol] of [["--http1.1", "http/1.1"], ["--http2", "h2"]]) {
          const { code, stdout, stderr } = await curlThrough(
            running,
            ...["-v", flag, `--tlsv${version}`, "--tls-max", version],
          );
          assert.equal(code, 0, stderr);
          assert.equal(stdout, "GET /hello\n");
          assert.match(stderr, new RegExp(`SSL connection using TLSv${version}`));
          assert.ok(stderr.includes(`ALPN: server accepted ${protocol}`), stderr);
        }
      }
      await untilMetric(running, "weft_tls_handshakes_total 4");
    },
  },
  {
    name: "curl, many requests on one connection",
    ignore: !HAS_CURL,
    tls: () => ({ inbound: terminating() }),
    async run(running) {
      const url = `https://localhost:${running.proxy.inbound[0].port}/more`;
      const urls = Array.from({ length: 20 }, () => url);
      const { code, stdout, stderr } = await curlThrough(running, ...urls);
      assert.equal(code, 0, stderr);
      assert.equal(stdout, "GET /more\n".repeat(20) + "GET /hello\n");
      await untilMetric(running, "weft_tls_handshakes_total 1");
    },
  },
  {
    name: "curl: heads of 50 KiB, of requests over HTTP/1.1, of answers over HTTP/2 too",
    ignore: !HAS_CURL,
    tls: () => ({ inbound: terminating() }),
    async run(running) {
      const part = Array.from({ length: 50 }, (_, i) => `${i}`.padStart(10, "-")).join("");
      // What Deno takes of HTTP/2 is less.
      for (const [flag, large] of [["--http1.1", part.repeat(100)], ["--http2", "small"]]) {
        const { code, stdout, stderr } = await curlThrough(
          running,
          ...[flag, "-D", "-", "-H", `x-large: ${large}`, "-H", `x-repeat: ${part}`],
        );
        assert.equal(code, 0, stderr);
        assert.ok(stdout.includes(`x-repeated: ${part.repeat(100)}\r\n`), stdout.slice(0, 200));
      }
    },
  },
  {
    name: "the oldest version can be 1.3",
    ignore: !HAS_CURL,
    tls: () => ({ inbound: terminating({ minVersion: "1.3" }) }),
    async run(running) {
      assert.equal((await curlThrough(running)).code, 0);
      assert.equal((await curlThrough(running, "--tls-max", "1.2")).code, 35);
      await untilMetric(running, 'weft_tls_handshake_failures_total{reason="tls-protocol"} 1');
    },
  },
  {
    name: "client certificates: verified, missing, of another",
    ignore: !HAS_CURL,
    tls: () => ({ inbound: mutual() }),
    async run(running) {
      const { client, impostor } = testCertificates();
      const good = await curlThrough(running, ...showing(client));
      assert.equal(good.stdout, "GET /hello\n", good.stderr);
      const missing = await curlThrough(running);
      assert.notEqual(missing.code, 0);
      assert.equal(missing.stdout, "");
      await untilMetric(
        running,
        'weft_tls_handshake_failures_total{reason="tls-no-certificate"} 1',
      );
      const bad = await curlThrough(running, ...showing(impostor));
      assert.notEqual(bad.code, 0);
      assert.equal(bad.stdout, "");
      await untilMetric(running, 'weft_tls_handshake_failures_total{reason="tls-certificate"} 1');
    },
  },
  {
    name: "s_client: chain, ALPN, close_notify at the end",
    tls: () => ({ inbound: terminating() }),
    async run(running) {
      const text = await sClient(running, "-alpn", "http/1.1", "-msg");
      assert.match(text, /ALPN protocol: http\/1.1/);
      assert.match(text, /Verify return code: 0 \(ok\)/);
      assert.match(text, /GET \/hello\n/);
      assert.match(text, /<<< .*Alert.*warning close_notify/);
    },
  },
  {
    name: "s_client: a client that wants small records gets them, and the whole answer",
    tls: () => ({ inbound: terminating() }),
    async run(running) {
      const path = `/${"long".repeat(1_500)}`;
      const text = await sClientGet(running, path, ["-tls1_2", "-maxfraglen", "512"]);
      assert.ok(text.includes(`GET ${path}\n`), text.slice(0, 2_000));
    },
  },
  {
    name: "renegotiation is refused",
    tls: () => ({ inbound: terminating() }),
    async run({ proxy }) {
      const { stdout, stderr } = await run("openssl", [
        ...["s_client", "-connect", `127.0.0.1:${proxy.inbound[0].port}`, "-tls1_2"],
      ], "R\n");
      assert.match(stdout + stderr, /no renegotiation|handshake failure/i);
    },
  },
  {
    name: "curl: 50 MB up and down again",
    ignore: !HAS_CURL,
    tls: () => ({ inbound: terminating() }),
    async run(running) {
      const { folder } = testCertificates();
      const bytes = new Uint8Array(50_000_000);
      for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 31 + (i >> 11)) & 255;
      Deno.writeFileSync(`${folder}/up`, bytes);
      const { code, stderr } = await curlThrough(
        running,
        ...["--data-binary", `@${folder}/up`, "-o", `${folder}/down`, "-H", "Expect:"],
      );
      assert.equal(code, 0, stderr);
      const down = Deno.readFileSync(`${folder}/down`);
      assert.equal(down.length, bytes.length);
      assert.equal(down.findIndex((byte, i) => byte !== bytes[i]), -1);
    },
  },
  {
    name: "plain HTTP to a port that speaks TLS is cut, counted and does no harm",
    ignore: !HAS_CURL,
    tls: () => ({ inbound: terminating() }),
    async run(running) {
      const plain = await run("curl", [
        ...["-sS", "--max-time", "60", `http://127.0.0.1:${running.proxy.inbound[0].port}/`],
      ]);
      assert.notEqual(plain.code, 0);
      await untilMetric(running, 'weft_tls_handshake_failures_total{reason="tls-plaintext"} 1');
      assert.equal((await curlThrough(running)).code, 0);
    },
  },
  {
    name: "plain HTTP is taken beside TLS where callers may do without",
    ignore: !HAS_CURL,
    tls: () => ({ inbound: { ...mutual(), acceptsPlain: true } }),
    async run(running) {
      const { client } = testCertificates();
      const { port } = running.proxy.inbound[0];
      const plain = ["-sS", "--max-time", "20", `http://127.0.0.1:${port}/hello`];
      for (const version of [["--http1.1"], ["--http2-prior-knowledge"]]) {
        assert.equal((await run("curl", [...version, ...plain])).stdout, "GET /hello\n");
      }
      for (const version of ["--http1.1", "--http2"]) {
        const secured = await curlThrough(running, version, ...showing(client));
        assert.equal(secured.stdout, "GET /hello\n", secured.stderr);
      }
      // TLS is no less strict for it.
      assert.notEqual((await curlThrough(running)).code, 0);
      await untilMetric(running, "weft_tls_handshakes_total 2");
      // A byte at a time, and one that goes away without a word.
      using slow = await RawSocket.connect(port);
      using _silent = await RawSocket.connect(port);
      for (const byte of "GET /slow HTTP/1.1\r\nHost: app\r\n\r\n") await slow.send(byte);
      assert.equal((await slow.readResponse()).body, "GET /slow\n");
    },
  },
  {
    name: "an outbound listener speaks TLS where it is told to",
    ignore: !HAS_CURL,
    tls: () => ({ outbound: terminating() }),
    async run({ proxy }) {
      const { code, stdout, stderr } = await run("curl", [
        ...["-sS", "--max-time", "60", "--cacert", testCertificates().authority.chainFile],
        ...["-H", "host: app", `https://localhost:${proxy.outbound[0].port}/hello`],
      ]);
      assert.equal(code, 0, stderr);
      assert.equal(stdout, "GET /hello\n");
    },
  },
  {
    name: "an outbound listener that relays speaks TLS too, and connects once it has been spoken",
    tls: () => ({ outbound: terminating() }),
    async run(running) {
      const [, { port }] = running.proxy.outbound;
      const { stdout } = await run("openssl", [
        ...["s_client", "-quiet", "-connect", `127.0.0.1:${port}`],
        ...["-CAfile", testCertificates().authority.chainFile, "-verify_return_error"],
      ], "GET /relayed HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n");
      assert.match(stdout, /GET \/relayed\n/);
      using plain = await RawSocket.connect(port);
      await plain.send("GET / HTTP/1.1\r\nHost: app\r\n\r\n");
      await untilMetric(running, 'weft_tls_handshake_failures_total{reason="tls-plaintext"} 1');
      await untilMetric(running, "weft_upstream_connects_total 1");
    },
  },
]);
