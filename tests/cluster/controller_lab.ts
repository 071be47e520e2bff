/**
 * The way from an object in a cluster to the next request: a real API server, `weft controller` and `weft proxy` as processes, real
 * applications. What is down for a while loses nothing that a proxy serves. `controller_test.ts` runs it.
 */
import { APP_NAMESPACE } from "./app_manifests.ts";
import assert from "node:assert/strict";
import { ADMIN_PORT } from "../../controller/install/objects.ts";
import { runWeft, type WeftProcess } from "../e2e/weft_process.ts";
import { until } from "../support/until.ts";
import { LAB_ADDRESS, TestApiServer } from "./api_server.ts";
import { application, appService, appSplit, backendsOf, TestMesh } from "./test_mesh.ts";

const SPLITS = "/apis/split.smi-spec.io/v1alpha4/namespaces/app/trafficsplits";
const SLICES = "/apis/discovery.k8s.io/v1/namespaces/app/endpointslices";

/** As an installation makes it, at this controller. */
const CONTROLLER_SERVICE = `
apiVersion: v1
kind: Namespace
metadata: {name: weft-system}
---
apiVersion: v1
kind: Service
metadata: {name: weft-controller, namespace: weft-system}
spec: {ports: [{name: admin, port: ${ADMIN_PORT}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: weft-controller-0, namespace: weft-system}
spec: {containers: [{name: controller, image: weft}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: weft-controller, namespace: weft-system}
subsets:
- addresses: [{ip: ${LAB_ADDRESS}, targetRef: {kind: Pod, name: weft-controller-0, namespace: weft-system}}]
  ports: [{name: admin, port: ${ADMIN_PORT}}]
`;

