/** `weft install`, `upgrade`, `uninstall` and `namespace` on a real API server, in this process. No pod runs: the test plays the kubelet. */
import assert from "node:assert/strict";
import { definitions } from "../../controller/install/definitions.ts";
import { fieldsOf } from "../../controller/kube/fields.ts";
import { HAS_API_SERVER } from "./api_server.ts";
import { DEPLOYMENTS, withCommandLab } from "./command_lab.ts";

const PODS = "/api/v1/namespaces/weft-system/pods";

Deno.test({
  name: "install: what it makes, an uninstallation removes, and nothing else",
  ignore: !HAS_API_SERVER,
  async fn(t) {
    await withCommandLab(async (lab) => {
      await lab.api.kubectl(["create", "namespace", "app"]);
      const before = await lab.everything();
      let stopPlaying = lab.playReady();
      await t.step("installs, and says how far it is", async () => {
        const out = await lab.works("install", "--set", "fsm.sidecar.sidecarLogLevel=debug");
        assert.match(out, /weft-controller: 2 of 2 ready\n/);
        assert.match(out, /installed successfully in namespace \[weft-system\]/);
      });
      await t.step("again is the same, with other values it is not", async () => {
        await lab.works("install", "--set", "sidecar.logLevel=debug");
        await lab.fails(/values that are not given: sidecar.logLevel=debug/, "install");
        await lab.fails(/in namespace \[weft-system\] already/, "install", "-n", "other");
      });
      await t.step("an upgrade keeps values, or is told to forget them", async () => {
        await lab.works("upgrade", "--set", "replicaCount=3");
        const values = async () => {
          const found = await lab.get("/api/v1/namespaces/weft-system/configmaps/weft-values");
          return fieldsOf(found["data"])["values.yaml"];
        };
        assert.equal(await values(), 'sidecar.logLevel: debug\nreplicaCount: "3"\n');
        const { replicas } = fieldsOf((await lab.get(DEPLOYMENTS))["spec"]);
        assert.equal(replicas, 3);
        await lab.works("mesh", "upgrade", "--reset-values");
        assert.equal(await values(), "{}\n");
      });
      await t.step("namespaces come and go", async () => {
        const level = "pod-security.kubernetes.io/enforce";
        await lab.api.kubectl(["label", "namespace", "app", `${level}=restricted`]);
        const { code, err } = await lab.weft("namespace", "add", "app");
        assert.equal(code, 0, err);
        assert.match(err, /level, restricted, refuses the init container .*enforce=privileged\n/);
        await lab.api.kubectl(["label", "namespace", "app", `${level}-`]);
        assert.match(await lab.works("namespace", "add", "app"), /already been added/);
        assert.match(await lab.works("mesh", "list"), /weft +weft-system +\S+ +app\n/);
        await lab.fails(/cannot be in a mesh/, "namespace", "add", "weft-system");
        await lab.works("namespace", "ignore", "app");
        assert.match(await lab.works("namespace", "list"), /app +- +disabled \(ignored\)/);
        await lab.fails(/Cannot add ignored namespace/, "namespace", "add", "app");
        await lab.api.kubectl(["label", "namespace", "app", "weft.dev/ignore-"]);
        await lab.works("namespace", "add", "app");
      });
      await t.step(
        "metrics are switched for pods that have sidecars, and for those to come",
        async () => {
          const pods = "/api/v1/namespaces/app/pods";
          const spec = { containers: [{ name: "app", image: "app" }] };
          // The webhook would be asked, and no controller runs here.
          await lab.works("namespace", "remove", "app");
          for (
            const [name, annotations] of [["in", { "weft.dev/status": "injected" }], ["out", {}]]
          ) {
            await lab.client.call("POST", pods, {
              body: { metadata: { name, annotations }, spec },
            });
          }
          await lab.works("namespace", "add", "app");
          const seen = async () => {
            const metadatas = await Promise.all(
              ["namespaces/app", "namespaces/app/pods/in", "namespaces/app/pods/out"]
                .map(async (path) => fieldsOf((await lab.get(`/api/v1/${path}`))["metadata"])),
            );
            return metadatas.map(({ annotations }) => {
              const all = fieldsOf(annotations);
              return all["weft.dev/metrics"] ?? all["prometheus.io/port"] ?? "none";
            });
          };
          const out = await lab.works("metrics", "enable", "--namespace", "app");
          assert.match(out, /enabled in namespace \[app\]: 1 pods/);
          assert.deepEqual(await seen(), ["enabled", "15010", "none"]);
          await lab.works("metrics", "disable", "-n", "app");
          assert.deepEqual(await seen(), ["none", "none", "none"]);
          await lab.fails(/does not belong to a mesh/, "metrics", "enable", "-n", "default");
          await lab.api.kubectl(["delete", "pod", "-n", "app", "--all", "--force"]);
        },
      );
      await stopPlaying();
      await t.step("uninstalls: every object of every kind is as it was", async () => {
        const out = await lab.works("uninstall", "mesh", "--crds");
        assert.match(out, /^Removed MutatingWebhookConfiguration weft-injector\n/);
        assert.match(out, /Namespace \[app\] taken out of mesh \[weft\]/);
        assert.deepEqual(await lab.everything(), before);
        const { labels, annotations } = fieldsOf(
          (await lab.get("/api/v1/namespaces/app"))["metadata"],
        );
        assert.deepEqual({ labels, annotations }, {
          labels: { "kubernetes.io/metadata.name": "app" },
          annotations: undefined,
        });
        await lab.fails(/not installed/, "uninstall");
      });
      await t.step("in a namespace that is there before, that stays", async () => {
        stopPlaying = lab.playReady();
        await lab.api.kubectl(["create", "namespace", "weft-system"]);
        await lab.api.kubectl(["apply", "-f", "schemas/crds/trafficsplits.yaml"]);
        const own = await lab.everything();
        const { code, err } = await lab.weft("install");
        assert.equal(code, 0, err);
        assert.match(err, /Left alone: trafficsplits.split.smi-spec.io/);
        await stopPlaying();
        await lab.works("uninstall", "--crds");
        assert.deepEqual(await lab.everything(), own);
      });
    });
  },
});

