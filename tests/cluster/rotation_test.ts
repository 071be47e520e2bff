/**
 * A change of authorities on a real API server, with two controllers and sidecars at both: ended at every step and gone on with, it leaves no
 * moment in which one sidecar would refuse another.
 */
import { equal, notEqual, rejects } from "node:assert/strict";
import { Rotation } from "../../cli/certificate/rotate.ts";
import { certificatesIn, chainProblem } from "../../controller/identity/certificate.ts";
import { KubeClient } from "../../controller/kube/client.ts";
import { kubeconfigAccess } from "../../controller/kube/kubeconfig.ts";
import { LabSidecar } from "../identity/identity_lab.ts";
import { until } from "../support/until.ts";
import { HAS_API_SERVER, TestApiServer } from "./api_server.ts";
import { Shop } from "./shop.ts";
import { TestController } from "./test_controller.ts";

/** What pods of controllers are asked goes to controllers of this process, and the command can be killed. */
class Cluster extends KubeClient {
  readonly #controllers: Readonly<Record<string, TestController>>;
  /** The command is ended before its next change but so many. */
  changesLeft = Infinity;

  constructor(api: TestApiServer, controllers: Readonly<Record<string, TestController>>) {
    super(kubeconfigAccess({ files: [api.kubeconfig] }));
    this.#controllers = controllers;
  }

  override async call(...given: Parameters<KubeClient["call"]>): Promise<unknown> {
    const [method, path] = given;
    const [, name = ""] = /\/pods\/http:([^:]+):\d+\/proxy\/identity$/.exec(path) ?? [];
    const controller = this.#controllers[name];
    if (controller !== undefined) return JSON.parse((await controller.ask("/identity")).text);
    if (method !== "GET" && !path.includes("dryRun") && this.changesLeft-- <= 0) {
      throw new Error("killed");
    }
    return await super.call(...given);
  }
}

const PODS = (names: readonly string[]) =>
  names.map((name) =>
    JSON.stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: name.startsWith("weft")
        ? { name, namespace: "default", labels: { app: "weft-controller" } }
        : { name, namespace: "shop" },
      spec: {
        serviceAccountName: "cart",
        containers: [{ name: "weft-proxy", image: "none", args: ["--identity=controller"] }],
      },
    })
  ).join("\n---\n");

async function startPods(api: TestApiServer, names: readonly string[]): Promise<void> {
  await api.apply(PODS(names));
  const status = '{"status":{"phase":"Running","podIP":"192.0.2.9"}}';
  for (const name of names) {
    const namespace = name.startsWith("weft") ? "default" : "shop";
    const patch = ["patch", "pod", name, "-n", namespace, "--subresource", "status", "-p", status];
    await api.kubectl(patch);
  }
}

/** Whether each would accept each, as it is now; empty: they would. */
async function refusals(sidecars: readonly LabSidecar[]): Promise<string> {
  for (const caller of sidecars) {
    for (const called of sidecars) {
      const chain = certificatesIn(called.chain, "chain");
      const problem = await chainProblem(
        chain,
        certificatesIn(caller.trust.pem, "trust"),
        Date.now(),
      );
      if (problem !== null) return problem;
    }
  }
  return "";
}

Deno.test({
  name:
    "rotation: killed at every step it goes on, waits for silent pods, and no sidecar refuses another",
  ignore: !HAS_API_SERVER,
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const api = await TestApiServer.start();
    const first = TestController.prepare(api);
    const second = first.replica("127.0.0.2");
    const shops = [new Shop(api, first), new Shop(api, second)];
    const sidecars: LabSidecar[] = [];
    const said: string[] = [];
    let watching = true;
    try {
      await shops[0].prepare();
      await startPods(api, ["cart-2", "cart-3", "cart-4", "mute-1", "weft-a", "weft-b"]);
      for (const shop of shops) await shop.restart();
      for (const pod of ["cart-2", "cart-3", "cart-4"]) {
        const shop = shops[sidecars.length % 2];
        const token = await shop.token("cart", { pod });
        const sidecar = new LabSidecar({ source: (file) => shop.source(file, pod) }, token, {
          account: "shop/cart",
        });
        sidecars.push(sidecar);
        await sidecar.keeper.first;
      }
      const before = sidecars[0].trust.pem;
      const worst = { refusal: "" };
      const watch = (async () => {
        while (watching) {
          worst.refusal ||= await refusals(sidecars);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      })();
      const run = async (changesLeft: number, limitMs: number) => {
        const cluster = new Cluster(api, { "weft-a": first, "weft-b": second });
        cluster.changesLeft = changesLeft;
        const rotation = new Rotation(cluster, "default", (line) => said.push(line));
        try {
          await rotation.begin(null, undefined);
          await rotation.finish(limitMs, "a moment");
        } finally {
          cluster.close();
        }
      };
      // A Secret is made, and then an object: between the two there is no change under way yet.
      for (const changes of [0, 1, 2]) await rejects(run(changes, 60_000), /killed/);
      const look = async () => {
        await rejects(run(Infinity, 0), /Not within a moment/);
        return said.at(-1) ?? "";
      };
      const isWaiting = (line: string) =>
        /3 of 4 sidecars trust it; not yet: shop\/mute-1$/.test(line);
      await until("it waits for the silent pod", look, isWaiting);
      await api.kubectl(["delete", "pod", "mute-1", "-n", "shop", "--force", "--grace-period=0"]);
      // It signs; the old one is passive; it is inactive; its Secret is gone; that was looked for again, and all is done.
      for (const changes of [1, 1, 1, 1]) await rejects(run(changes, 60_000), /killed/);
      await run(2, 60_000);
      watching = false;
      await watch;
      equal(said.at(-1), "Done");
      equal(worst.refusal, "");
      notEqual(sidecars[0].trust.pem, before);
      equal(await refusals(sidecars), "");
      const roots = await api.kubectl(["get", "meshrootcertificates", "-o", "name"]);
      equal(roots.trim().split("\n").length, 1);
      equal(await api.answer(["get", "secret", "weft-identity-a", "--ignore-not-found"]), "");
      equal(sidecars.every(({ trust }) => trust.pem.split("BEGIN").length === 2), true);
    } finally {
      watching = false;
      for (const sidecar of sidecars) await sidecar.stop();
      await Promise.all([first.stop(), second.stop()]);
      await api.stop();
    }
  },
});
