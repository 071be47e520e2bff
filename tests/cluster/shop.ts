/** A namespace of a mesh on a real API server, with pods that have tokens and no node, and sidecars without a proxy. */
import { deepEqual } from "node:assert/strict";
import { bytesInPem, CERTIFICATE } from "../../base/pem.ts";
import { urisOf } from "../../base/x509.ts";
import { definitions } from "../../controller/install/definitions.ts";
import { ControllerSource } from "../../sidecar/controller_source.ts";
import { LabSidecar } from "../identity/identity_lab.ts";
import { until } from "../support/until.ts";
import type { TestApiServer } from "./api_server.ts";
import type { TestController } from "./test_controller.ts";

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

export class Shop {
  readonly api: TestApiServer;
  readonly controller: TestController;

  constructor(api: TestApiServer, controller: TestController) {
    this.api = api;
    this.controller = controller;
  }

  /** Makes what is there from the start. */
  async prepare(): Promise<void> {
    await this.api.apply(definitions().map((each) => JSON.stringify(each)).join("\n---\n"));
    await this.api.apply(PODS);
    await this.api.established("meshrootcertificates.weft.dev");
  }

  /** A token of the account, in a file; `pod` is what it is bound to, empty: nothing. */
  async token(
    account: string,
    { pod = `${account}-1`, namespace = "shop", audience = "weft" } = {},
  ): Promise<string> {
    const bound = ["--bound-object-kind", "Pod", "--bound-object-name", pod];
    const args = ["create", "token", account, "-n", namespace, "--audience", audience];
    const token = await this.api.kubectl([...args, ...(pod === "" ? [] : bound)]);
    return await this.fileOf(token);
  }

  async fileOf(token: string): Promise<string> {
    const file = await Deno.makeTempFile({ dir: this.api.folder, prefix: "token-" });
    await Deno.writeTextFile(file, token);
    return file;
  }

  /** As a sidecar has it that says it is this pod; empty: it does not say. */
  source(tokenFile: string, pod = "", namespace = "shop"): ControllerSource {
    const { address, authorityFile, ports } = this.controller;
    return new ControllerSource({
      ...{ address, port: ports.stream, authorityFile, tokenFile },
      ...{ namespace, pod, version: "test" },
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
    await Promise.race([this.#untilUp(), failed]);
  }

  async #untilUp(): Promise<void> {
    const answer = () => this.controller.ask("/readyz").then(({ status }) => status, () => 0);
    await until("the controller serves", answer, (status) => status === 200);
  }
}
