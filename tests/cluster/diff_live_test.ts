/** `weft diff --live` on a real API server: what manifests would change is what has changed once kubectl has applied them. */
import { deepEqual, equal, match } from "node:assert/strict";
import { run } from "../../cli/run.ts";
import type { DiffReport } from "../../cli/diff/report.ts";
import { testEnvironment } from "../../console/testing.ts";
import { until } from "../support/until.ts";
import { endpointsManifest, serviceManifest } from "./app_manifests.ts";
import { HAS_API_SERVER, TestApiServer } from "./api_server.ts";

const SERVICES = `apiVersion: v1
kind: Namespace
metadata: {name: app}
${
  ["web", "web-v1", "web-v2"].map((name) => serviceManifest(name) + endpointsManifest(name, 8080))
    .join("")
}`;

function split(weight: number): string {
  return `apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: web, namespace: app}
spec:
  service: web
  backends: [{service: web-v1, weight: ${100 - weight}}, {service: web-v2, weight: ${weight}}]
`;
}

Deno.test({
  name: "diff --live: what a cluster would do otherwise, before and after kubectl apply",
  ignore: !HAS_API_SERVER,
  // Deno's clients of HTTP end their connections a little later.
  sanitizeResources: false,
  sanitizeOps: false,
  async fn() {
    const api = await TestApiServer.start();
    const live = async (stdin: string, ...argv: string[]) => {
      const environment = testEnvironment({ stdin });
      const all = ["diff", "--live", "--kubeconfig", api.kubeconfig, "-o", "json", ...argv];
      const code = await run(all, environment);
      const text = environment.stdout.text();
      const report: DiffReport | null = text === "" ? null : JSON.parse(text);
      return { code, report, complaint: environment.stderr.text() };
    };
    try {
      await api.apply(SERVICES);
      // Kinds that the cluster does not have yet are none.
      const first = await live(split(25), "-");
      equal(first.code, 1, first.complaint);
      await api.takesSplits();
      await until(
        "splits can be made",
        () => api.apply(split(25)).then(() => true, () => false),
        Boolean,
      );
      equal((await live(split(25), "-")).code, 0);
      const { code, report } = await live(split(50), "-");
      equal(code, 1);
      deepEqual(
        report?.requests.map(({ service, backends }) => [service, backends]),
        [[
          "app/web",
          [
            { backend: "app/web-v1", before: 0.75, after: 0.5 },
            { backend: "app/web-v2", before: 0.25, after: 0.5 },
          ],
        ]],
      );
      await api.apply(split(50));
      equal((await live(split(50), "-")).code, 0);
      const broken = await live(split(50).replace("backends", "backend"), "-");
      equal(broken.code, 3);
      match(broken.complaint, /^-:\d+:\d+ error field-unknown/);
      await api.kill();
      const away = await live(split(50), "-", "--request-timeout", "5s");
      equal(away.code, 3);
      match(
        away.complaint,
        /^weft: Could not access the Kubernetes cluster: .*\n {2}Check --kubeconfig/,
      );
    } finally {
      await api.stop();
    }
  },
});
