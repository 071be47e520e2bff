/**
 * What peers do to a TLS port that they should not: floods of handshakes and of key updates, renegotiation, early data, names and
 * unknown protocols, bytes that are no TLS. Each costs its own connection; the next client is served.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { TLS_HANDSHAKES_MAX } from "../../proxy/limits.ts";
import { clientHello } from "../support/client_hello.ts";
import { type Driver, DRIVERS } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import { HAS_OPENSSL_COMMAND, HAS_PORTABLE_TLS, testCertificates } from "./certificates.ts";
import { runCommand } from "../support/commands.ts";
import { ProxyProcess } from "./proxy_process.ts";
import { RawClient } from "./raw_client.ts";

interface AbuseCase {
  readonly name: string;
  /** Why it cannot be shown there; empty where it can. */
  readonly skip?: (driver: Driver) => string;
  run(proxy: ProxyProcess, driver: Driver): Promise<void>;
}

const REQUEST = "GET /hello HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n";
const ANSWER = /HTTP\/1\.1 200 OK\r\n[^]*GET \/hello\n/;

/** What `s_client` prints of a handshake and a request. */
async function sClient(
  { port }: ProxyProcess,
  args: readonly string[] = [],
  input = REQUEST,
): Promise<string> {
  const { stdout, stderr } = await runCommand("openssl", [
    ...["s_client", "-connect", `127.0.0.1:${port}`, "-ign_eof", ...args],
  ], input);
  return stdout + stderr;
}

/** What `s_client` says that was refused: the alert, which `node:tls` does not get to send. */
function refusal(alert: RegExp, driver: Driver): RegExp {
  return driver === "native" ? alert : new RegExp(`${alert.source}|unexpected eof`);
}

async function isServed(proxy: ProxyProcess): Promise<void> {
  assert.match(await sClient(proxy), ANSWER);
}

/** Sends bytes, and the end, and reads until the other end does; what came. */
async function sendBytes({ port }: ProxyProcess, bytes: Uint8Array): Promise<Uint8Array> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    await connection.write(bytes);
    await connection.closeWrite();
    return new Uint8Array(await new Response(connection.readable).arrayBuffer());
  } catch (error) {
    // A reset, or an end of the other side before all was sent, is an end too.
    if (error instanceof Deno.errors.NotFound) throw error;
    return new Uint8Array(0);
  }
}

/** Each end holds as many connections as there may be handshakes. */
function skipWithoutDescriptors(): string {
  if (Deno.build.os !== "linux") return "";
  const limits = Deno.readTextFileSync("/proc/self/limits");
  const most = Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Infinity);
  return most < TLS_HANDSHAKES_MAX + 200 ? `only ${most} descriptors` : "";
}

