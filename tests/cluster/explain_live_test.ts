/** `weft explain --live` on a real API server: what is there counts as for a controller, by namespace, by version and by setting. */
import { deepEqual, equal, match } from "node:assert/strict";
import type { Explanation } from "../../routing/table/explanation.ts";
import { until } from "../support/until.ts";
import { endpointsManifest, serviceManifest } from "./app_manifests.ts";
import { HAS_API_SERVER } from "./api_server.ts";
import { withCommandLab } from "./command_lab.ts";

const SERVICES = ["web", "web-v1", "web-v2"].map((name) =>
  serviceManifest(name) + endpointsManifest(name, 8080)
).join("");

/** Weights were texts in the first version. */
const SPLIT = `
apiVersion: split.smi-spec.io/v1alpha1
kind: TrafficSplit
metadata: {name: canary, namespace: app}
spec: {service: web, backends: [{service: web-v1, weight: 0}, {service: web-v2, weight: 500m}]}
`;

/** The first version has its specs beside \`spec\`. */
const TARGET = `
apiVersion: access.smi-spec.io/v1alpha1
kind: TrafficTarget
metadata: {name: shop, namespace: app}
destination: {kind: ServiceAccount, name: default, namespace: app}
specs: []
sources: [{kind: ServiceAccount, name: shop, namespace: app}]
`;

const ENFORCING = `
apiVersion: weft.dev/v1alpha1
kind: MeshConfig
metadata: {name: weft-mesh-config, namespace: weft-system}
spec: {traffic: {enablePermissiveTrafficPolicyMode: false}}
`;

Deno.test({
  name: "explain --live: a cluster's own objects, as its controllers take them",
  ignore: !HAS_API_SERVER,
  async fn(t) {
    await withCommandLab(async (lab) => {
      const URL = "http://web.app/";
      const explain = async (...more: string[]) => {
        const asked = ["explain", "--live", "-o", "json", "GET", URL, "-n", "app", ...more];
        const { out, err } = await lab.weft(...asked);
        if (out === "") throw new Error(err);
        return JSON.parse(out) as Explanation;
      };
      await lab.api.kubectl(["create", "namespace", "app"]);
      await lab.api.apply(SERVICES);
      await t.step("without an installation it says so, and what to do", async () => {
        await lab.fails(
          /has no control plane of Weft\n {2}weft install/,
          "explain",
          "--live",
          "GET",
          URL,
        );
      });
      const stopPlaying = lab.playReady();
      await lab.works("install");
      await stopPlaying();
      await t.step("a namespace outside is no part of the mesh", async () => {
        equal((await explain()).host.service, null);
      });
      await t.step("a split counts in the version that it was written in", async () => {
        await lab.works("namespace", "add", "app");
        equal((await explain()).backend, "app/web");
        await until(
          "splits can be made",
          () => lab.api.apply(SPLIT).then(() => true, () => false),
          Boolean,
        );
        const { route, backend } = await explain();
        equal(backend, "app/web-v2");
        deepEqual(route?.split, "app/canary");
        equal(route?.position?.startsWith("cluster:TrafficSplit/app/canary.json:"), true);
      });
      await t.step("a MeshConfig decides whether targets count", async () => {
        await lab.api.apply(TARGET);
        equal((await explain()).outcome, "forward");
        await lab.api.apply(ENFORCING);
        const refused = await explain();
        match(refused.reason ?? "", /access-denied|no-endpoints/);
      });
    });
  },
});
