/**
 * Authorities elsewhere on a real API server: cert-manager's definition with an issuer that the test plays, and files. What they sign reaches
 * sidecars, and what they sign otherwise does not.
 */
import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { readSigningRequest, writeSigningRequest } from "../../base/csr.ts";
import { createLog } from "../../base/log.ts";
import { CertManager } from "../../controller/identity/cert_manager.ts";
import { certificatesIn, chainProblem } from "../../controller/identity/certificate.ts";
import { newAuthority } from "../../controller/identity/new_authority.ts";
import { rootObject } from "../../controller/identity/root_certificate.ts";
import { SigningKey } from "../../controller/identity/signing_key.ts";
import { until } from "../support/until.ts";
import { HAS_API_SERVER, TestApiServer } from "./api_server.ts";
import { denying, PlayedIssuer, REQUEST_DEFINITION, signingWith } from "./cert_manager.ts";
import { Shop } from "./shop.ts";
import { TestController } from "./test_controller.ts";

const CART = "spiffe://cluster.local/ns/shop/sa/cart";

async function newSigner() {
  const made = await newAuthority();
  const roots = certificatesIn(made.roots, "roots");
  return { made, roots, key: await SigningKey.read(made, roots, "the test") };
}

async function orderFor(uri: string) {
  const keys = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
    "sign",
    "verify",
  ]);
  const csr = await writeSigningRequest(keys, { uri, challenge: "" });
  return { csr, ...await readSigningRequest(csr) };
}

Deno.test({
  name: "providers: cert-manager's issuer signs, refuses, or signs something else",
  ignore: !HAS_API_SERVER,
  async fn(t) {
    const api = await TestApiServer.start();
    const client = api.client();
    const { made, roots, key } = await newSigner();
    const other = await newSigner();
    let issuer: PlayedIssuer | null = null;
    const controller = TestController.prepare(api);
    const shop = new Shop(api, controller);
    try {
      await shop.prepare();
      await api.apply(REQUEST_DEFINITION);
      await api.established("certificaterequests.cert-manager.io");
      const log = createLog({ level: "error", format: "json", sink() {}, now: Date.now });
      const ref = { name: "mesh-ca", kind: "ClusterIssuer", group: "cert-manager.io" };
      const provider = new CertManager({ client, namespace: "default", issuer: ref, roots, log });
      issuer = new PlayedIssuer(client, signingWith(key));
      await t.step(
        "what it signs is a chain to the roots, and the request is removed",
        async () => {
          const chain = certificatesIn(await provider.issue(await orderFor(CART)), "chain");
          equal(await chainProblem(chain, roots, Date.now()), null);
          await until("it is removed", () => issuer?.requests(), (left) => left?.length === 0);
        },
      );
      await t.step("what it signs otherwise is given to no one", async () => {
        const answers = [
          [denying, /ClusterIssuer "mesh-ca" refuses: not by us/],
          [signingWith(key, "spiffe://cluster.local/ns/a/sa/b"), /signed for .*sa\/b, not for/],
          [signingWith(other.key), /leads to none of the roots/],
          [
            async () => {
              const { publicKey, csr } = await orderFor(CART);
              const chain = await key.issue({ publicKey, uri: CART, csr });
              return { certificate: new TextEncoder().encode(chain).toBase64() };
            },
            /another key was signed/,
          ],
        ] as const;
        for (const [answer, reason] of answers) {
          if (issuer !== null) issuer.answer = answer;
          await rejects(provider.issue(await orderFor(CART)), reason);
        }
        if (issuer !== null) issuer.answer = signingWith(key);
      });
      await t.step("a sidecar has its certificate from there", async () => {
        const given = { certManager: { issuerName: "mesh-ca", issuerKind: "ClusterIssuer" } };
        const spec = { role: "active", roots: made.roots, provider: given } as const;
        await api.apply(JSON.stringify(rootObject("by-cert-manager", "default", spec)));
        await shop.restart();
        equal(await shop.roots(), made.roots);
      });
      await t.step("and from files, which are read again", async () => {
        const directory = await Deno.makeTempDir({ dir: api.folder });
        const write = async (chain: string, tlsKey: string) => {
          await Deno.writeTextFile(`${directory}/tls.crt`, chain);
          await Deno.writeTextFile(`${directory}/tls.key`, tlsKey);
        };
        await write(other.made.chain, made.key);
        const spec = {
          role: "active",
          roots: other.made.roots,
          provider: { files: { directory } },
        };
        await api.kubectl(["delete", "meshrootcertificate", "by-cert-manager"]);
        await api.apply(JSON.stringify(rootObject("by-files", "default", spec as never)));
        await shop.restart();
        const sidecar = shop.sidecar(await shop.token("cart"));
        const problem = () => sidecar.keeper.problem ?? "";
        const said = await until("it says why", problem, (text) => /tls\.key/.test(text));
        match(said, /tls\.key of .* is not the key of tls\.crt/);
        await write(other.made.chain, other.made.key);
        await api.kubectl(["annotate", "meshrootcertificate", "by-files", "again=1"]);
        await sidecar.keeper.first;
        equal(sidecar.trust.pem, other.made.roots);
        await sidecar.stop();
      });
      deepEqual(await issuer.requests(), []);
    } finally {
      await issuer?.stop();
      await controller.stop();
      client.close();
      await api.stop();
    }
  },
});