const CASES: readonly AbuseCase[] = [
  {
    name: "key updates without end end the connection, and delay no other",
    skip: () => Deno.build.os === "linux" ? "" : "the client needs Linux",
    async run(proxy) {
      {
        using flood = new RawClient(proxy.port, 5);
        using other = new RawClient(proxy.port, 5);
        let updates = 0;
        while (updates < 100_000 && flood.updateKeys()) {
          updates++;
          if (updates % 1_000 !== 0) continue;
          assert.ok(other.write("GET /other HTTP/1.1\r\nhost: app\r\n\r\n"));
          assert.match(other.read(), /^HTTP\/1\.1 200 OK/);
        }
        assert.ok(updates < 100_000, `${updates} key updates were taken`);
      }
      await isServed(proxy);
    },
  },
  {
    name: "some key updates are as they should be",
    skip: () => Deno.build.os === "linux" ? "" : "the client needs Linux",
    async run(proxy) {
      using client = new RawClient(proxy.port, 5);
      for (let i = 0; i < 20; i++) {
        assert.ok(client.updateKeys());
        assert.ok(client.write("GET /again HTTP/1.1\r\nhost: app\r\n\r\n"));
        assert.match(client.read(), /^HTTP\/1\.1 200 OK/);
      }
      await Promise.resolve();
    },
  },
  {
    name: "handshakes that stand still make room for those that do not",
    skip: skipWithoutDescriptors,
    async run(proxy) {
      const extra = 5;
      const idle: Deno.TcpConn[] = [];
      try {
        for (let i = 0; i < TLS_HANDSHAKES_MAX + extra; i++) {
          idle.push(await Deno.connect({ hostname: "127.0.0.1", port: proxy.port }));
        }
        await proxy.untilMetric(
          `weft_tls_handshake_failures_total{reason="tls-crowded"} ${extra}`,
        );
        await isServed(proxy);
        await proxy.untilMetric(
          `weft_tls_handshake_failures_total{reason="tls-crowded"} ${extra + 1}`,
        );
      } finally {
        for (const connection of idle) connection.close();
      }
    },
  },
  {
    name: "TLS 1.2: renegotiation is refused, and what is old or weak too",
    async run(proxy, driver) {
      const again = await runCommand("openssl", [
        ...["s_client", "-connect", `127.0.0.1:${proxy.port}`, "-tls1_2"],
      ], "R\n");
      assert.match(again.stdout + again.stderr, /no renegotiation|handshake failure/i);
      for (
        const args of [
          ["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"],
          ["-tls1", "-cipher", "DEFAULT:@SECLEVEL=0"],
          ["-tls1_2", "-cipher", "AES128-SHA256"],
          ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"],
        ]
      ) {
        const text = await sClient(proxy, args);
        assert.match(text, refusal(/alert (protocol version|handshake failure)/, driver));
        assert.doesNotMatch(text, ANSWER);
      }
    },
  },
  {
    name: "early data is not taken",
    async run(proxy) {
      const file = `${testCertificates().folder}/early-${crypto.randomUUID()}`;
      const first = await sClient(proxy, ["-tls1_3", "-sess_out", file]);
      assert.doesNotMatch(first, /Max Early Data: [1-9]/);
      Deno.writeTextFileSync(`${file}-request`, REQUEST.replace("hello", "early"));
      const early = ["-tls1_3", "-sess_in", file, "-early_data", `${file}-request`];
      const text = await sClient(proxy, early);
      assert.match(text, /Early data was (not sent|rejected)/);
      assert.doesNotMatch(text, /GET \/early/);
    },
  },
  {
    name: "whatever name is asked for gets the one certificate there is",
    async run(proxy, driver) {
      const names = [
        ["-noservername"],
        ["-servername", "elsewhere.example"],
        ["-servername", "127.0.0.1"],
        ["-servername", "under_score!"],
        ["-servername", `${"long.".repeat(50)}x`],
      ];
      for (const args of names) {
        const text = await sClient(proxy, args);
        // A name that is none may be refused.
        if (ANSWER.test(text)) assert.match(text, /subject=CN = server/);
        else assert.match(text, refusal(/alert (decode error|illegal parameter)/, driver));
      }
    },
  },
  {
    name: "ALPN: ours among others, none of ours, and a client that does not do what it said",
    async run(proxy, driver) {
      assert.match(await sClient(proxy, ["-alpn", "spdy/3,http/1.1,x"]), ANSWER);
      const nothing = await sClient(proxy, ["-alpn", "spdy/3,http/1.0"]);
      assert.match(nothing, refusal(/alert no application protocol/, driver));
      // Its first bytes decide.
      const liar = await sClient(proxy, ["-alpn", "h2"]);
      assert.match(liar, /ALPN protocol: h2/);
      assert.match(liar, ANSWER);
    },
  },
  {
    name: "plain HTTP and other bytes are cut and counted by what they are",
    async run(proxy) {
      await sendBytes(proxy, new TextEncoder().encode(REQUEST));
      await sendBytes(proxy, new TextEncoder().encode("CONNECT app:80 HTTP/1.1\r\n\r\n"));
      await sendBytes(proxy, new TextEncoder().encode("SSH-2.0-OpenSSH_9.2\r\n"));
      await proxy.untilMetric('weft_tls_handshake_failures_total{reason="tls-plaintext"} 3');
      await sendBytes(proxy, clientHello("app").subarray(0, 40));
      await sendBytes(proxy, new Uint8Array(0));
      await proxy.untilMetric('weft_tls_handshake_failures_total{reason="tls-closed"} 2');
      await isServed(proxy);
    },
  },
  {
    name: "clients that are gone as soon as they have asked leave no connection behind",
    async run(proxy) {
      const { chainPem } = testCertificates().authority;
      const request = new TextEncoder().encode("GET /hello HTTP/1.1\r\nhost: app\r\n\r\n");
      for (let i = 0; i < 40; i++) {
        const options = { hostname: "localhost", port: proxy.port, caCerts: [chainPem] };
        const client = await Deno.connectTls(options);
        await client.write(request);
        if (i % 2 === 0) await client.read(new Uint8Array(1_000));
        client.close();
      }
      await until(
        "connections to be closed",
        async () => /^weft_connections_open(?:{.*})? (\d+)$/m.exec(await proxy.metrics())?.[1],
        (open) => open === "0",
      );
    },
  },
  {
    name: "no handshake that is broken anywhere breaks the proxy",
    async run(proxy) {
      const hello = clientHello("localhost");
      const broken = fc.record({
        at: fc.nat(hello.length - 1),
        byte: fc.nat(255),
        cut: fc.nat(hello.length),
        tail: fc.uint8Array({ maxLength: 64 }),
      });
      await fc.assert(
        fc.asyncProperty(broken, async ({ at, byte, cut, tail }) => {
          const bytes = hello.slice();
          bytes[at] = byte;
          const sent = new Uint8Array([...bytes.subarray(0, cut), ...tail]);
          const answer = await sendBytes(proxy, sent);
          assert.doesNotMatch(new TextDecoder().decode(answer), /HTTP\//);
        }),
        { numRuns: 200 },
      );
      await isServed(proxy);
    },
  },
];

for (const driver of DRIVERS) {
  for (const { name, skip, run } of CASES) {
    const reason = skip?.(driver) ?? "";
    Deno.test({
      name: `TLS, abuse (${driver}): ${name}${reason === "" ? "" : ` (skipped: ${reason})`}`,
      ignore: !HAS_OPENSSL_COMMAND || reason !== "" ||
        (driver === "portable" && !HAS_PORTABLE_TLS),
      // The libraries of the client stay open.
      sanitizeResources: false,
      async fn() {
        await using proxy = await ProxyProcess.start(driver);
        await run(proxy, driver);
      },
    });
  }
}