Deno.test({
  name: "controller: what is in a cluster reaches a proxy, whatever is down in between",
  async fn(t) {
    const mesh = new TestMesh(await TestApiServer.start());
    const { api } = mesh;
    const applications = ["v1", "v2"].map((name) => application(name));
    const [v1, v2] = applications;
    const step = (name: string, run: () => Promise<void>) => t.step(name, run);
    try {
      const definition = Deno.readTextFileSync("schemas/crds/trafficsplits.yaml");
      let controller = await mesh.startController();
      await api.apply(`${APP_NAMESPACE}---
apiVersion: v1
kind: ServiceAccount
metadata: {name: default, namespace: app}
${appService("web", v1.addr.port)}${appService("web-v1", v1.addr.port)}${
        appService("web-v2", v2.addr.port)
      }`);
      const token = await api.kubectl(
        ["create", "token", "default", "--namespace", "app", "--audience", "weft"],
      );

      await step("a token that the API server does not accept lets no proxy in", async () => {
        const stranger = mesh.startProxy("no token");
        await controller.printed(/"Proxy refused".*does not accept/);
        await stranger.printed(/"Waiting for a plan".*ended the connection/);
        await stranger.stop("SIGKILL");
      });
      await step("nor one of another audience", async () => {
        const other = await api.kubectl(["create", "token", "default", "--namespace", "app"]);
        const from = controller.output.length;
        const stranger = mesh.startProxy(other);
        await controller.printed(/"Proxy refused".*does not accept/, from);
        await stranger.stop("SIGKILL");
      });
      await step("nor one of another namespace", async () => {
        const from = controller.output.length;
        const stranger = mesh.startProxy(token, ["--namespace", "other"]);
        await controller.printed(/"Proxy refused".*of namespace \\"app\\"/, from);
        await stranger.stop("SIGKILL");
      });

      const stateDir = `${api.folder}/state`;
      const proxy = mesh.startProxy(token, ["--state-dir", stateDir]);
      await mesh.serving(proxy);
      await step("without a definition of splits the Service itself answers", async () => {
        await mesh.answers("v1");
      });
      await step("a definition that comes is watched, and a split takes effect", async () => {
        await api.apply(definition);
        await api.established("trafficsplits.split.smi-spec.io");
        await api.apply(appSplit("v1alpha4", 0, 100));
        await mesh.answers("v2");
      });
      await step("weights that change reach a proxy", async () => {
        const weights = (first: number, second: number) => ({
          spec: { backends: backendsOf(first, second) },
        });
        for (let i = 0; i < 3; i++) {
          await mesh.timed("Split", `${SPLITS}/web`, weights(100, 0), "v1");
          await mesh.timed("Split", `${SPLITS}/web`, weights(0, 100), "v2");
        }
      });
      const status = (...args: string[]) =>
        runWeft(["status", ...args, "-n", "app", "--kubeconfig", api.kubeconfig]);
      await step("weft status: all proxies have what is written", async () => {
        const away = await status();
        assert.equal(away.code, 1);
        assert.match(
          away.stderr,
          /The controller cannot be asked.*\n.*kubectl get pods -n weft-system/,
        );
        await api.apply(CONTROLLER_SERVICE);
        const pod = "/api/v1/namespaces/weft-system/pods/weft-controller-0";
        await mesh.client.call("PATCH", `${pod}/status`, {
          body: { status: { podIP: LAB_ADDRESS, podIPs: [{ ip: LAB_ADDRESS }] } },
          contentType: "application/merge-patch+json",
        });
        // One that has just started waits for proxies that are still to come.
        const { code, stdout, stderr } = await status("ts/web", "--wait", "--timeout", "90s");
        assert.equal(code, 0, stdout + stderr);
        assert.match(stdout, /app\/web +\d+ +1 of 1 +yes +0/);
        const unknown = await status("trafficsplit/none");
        assert.match(unknown.stderr, /knows no TrafficSplit app\/none/);
        const { split, ready, behind } = JSON.parse((await status("ts/web", "-o", "json")).stdout);
        assert.deepEqual([split, ready, behind], ["app/web", true, []]);
      });
      await step("an endpoint that goes, and comes", async () => {
        await mesh.timed("Endpoint gone", `${SLICES}/web-v2`, { endpoints: [] }, "503");
        const endpoints = [{ addresses: [LAB_ADDRESS] }];
        await mesh.timed("Endpoint come", `${SLICES}/web-v2`, { endpoints }, "v2");
      });
      await step("quantities of v1alpha1 mean what they meant when they were written", async () => {
        await api.apply(appSplit("v1alpha1", "1500m", "0"));
        await mesh.answers("v1");
        await api.apply(appSplit("v1alpha4", 0, 100));
        await mesh.answers("v2");
      });
      await step(
        "while the API server is away nothing changes, and afterwards all is right",
        async () => {
          await api.kill();
          assert.equal(await mesh.ask(), "v2");
          await controller.printed(/"Cannot read the cluster"/);
          assert.equal(await mesh.ask(), "v2");
          await api.resume();
          await api.apply(appSplit("v1alpha4", 100, 0));
          await mesh.answers("v1");
          await controller.printed(/"The cluster can be read again"/);
        },
      );
      await step("while the controller is away a proxy serves what it holds", async () => {
        assert.equal(await controller.stop("SIGKILL"), 137);
        await proxy.printed(/"The source of the plan is away"/);
        assert.equal(await mesh.ask(), "v1");
        await api.apply(appSplit("v1alpha4", 0, 100));
        assert.equal(await mesh.ask(), "v1");
      });
      let restored: WeftProcess | null = null;
      await step(
        "one that starts meanwhile serves what an earlier run held, or waits",
        async () => {
          const waiting = mesh.startProxy(token);
          await waiting.printed(/"Waiting for a plan".*refused/);
          await waiting.stop("SIGKILL");
          restored = mesh.startProxy(token, ["--state-dir", stateDir]);
          await restored.printed(/plan-restored/);
          await mesh.serving(restored);
          assert.equal(await mesh.ask(), "v1");
        },
      );
      await step("what changed while the controller was away takes effect afterwards", async () => {
        controller = await mesh.startController();
        await mesh.answers("v2");
        await restored?.stop("SIGKILL");
        await mesh.serving(proxy);
        await mesh.answers("v2");
      });
      await step("a namespace that leaves the mesh takes its Services with it", async () => {
        await api.kubectl(["label", "namespace", "app", "weft.dev/monitored-by-"]);
        const label = () =>
          api.kubectl(["label", "namespace", "app", "weft.dev/monitored-by=weft"]);
        await until("the mesh does not know it", () => mesh.ask(), (body) => body !== "v2");
        await label();
        await mesh.answers("v2");
      });
      await step("a definition that goes takes its splits with it", async () => {
        await api.kubectl(["delete", "crd", "trafficsplits.split.smi-spec.io"]);
        await mesh.answers("v1");
      });
      await step("SIGTERM ends both in order", async () => {
        assert.equal(await controller.stop("SIGTERM"), 0);
        assert.equal(await mesh.ask(), "v1");
        assert.equal(await proxy.stop("SIGINT"), 0);
      });
    } finally {
      await mesh.stop();
      for (const each of applications) await each.shutdown();
    }
  },
});
