/**
 * cert-manager itself on a real API server: its definitions, and its controllers that approve requests and sign them by an authority in a Secret.
 * Opt-in, for the programs take some minutes to be built: `tests/cluster/get --cert-manager`.
 */
import { equal, rejects } from "node:assert/strict";
import { readSigningRequest, writeSigningRequest } from "../../base/csr.ts";
import { createLog } from "../../base/log.ts";
import { CertManager } from "../../controller/identity/cert_manager.ts";
import { certificatesIn, chainProblem } from "../../controller/identity/certificate.ts";
import { newAuthority } from "../../controller/identity/new_authority.ts";
import { rootObject } from "../../controller/identity/root_certificate.ts";
import { until } from "../support/until.ts";
import { HAS_API_SERVER, TestApiServer } from "./api_server.ts";
import { Shop } from "./shop.ts";
import { TestController } from "./test_controller.ts";

const PROGRAMS = Deno.env.get("KUBEBUILDER_ASSETS") ?? "";
const DEFINITIONS = `${PROGRAMS}/../canary/certmanager`;
const HAS_CERT_MANAGER = HAS_API_SERVER && isThere(`${PROGRAMS}/certmanager`);

const CART = "spiffe://cluster.local/ns/shop/sa/cart";

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

async function order() {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const csr = await writeSigningRequest(keys, { uri: CART, challenge: "" });
  return { csr, ...await readSigningRequest(csr) };
}

async function define(api: TestApiServer): Promise<void> {
  for (const kind of ["certificaterequests", "certificates", "clusterissuers", "issuers"]) {
    await api.apply(Deno.readTextFileSync(`${DEFINITIONS}/cert-manager.io_${kind}.yaml`));
    await api.established(`${kind}.cert-manager.io`);
  }
}

const issuer = (name: string, chain: string, key: string) => `
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata: {name: ${name}, namespace: default}
stringData: ${JSON.stringify({ "tls.crt": chain, "tls.key": key })}
---
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: ${name}}
spec: {ca: {secretName: ${name}}}
`;

Deno.test({
  name: "cert-manager: its own controllers approve and sign what sidecars ask for" +
    (HAS_CERT_MANAGER ? "" : " (tests/cluster/get --cert-manager builds them)"),
  ignore: !HAS_CERT_MANAGER,
  async fn(t) {
    const api = await TestApiServer.start();
    const client = api.client();
    const made = await newAuthority();
    const roots = certificatesIn(made.roots, "roots");
    const controller = TestController.prepare(api);
    const shop = new Shop(api, controller);
    const providerOf = (name: string) =>
      new CertManager({
        ...{ client, namespace: "default", roots },
        issuer: { name, kind: "ClusterIssuer", group: "cert-manager.io" },
        log: createLog({ level: "error", format: "json", sink() {}, now: Date.now }),
      });
    await shop.prepare();
    await define(api);
    const program = new Deno.Command(`${PROGRAMS}/certmanager`, {
      args: [api.kubeconfig, "default"],
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      const chains = { "by-intermediate": made.chain, "by-chain": made.chain + made.roots };
      for (const [name, chain] of Object.entries(chains)) {
        await t.step(`${name}: what it signs is a chain to the roots`, async () => {
          await api.apply(issuer(name, chain, made.key));
          const path = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}';
          const ready = () => api.answer(["get", "clusterissuers", name, "-o", path]);
          await until("the issuer is ready", ready, (text) => text === "True");
          const signed = certificatesIn(await providerOf(name).issue(await order()), "chain");
          equal(await chainProblem(signed, roots, Date.now()), null);
          const left = () => api.answer(["get", "certificaterequests", "-o", "name"]);
          await until("the request is removed", left, (text) => text === "");
        });
      }
      await t.step("a sidecar has its certificate from there", async () => {
        const given = { certManager: { issuerName: "by-chain", issuerKind: "ClusterIssuer" } };
        const spec = { role: "active", roots: made.roots, provider: given } as const;
        await api.apply(JSON.stringify(rootObject("by-cert-manager", "default", spec)));
        await shop.restart();
        equal(await shop.roots(), made.roots);
      });
      await t.step("an authority that leads to other roots is refused", async () => {
        const other = await newAuthority();
        await api.apply(issuer("other", other.chain + other.roots, other.key));
        await rejects(
          async () => await providerOf("other").issue(await order()),
          /leads to none of the roots/,
        );
      });
    } finally {
      program.kill("SIGTERM");
      await program.status;
      await controller.stop();
      client.close();
      await api.stop();
    }
  },
});
