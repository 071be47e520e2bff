/**
 * Certificates on a real API server: two controllers have one authority between them, tokens of pods say who is who, and what becomes of the
 * key's Secret changes no proxy's trust.
 */
import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { urisOf } from "../../base/x509.ts";
import { bytesInPem, CERTIFICATE } from "../../base/pem.ts";
import { definitions } from "../../controller/install/definitions.ts";
import { ControllerSource } from "../../sidecar/controller_source.ts";
import { LabSidecar } from "../identity/identity_lab.ts";
import { until } from "../support/until.ts";
import { HAS_API_SERVER, TestApiServer } from "./api_server.ts";
import { TestController } from "./test_controller.ts";

const PODS = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {weft.dev/monitored-by: weft}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: cart, namespace: shop}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: thief, namespace: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: shop}
spec: {serviceAccountName: cart, containers: [{name: c, image: none}]}
---
apiVersion: v1
kind: Pod
metadata: {name: thief-1, namespace: shop}
spec: {serviceAccountName: thief, containers: [{name: c, image: none}]}
`;

const SECRET = "weft-identity-a";

class Shop {
  readonly api: TestApiServer;
  readonly controller: TestController;

  constructor(api: TestApiServer, controller: TestController) {
    this.api = api;
    this.controller = controller;
  }

  /** A token of a pod, in a file. */
  async token(account: string, { audience = "weft", isBound = true } = {}): Promise<string> {
    const pod = `${account}-1`;
    const bound = ["--bound-object-kind", "Pod", "--bound-object-name", pod];
    const args = ["create", "token", account, "-n", "shop", "--audience", audience];
    const token = await this.api.kubectl([...args, ...(isBound ? bound : [])]);
    const file = `${this.api.folder}/${pod}-${audience}-${isBound}`;
    await Deno.writeTextFile(file, token);
    return file;
  }

  source(tokenFile: string): ControllerSource {
    const { address, authorityFile, ports } = this.controller;
    return new ControllerSource({
      ...{ address, port: ports.stream, authorityFile, tokenFile },
      ...{ namespace: "shop", pod: "", version: "test" },
    });
  }

  sidecar(tokenFile: string, account = "shop/cart"): LabSidecar {
    return new LabSidecar(this, tokenFile, { account });
  }

  /** The hash of the roots that a new sidecar is given; it has a certificate then. */
  async roots(): Promise<string> {
    const sidecar = this.sidecar(await this.token("cart"));
    await sidecar.keeper.first;
    const [leaf] = bytesInPem(sidecar.chain, CERTIFICATE) ?? [];
    deepEqual(urisOf(leaf), ["spiffe://cluster.local/ns/shop/sa/cart"]);
    await sidecar.stop();
    return sidecar.trust.pem;
  }

  async restart(): Promise<void> {
    await this.controller.stop();
    const failed = this.controller.launch({ reviewsTokens: true });
    await Promise.race([this.#isUp(), failed]);
  }

  async #isUp(): Promise<void> {
    const answer = () => this.controller.ask("/readyz").then(({ status }) => status, () => 0);
    await until("the controller serves", answer, (status) => status === 200);
  }
}

Deno.test({
  name: "identity: certificates come for tokens of pods, and no trust changes by the loss of a key",
  ignore: !HAS_API_SERVER,
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    const api = await TestApiServer.start();
    const controller = TestController.prepare(api);
    const replica = controller.replica("127.0.0.2");
    const shop = new Shop(api, controller);
    let roots = "";
    let isOver = false;
    // Each goes on where the one before has ended.
    const step = async (name: string, run: () => Promise<void>) => {
      isOver ||= !await t.step(name, run);
    };
    try {
      await api.apply(definitions().map((each) => JSON.stringify(each)).join("\n---\n"));
      await api.apply(PODS);
      await api.established("meshrootcertificates.weft.dev");
      await step("two controllers that start together make one authority", async () => {
        await Promise.all([shop.restart(), new Shop(api, replica).restart()]);
        roots = await shop.roots();
        equal(await new Shop(api, replica).roots(), roots);
        equal(await api.answer(["get", "meshrootcertificates", "-o", "name"]), ROOT);
        await replica.stop();
      });
      await step("tokens of others, of another audience and of no pod are refused", async () => {
        const cases = [
          await shop.token("thief"),
          await shop.token("cart", { audience: "other" }),
          await shop.token("cart", { isBound: false }),
        ];
        for (const [i, token] of cases.entries()) {
          const sidecar = shop.sidecar(token);
          const refused = () =>
            controller.log.filter((line) => /"(Certificate|Proxy) refused"/.test(line)).length;
          await until("it is refused", refused, (count) => count > i);
          equal(sidecar.used.length, 0);
          await sidecar.stop();
        }
      });
      await step("a Secret that is gone: signing goes on, and a new start refuses", async () => {
        const saved = await api.kubectl(["get", "secret", SECRET, "-o", "yaml"]);
        await api.kubectl(["delete", "secret", SECRET]);
        equal(await shop.roots(), roots);
        await shop.restart();
        const waiting = shop.sidecar(await shop.token("cart"));
        const problem = () => waiting.keeper.problem ?? "";
        match(await until("it says why", problem, (text) => /Secret/.test(text)), /not there/);
        const condition = () =>
          api.answer([
            "get",
            ROOT,
            "-o",
            "jsonpath={.status.conditions[0].reason} {.status.conditions[0].message}",
          ]);
        match(await until("it is said", condition, (text) => text !== ""), /weft-identity-a/);
        equal(await api.answer(["get", "secret", SECRET, "--ignore-not-found"]), "");
        await api.apply(saved.replace(/^ {2}(uid|resourceVersion|creationTimestamp):.*\n/gm, ""));
        await api.kubectl(["annotate", ROOT, "again=1"]);
        await waiting.keeper.first;
        equal(waiting.trust.pem, roots);
        await waiting.stop();
      });
      await step("a Secret that is edited: the good key stays, and it is said", async () => {
        await api.kubectl(["patch", "secret", SECRET, "-p", '{"stringData":{"tls.key":"none"}}']);
        await api.kubectl(["annotate", ROOT, "once=1"]);
        const said = () => controller.log.filter((line) => /tls\.key of Secret/.test(line)).length;
        await until("it is said", said, (count) => count > 0);
        equal(await shop.roots(), roots);
      });
      await step("objects that are gone change nothing while a controller runs", async () => {
        await api.kubectl(["delete", ROOT]);
        const said = () => controller.log.some((line) => /the last ones stay/.test(line));
        await until("it is said", said, (is) => is);
        equal(await shop.roots(), roots);
        equal(await api.answer(["get", ROOT, "--ignore-not-found"]), "");
      });
      await step("roots of one object cannot be made others", async () => {
        await shop.restart();
        const created = () => api.answer(["get", ROOT, "--ignore-not-found", "-o", "name"]);
        await until("it is there again", created, (name) => name === ROOT);
        const patch = ["patch", ROOT, "--type", "merge", "-p", '{"spec":{"roots":"x"}}'];
        await rejects(api.kubectl(patch), /another root is another MeshRootCertificate/);
      });
    } finally {
      await Promise.all([controller.stop(), replica.stop()]);
      await api.stop();
    }
  },
});

const ROOT = "meshrootcertificate.weft.dev/weft-root";
