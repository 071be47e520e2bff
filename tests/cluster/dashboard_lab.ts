/**
 * The dashboard of examples/ on a real Prometheus, which reads a controller and a sidecar at work: every panel has an answer, for each
 * choice of its variables. `dashboard_test.ts` runs it.
 */
import assert from "node:assert/strict";
import { ADMIN_PORT } from "../../controller/install/objects.ts";
import { chosen, panelQueries, VARIABLES } from "../prometheus/dashboard.ts";
import { Prometheus } from "../prometheus/prometheus.ts";
import { until } from "../support/until.ts";
import { APP_NAMESPACE } from "./app_manifests.ts";
import { LAB_ADDRESS, TestApiServer } from "./api_server.ts";
import { application, appService, backendsOf, TestMesh } from "./test_mesh.ts";

const SPLITS = "/apis/split.smi-spec.io/v1alpha4/namespaces/app/trafficsplits";

const SPLIT_BY_PATH = `---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: all, namespace: app}
spec: {matches: [{name: any, pathRegex: "/.*", methods: ["*"]}]}
---
apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: web, namespace: app}
spec:
  service: web
  matches: [{kind: HTTPRouteGroup, name: all}]
  backends: ${JSON.stringify(backendsOf(50, 50))}
`;

/** `label_values(SERIES, LABEL)`, by which a variable gets its values. */
const LABEL_VALUES = /^label_values\((.+), (\w+)\)$/;

Deno.test("dashboard: every panel has an answer of a real Prometheus", async () => {
  const mesh = new TestMesh(await TestApiServer.start());
  const { api } = mesh;
  const works = application("v1");
  const fails = Deno.serve(
    { hostname: LAB_ADDRESS, port: 0, onListen() {} },
    () => new Response("broken", { status: 500 }),
  );
  try {
    for (const plural of ["trafficsplits", "httproutegroups"]) {
      await api.apply(Deno.readTextFileSync(`schemas/crds/${plural}.yaml`));
    }
    await api.established("trafficsplits.split.smi-spec.io", "httproutegroups.specs.smi-spec.io");
    await api.apply(`${APP_NAMESPACE}---
apiVersion: v1
kind: ServiceAccount
metadata: {name: default, namespace: app}
${appService("web", works.addr.port)}${appService("web-v1", works.addr.port)}${
      appService("web-v2", fails.addr.port)
    }${appService("gone", 1)}${SPLIT_BY_PATH}`);
    await mesh.startController();
    const token = await api.kubectl(
      ["create", "token", "default", "--namespace", "app", "--audience", "weft"],
    );
    const proxy = mesh.startProxy(token);
    await mesh.serving(proxy);
    const admin = (await proxy.printed(/"admin":"(127\.0\.0\.1:\d+)"/)).match[1];
    await using prometheus = await Prometheus.start(`${LAB_ADDRESS}:${ADMIN_PORT}`, admin);
    let share = 50;
    /** One more of all that a panel shows. */
    const happen = async () => {
      for (const host of ["web.app", "web.app", "gone.app"]) await mesh.ask(host);
      share = 100 - share + 1;
      await mesh.client.call("PATCH", `${SPLITS}/web`, {
        body: { spec: { backends: backendsOf(share, 100 - share) } },
        contentType: "application/merge-patch+json",
      });
    };
    const variable = VARIABLES.find(({ name }) => name === "split");
    assert.ok(typeof variable?.query === "object");
    const [, series, label] = LABEL_VALUES.exec(variable.query.query) ?? [];
    const splits = await until("Prometheus knows a split", async () => {
      await happen();
      return prometheus.labelValues(label, series);
    }, (known) => known.length > 0);
    assert.deepEqual(splits, ["app/web"]);
    for (const split of [".+", chosen(splits)]) {
      for (const { name, text } of panelQueries({ split })) {
        await until(`${name} for ${split}`, async () => {
          await happen();
          return (await prometheus.results(text)).map(({ value }) => value);
        }, (values) => values.some(Number.isFinite));
      }
    }
  } finally {
    await mesh.stop();
    await works.shutdown();
    await fails.shutdown();
  }
});