Deno.test({
  name: "install: what fails is said in the cluster's own words, and --atomic takes it back",
  ignore: !HAS_API_SERVER,
  async fn(t) {
    await withCommandLab(async (lab) => {
      const before = await lab.everything();
      await t.step("an image that cannot be pulled", async () => {
        const stopPlaying = lab.playReady();
        await lab.works("install");
        await stopPlaying();
        const container = { name: "controller", image: "missing:1" };
        await lab.client.call("POST", PODS, {
          body: {
            apiVersion: "v1",
            kind: "Pod",
            metadata: { name: "weft-controller-1", labels: { app: "weft-controller" } },
            spec: { containers: [container] },
          },
        });
        const waiting = { reason: "ImagePullBackOff", message: "Back-off pulling missing:1" };
        const state = { ...container, ready: false, restartCount: 0, imageID: "" };
        await lab.client.call("PATCH", `${PODS}/weft-controller-1/status`, {
          body: { status: { containerStatuses: [{ ...state, state: { waiting } }] } },
          contentType: "application/merge-patch+json",
        });
        const { code, out, err } = await lab.weft(
          ...["upgrade", "--image", "missing:1", "--timeout", "1s"],
        );
        assert.equal(code, 1);
        assert.match(out, /0 of 2 ready \(ImagePullBackOff\)\n/);
        assert.match(err, /not ready within 1s: ImagePullBackOff: Back-off pulling missing:1\n/);
        await lab.api.kubectl(["delete", "pod", "-n", "weft-system", "--all", "--force"]);
      });
      await t.step("--atomic: an upgrade is taken back to what was there", async () => {
        await lab.works("uninstall");
        const stopPlaying = lab.playReady();
        await lab.works("install", "--set", "controllerLogLevel=warn");
        await stopPlaying();
        const specOf = async () => fieldsOf((await lab.get(DEPLOYMENTS))["spec"]);
        const earlier = await specOf();
        const { code, err } = await lab.weft(
          ...["upgrade", "--atomic", "--image", "missing:1", "--timeout", "1s"],
        );
        assert.equal(code, 1);
        assert.match(err, /Taken back/);
        assert.deepEqual(await specOf(), earlier);
      });
      await t.step("--atomic: of an installation nothing stays but definitions", async () => {
        await lab.works("uninstall");
        await lab.fails(/not ready within 1s/, "install", "--atomic", "--timeout", "1s");
        await lab.works("uninstall", "--crds");
        assert.deepEqual(await lab.everything(), before);
      });
    });
  },
});

Deno.test({
  name:
    "install: the API server takes every definition, none of which needs another server to be read",
  ignore: !HAS_API_SERVER,
  async fn() {
    await withCommandLab(async (lab) => {
      for (const definition of definitions()) {
        await lab.api.kubectl(["apply", "--server-side", "-f", "-"], JSON.stringify(definition));
        const path =
          `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${definition.metadata.name}`;
        const { conversion } = fieldsOf((await lab.get(path))["spec"]);
        assert.deepEqual(conversion, { strategy: "None" });
      }
    });
  },
});
