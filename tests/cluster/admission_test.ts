/** Objects of the mesh are written to a real API server that asks a controller first: what passes, what is refused, and in which words. */
import assert from "node:assert/strict";
import { webhooks } from "../../controller/install/webhooks.ts";
import { readValues } from "../../controller/install/values.ts";
import { until } from "../support/until.ts";
import { TestController } from "./test_controller.ts";
import { APP_NAMESPACE, serviceManifest } from "./app_manifests.ts";
import { HAS_API_SERVER, TestApiServer } from "./api_server.ts";

const MESH = `${APP_NAMESPACE}---
apiVersion: v1
kind: Namespace
metadata: {name: other}
${["web", "web-v1", "web-v2"].map(serviceManifest).join("")}`;

interface SplitParts {
  readonly version?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly root?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly backends?: readonly (readonly [service: string, weight: unknown])[];
}

/** As the Go clients of Flagger and Argo Rollouts write it. */
function splitOf(
  {
    version = "v1alpha4",
    name = "web",
    namespace = "app",
    root = "web",
    labels = {},
    backends = [["web-v1", 95], ["web-v2", 5]],
  }: SplitParts,
): unknown {
  return {
    apiVersion: `split.smi-spec.io/${version}`,
    kind: "TrafficSplit",
    metadata: { name, namespace, labels, creationTimestamp: null },
    spec: {
      service: root,
      backends: backends.map(([service, weight]) => ({ service, weight })),
    },
  };
}

Deno.test({
  name: "admission: objects of the mesh on a real API server",
  ignore: !HAS_API_SERVER,
  sanitizeResources: false,
  sanitizeOps: false,
  async fn(t) {
    const api = await TestApiServer.start();
    const client = api.client();
    const controller = TestController.prepare(api);
    const pathOf = (version: string, namespace = "app") =>
      `/apis/split.smi-spec.io/${version}/namespaces/${namespace}/trafficsplits`;
    const create = (parts: SplitParts) =>
      client.call("POST", pathOf(parts.version ?? "v1alpha4", parts.namespace), {
        body: splitOf(parts),
      });
    const patch = (version: string, body: unknown, name = "web") =>
      client.call("PATCH", `${pathOf(version)}/${name}`, {
        body,
        contentType: "application/merge-patch+json",
      });
    const weightsAt = async (version: string) => {
      const split = await client.call("GET", `${pathOf(version)}/web`) as {
        spec: { backends: { weight: unknown }[] };
      };
      return split.spec.backends.map(({ weight }) => weight);
    };
    const remove = (name = "web") => client.call("DELETE", `${pathOf("v1alpha4")}/${name}`);
    const backendsOf = (...weights: unknown[]) => ({
      spec: { backends: weights.map((weight, i) => ({ service: `web-v${i + 1}`, weight })) },
    });
    try {
      await api.apply(MESH);
      for (const kind of ["trafficsplits", "httproutegroups"]) {
        await api.apply(Deno.readTextFileSync(`schemas/crds/${kind}.yaml`));
      }
      const groups = ["trafficsplits.split", "httproutegroups.specs"];
      await api.established(...groups.map((name) => `${name}.smi-spec.io`));
      for (const object of webhooks(readValues({}), controller.keys)) {
        await api.apply(JSON.stringify(controller.atAddress(object)));
      }
      await t.step("while no controller answers, objects are written as they are", async () => {
        await create({ version: "v1alpha1", backends: [["web-v1", "95"], ["web-v2", "-5"]] });
        assert.deepEqual(await weightsAt("v1alpha4"), ["95", "-5"]);
      });
      await controller.start();
      // The API server learns of webhooks by a watch of its own.
      await until(
        "the API server asks",
        () =>
          create({ name: "probe", backends: [["web-v1", -1]] }).then(() => remove("probe"), String),
        (answer) => typeof answer === "string",
      );
      await t.step("an error that stood before does not block what mends another", async () => {
        await patch("v1alpha1", backendsOf("90", "-5"));
        assert.deepEqual(await weightsAt("v1alpha2"), ["90", "-5"]);
      });
      await t.step("a new error is refused, in our words", async () => {
        await assert.rejects(
          patch("v1alpha4", backendsOf(90, -7)),
          /validate\.weft\.dev.*spec\.backends\[1\]\.weight: Weight -7 is below zero.*Write 0 or more \(weight-negative\)/,
        );
      });
      await t.step("labels and deletion pass, whatever is wrong with the rest", async () => {
        await patch("v1alpha4", {
          metadata: { labels: { a: "b" }, finalizers: ["weft.dev/test"] },
        });
        await remove();
        await patch("v1alpha4", { metadata: { finalizers: null } });
        await until("it is gone", () =>
          client.call("GET", `${pathOf("v1alpha4")}/web`).then(
            () => false,
            () => true,
          ), (gone) => gone);
      });
      await t.step("what Flagger and Argo Rollouts write is stored as whole numbers", async () => {
        await create({ version: "v1alpha1", backends: [["web-v1", "100"], ["web-v2", "0"]] });
        for (const version of ["v1alpha1", "v1alpha2", "v1alpha3", "v1alpha4"]) {
          assert.deepEqual(await weightsAt(version), [100, 0], version);
        }
        await patch("v1alpha1", backendsOf("95", "5"));
        assert.deepEqual(await weightsAt("v1alpha2"), [95, 5]);
        await patch("v1alpha1", backendsOf("500m", "1500m"));
        assert.deepEqual(await weightsAt("v1alpha3"), [500, 1500]);
        for (const version of ["v1alpha2", "v1alpha3"]) {
          await patch(version, backendsOf(50, 50));
          assert.deepEqual(await weightsAt("v1alpha1"), [50, 50]);
        }
      });
      await t.step(
        "a split before its Service is a warning: together they have no order",
        async () => {
          const warned = await api.kubectlWarnings(
            splitOf({ name: "early", root: "later", backends: [["web-v1", 1]] }),
          );
          assert.match(warned, /Warning: spec\.service: .*later.*\(split-root-missing\)/);
          await remove("early");
        },
      );
      await t.step("a second plain split for one root is a warning", async () => {
        const warned = await api.kubectlWarnings(splitOf({ name: "web-again" }));
        assert.match(warned, /Warning: .*\(split-conflict\)/);
        await remove("web-again");
      });
      await t.step("a pattern that cannot be matched is refused", async () => {
        const group = {
          apiVersion: "specs.smi-spec.io/v1alpha4",
          kind: "HTTPRouteGroup",
          metadata: { name: "g", namespace: "app" },
          spec: { matches: [{ name: "m", pathRegex: "/(?=x)" }] },
        };
        await assert.rejects(api.apply(JSON.stringify(group)), /\(pattern-unsupported\)/);
      });
      await t.step("server-side apply is asked about in the same way", async () => {
        const body = splitOf({ backends: [["web-v1", -3]] });
        const path = `${pathOf("v1alpha4")}/web?fieldManager=gitops&force=true`;
        const type = "application/apply-patch+yaml";
        await assert.rejects(
          client.call("PATCH", path, { body, contentType: type }),
          /weight-negative/,
        );
      });
      await t.step("a namespace that is not in the mesh is not asked about", async () => {
        await create({ namespace: "other", backends: [["web-v1", -1]] });
      });
      await t.step("once the controller has ended, nothing is blocked", async () => {
        await controller.stop();
        await patch("v1alpha4", backendsOf(1, -1));
      });
    } finally {
      await controller.stop();
      client.close();
      await api.stop();
    }
  },
});
