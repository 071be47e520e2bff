/** Cases of TLS within `Io` that are about certificates made ready: sessions, replacement, and what is of no use. */
import { equal, match, ok, throws } from "node:assert/strict";
import { IoError } from "../../proxy/io/io.ts";
import type { TlsSettings } from "../../proxy/io/tls.ts";
import { LOCALHOST, type TlsCase } from "./bench.ts";
import { CLIENT_ID, SERVER_ID } from "./certificates.ts";

export const CONTEXT_CASES: readonly TlsCase[] = [
  {
    name: "sessions are resumed, with who the peer is, until certificates are replaced",
    needsSessions: true,
    async run(bench) {
      const server = bench.server(bench.mutual());
      const client = bench.client({ certificate: bench.certificates.client });
      const exchange = async () => {
        const ends = await bench.ends({ server, client, target: LOCALHOST });
        bench.io.wantWrite(ends.client.fd, false);
        bench.write(ends.client.fd, "hello");
        await bench.until(() => ends.server.text === "hello", "the server reads");
        bench.write(ends.server.fd, "hello");
        await bench.until(() => ends.client.text === "hello", "the client reads");
        equal(ends.client.info?.isResumed, ends.server.info?.isResumed);
        equal(ends.server.info?.peerUriSan, CLIENT_ID);
        equal(ends.client.info?.peerUriSan, SERVER_ID);
        return ends.client.info?.isResumed;
      };
      equal(await exchange(), false);
      equal(await exchange(), true);
      equal(await exchange(), true);
      server.prepare({ ...bench.serverSettings(), ...bench.mutual() }).use();
      equal(await exchange(), false);
      equal(await exchange(), true);
    },
  },
  {
    name: "replaced certificates serve the next handshake; connections go on with theirs",
    async run(bench) {
      const { authority, otherAuthority, impostor } = bench.certificates;
      const server = bench.server();
      const client = bench.client();
      const before = await bench.ends({ server, client });
      server.prepare({ ...bench.serverSettings(), certificate: impostor }).drop();
      const unchanged = await bench.ends({ server, client });
      equal(unchanged.client.failure, null, "What was only prepared is not served");
      server.prepare({ ...bench.serverSettings(), certificate: impostor }).use();
      const refused = await bench.ends({ server, client });
      equal(refused.client.failure?.code, "tls-certificate");
      bench.write(before.client.fd, "still here");
      await bench.until(() => before.server.text === "still here", "the old connection goes on");
      client.prepare({
        role: "client",
        certificate: null,
        trusted: { pem: authority.chainPem + otherAuthority.chainPem },
        minVersion: "1.2",
      }).use();
      const target = { serverName: null, uriSans: [CLIENT_ID], alpn: [] };
      const after = await bench.ends({ server, client, target });
      equal(after.client.failure, null);
    },
  },
  {
    name: "certificates that are of no use are refused in words, and the ones before stay",
    async run(bench) {
      const { server: good, client: other } = bench.certificates;
      const settings = bench.serverSettings();
      const refuses = (certificate: TlsSettings["certificate"], words: RegExp) =>
        throws(() => bench.io.tls({ ...settings, certificate } as TlsSettings), (error) => {
          ok(error instanceof IoError);
          match(error.message, words);
          return true;
        });
      const { chainFile, keyFile } = good;
      const files = { chainFile, keyFile };
      refuses({ chainPem: "", keyPem: good.keyPem }, /^Cannot read the certificate: /);
      const damaged = good.chainPem.replace("MII", "!!!");
      refuses(
        { ...files, chainPem: damaged, keyPem: good.keyPem },
        named("certificate", chainFile),
      );
      refuses(
        { ...files, chainPem: good.chainPem, keyPem: "no key" },
        named("private key", keyFile),
      );
      const mismatch = { ...files, chainPem: good.chainPem, keyPem: other.keyPem };
      refuses(mismatch, named("private key", keyFile));
      refuses(mismatch, /with the certificate ".*server\.crt": key values mismatch$/);
      throws(
        () =>
          bench.io.tls({
            ...settings,
            clientCertificate: "required",
            trusted: { pem: good.chainPem + damaged, file: "/some/ca.pem" },
          }),
        named("trusted certificates", "/some/ca.pem"),
      );
      throws(
        () => bench.io.tls({ ...settings, clientCertificate: "required", trusted: null }),
        IoError,
      );
      const server = bench.server();
      throws(
        () => server.prepare({ ...settings, certificate: { chainPem: "", keyPem: "" } }),
        IoError,
      );
      const ends = await bench.ends({ server, client: bench.client() });
      equal(ends.client.failure, null);
    },
  },
];

/** A message that names the file. */
function named(what: string, file: string | undefined): RegExp {
  return new RegExp(`the ${what} "${file?.replaceAll(".", "\\.")}"`);
}
