/** Sessions, and certificates that are replaced while the proxy runs. */
import assert from "node:assert/strict";
import { expiryOf } from "../../base/x509.ts";
import type { ProxyTls } from "../../proxy/config.ts";
import { until } from "../support/until.ts";
import { certificateFor, CLIENT_ID, showing, testCertificates } from "./certificates.ts";
import { runCommand as run } from "../support/commands.ts";
import {
  curlThrough,
  HAS_CURL,
  mutual,
  originating,
  sClient,
  terminating,
  testTls,
  untilMetric,
} from "./proxy_cases.ts";

function exists(file: string): boolean {
  try {
    return Deno.statSync(file).isFile;
  } catch {
    return false;
  }
}

testTls("certificates", [
  {
    name: "s_client: sessions are resumed in TLS 1.2 and 1.3, until certificates are replaced",
    tls: () => ({ inbound: terminating() }),
    async run(running) {
      for (const version of ["-tls1_2", "-tls1_3"]) {
        const file = `${testCertificates().folder}/session${version}`;
        assert.match(await sClient(running, version, "-sess_out", file), /^New, TLSv1/m);
        assert.match(await sClient(running, version, "-sess_in", file), /^Reused, TLSv1/m);
      }
      await untilMetric(running, "weft_tls_resumptions_total 2");
      // The keys of tickets are Deno's own in the portable driver, and nothing changes them.
      if (running.driver === "portable") return;
      await running.proxy.replaceCertificates({ inbound: terminating() });
      for (const version of ["-tls1_2", "-tls1_3"]) {
        const file = `${testCertificates().folder}/session${version}`;
        assert.match(await sClient(running, version, "-sess_in", file), /^New, TLSv1/m);
      }
    },
  },
  {
    name: "s_client: without tickets, TLS 1.2 resumes what the server remembers",
    needsSessions: true,
    tls: () => ({ inbound: terminating() }),
    async run(running) {
      const file = `${testCertificates().folder}/session-without-ticket`;
      const without = ["-tls1_2", "-no_ticket"];
      assert.match(await sClient(running, ...without, "-sess_out", file), /^New, TLSv1/m);
      assert.match(await sClient(running, ...without, "-sess_in", file), /^Reused, TLSv1/m);
      await untilMetric(running, "weft_tls_resumptions_total 1");
    },
  },
  {
    name: "s_client: a session that began with a certificate that is refused is of no use",
    tls: () => ({ inbound: mutual() }),
    async run(running) {
      const { impostor } = testCertificates();
      const show = ["-cert", impostor.chainFile, "-key", impostor.keyFile];
      for (const version of ["-tls1_2", "-tls1_3"]) {
        const file = `${testCertificates().folder}/session-refused${version}`;
        const first = await sClient(running, version, ...show, "-sess_out", file);
        assert.doesNotMatch(first, /GET \/hello\n/);
        // Where it was given something to come back with.
        if (!exists(file)) continue;
        const again = await sClient(running, version, ...show, "-sess_in", file);
        assert.doesNotMatch(again, /GET \/hello\n|^Reused/m);
      }
      assert.match(await running.metrics(), /^weft_tls_resumptions_total 0$/m);
    },
  },
  {
    name: "s_client: a session counts only as long as who vouched for its client is trusted",
    tls: () => ({ inbound: mutual() }),
    async run(running) {
      const { otherAuthority, folder } = testCertificates();
      const { chainFile, keyFile } = certificateFor(`URI:${CLIENT_ID}`);
      const show = ["-cert", chainFile, "-key", keyFile];
      const served = /GET \/hello\n/;
      const versions = ["-tls1_2", "-tls1_3"];
      for (const version of versions) {
        const file = `${folder}/session-trusted${version}`;
        assert.match(await sClient(running, version, ...show, "-sess_out", file), served);
        assert.match(await sClient(running, version, ...show, "-sess_in", file), served);
      }
      await untilMetric(running, "weft_tls_resumptions_total 2");
      const clientAuthority = { pem: otherAuthority.chainPem };
      await running.proxy.replaceCertificates({ inbound: { ...mutual(), clientAuthority } });
      for (const version of versions) {
        const file = `${folder}/session-trusted${version}`;
        assert.doesNotMatch(await sClient(running, version, ...show, "-sess_in", file), served);
      }
      await untilMetric(running, "weft_tls_resumptions_total 2");
    },
  },
  {
    name: "one worker resumes what another began",
    needsSessions: true,
    workers: 2,
    tls: () => ({ inbound: terminating() }),
    async run(running) {
      const file = `${testCertificates().folder}/session-of-one`;
      assert.match(await sClient(running, "-sess_out", file), /^New, TLSv1/m);
      // The kernel draws who accepts: that all eight come to the same loop is one chance in 128.
      for (let i = 0; i < 8; i++) {
        assert.match(await sClient(running, "-sess_in", file), /^Reused, TLSv1/m);
      }
    },
  },
  {
    name: "certificates are replaced under load, and no request fails",
    tls: () => ({ inbound: terminating() }),
    async run({ proxy }) {
      const { authority, server, renewed } = testCertificates();
      let isLoading = true;
      let answers = 0;
      const load = async () => {
        while (isLoading) {
          // A connection each, so a handshake each.
          const client = Deno.createHttpClient({ caCerts: [authority.chainPem] });
          const url = `https://localhost:${proxy.inbound[0].port}/hello`;
          const response = await fetch(url, { client });
          assert.equal(await response.text(), "GET /hello\n");
          client.close();
          answers++;
        }
      };
      const loads = [load(), load(), load(), load()];
      const failed = Promise.all(loads);
      for (let i = 0; i < 10; i++) {
        const certificate = i % 2 === 0 ? renewed : server;
        await proxy.replaceCertificates({ inbound: terminating({ certificate }) });
        const wanted = answers + 10;
        await Promise.race([failed, until("answers", () => answers, (count) => count >= wanted)]);
      }
      await proxy.replaceCertificates({ inbound: terminating({ certificate: renewed }) });
      isLoading = false;
      await failed;
      const place = `127.0.0.1:${proxy.inbound[0].port}`;
      const { stdout } = await run("openssl", ["s_client", "-connect", place]);
      assert.match(stdout, /subject=CN = renewed/);
      // What is of no use changes nothing.
      const broken = { chainPem: renewed.chainPem, keyPem: server.keyPem };
      const useless = { inbound: terminating({ certificate: broken }) };
      await assert.rejects(proxy.replaceCertificates(useless), /private key/);
      assert.match((await run("openssl", ["s_client", "-connect", place])).stdout, /CN = renewed/);
    },
  },
  {
    name: "certificates are replaced all together or not at all, and the message names the file",
    ignore: !HAS_CURL,
    tls: () => ({ inbound: mutual(), outbound: terminating(), ...originating() }),
    async run(running) {
      const { proxy } = running;
      const { renewed, server, client, otherAuthority } = testCertificates();
      const served = async (port: number) => {
        const { stdout } = await run("openssl", [
          ...["s_client", "-connect", `127.0.0.1:${port}`],
          ...["-cert", client.chainFile, "-key", client.keyFile],
        ]);
        return /subject=CN = (\S+)/.exec(stdout)?.[1];
      };
      const all = async () => [
        await served(proxy.inbound[0].port),
        await served(proxy.outbound[0].port),
        (await curlThrough(running, ...showing(client))).code,
      ];
      const before = ["server", "server", 0];
      assert.deepEqual(await all(), before);
      const good = {
        inbound: { ...mutual(), certificate: renewed },
        outbound: terminating({ certificate: renewed }),
        ...originating(),
      };
      const mismatch = { ...renewed, keyPem: server.keyPem, keyFile: "/etc/weft/tls.key" };
      const noTrust = { pem: "-----BEGIN CERTIFICATE-----\nnone", file: "/etc/weft/ca.crt" };
      const { upstream } = originating();
      assert.ok(upstream !== undefined);
      // Whatever is wrong comes last, after what would have been replaced.
      const bad: [ProxyTls, RegExp][] = [
        [
          { ...good, upstream: { ...upstream, certificate: mismatch } },
          /^Error: Cannot use the private key "\/etc\/weft\/tls\.key" with the certificate ".*renewed\.crt": key/,
        ],
        [
          { ...good, upstream: { ...upstream, authority: noTrust } },
          /^Error: Cannot read the trusted certificates "\/etc\/weft\/ca\.crt": /,
        ],
        [
          { ...good, outbound: terminating({ certificate: { ...renewed, chainPem: "" } }) },
          /^Error: Cannot read the certificate ".*renewed\.crt": there is none in PEM form$/,
        ],
      ];
      for (const [tls, message] of bad) {
        await assert.rejects(proxy.replaceCertificates(tls), (error) => {
          assert.match(String(error).replace(/^IoError/, "Error"), message);
          return true;
        });
        assert.deepEqual(await all(), before);
      }
      await proxy.replaceCertificates(good);
      assert.deepEqual(await all(), ["renewed", "renewed", 0]);
      const expiry = (expiryOf(renewed.chainPem) ?? NaN) / 1_000;
      const name = "weft_tls_certificate_expiry_timestamp_seconds";
      assert.ok((await running.metrics()).includes(`${name}{side="inbound"} ${expiry}\n`));
      // Whom callers are vouched for by is replaced with the rest.
      const clientAuthority = { pem: otherAuthority.chainPem };
      await proxy.replaceCertificates({ ...good, inbound: { ...mutual(), clientAuthority } });
      assert.notEqual((await curlThrough(running, ...showing(client))).code, 0);
    },
  },
]);
