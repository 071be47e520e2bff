/** `weft check` on a real API server: what is wrong with a cluster is found, with the way out. */
import assert from "node:assert/strict";
import { fieldsOf } from "../../controller/kube/fields.ts";
import { runCommand } from "../support/commands.ts";
import { testCertificates } from "../tls/certificates.ts";
import { HAS_API_SERVER } from "./api_server.ts";
import { withCommandLab } from "./command_lab.ts";

Deno.test({
  name: "check: what is wrong with a cluster is found, with the way out",
  ignore: !HAS_API_SERVER,
  async fn(t) {
    await withCommandLab(async (lab) => {
      const results = async (...args: string[]) => {
        const { out } = await lab.weft("check", "-o", "json", ...args);
        const found = JSON.parse(out) as {
          errors: number;
          results: { check: string; state: string; message: string; hint: string }[];
        };
        for (const { state, hint } of found.results) {
          if (state === "error" || state === "warning") assert.notEqual(hint, "");
        }
        return found;
      };
      const stateOf = async (check: string) => {
        const { results: all } = await results();
        return all.filter((each) => each.check === check)
          .map(({ state, message }) => `${state}: ${message}`).join("\n");
      };
      await t.step("before an installation", async () => {
        assert.equal((await results("--pre")).errors, 0);
        await lab.works("check", "--pre");
        const { code, out } = await lab.weft("check");
        assert.equal(code, 1);
        assert.match(out, /error +Weft is not installed/);
        const asViewer = ["--as", "viewer", "--as-group", "system:authenticated"];
        const { out: seen } = await lab.weft("check", "--pre", ...asViewer);
        assert.match(seen, /error +You may not get customresourcedefinitions/);
      });
      const stopPlaying = lab.playReady();
      await lab.works("install");
      await stopPlaying();
      await t.step("after it", async () => {
        const { errors, results: all } = await results();
        assert.equal(errors, 0, JSON.stringify(all, null, 1));
        assert.equal(await stateOf("controllers"), "ok: 2 of 2 controllers are ready");
        assert.match(await stateOf("certificates"), /^ok: .*\nok: .*good for 36[45] days$/);
        assert.match(await stateOf("webhooks"), /^ok: .*\nok: .*$/);
      });
      await t.step("no controller has made an authority yet, and no sidecar has one", async () => {
        assert.match(await stateOf("identity"), /^warning: 0 MeshRootCertificates are active/);
        const out = await lab.works("certificate", "status");
        assert.match(out, /^\n0 of 0 sidecars trust these roots; there is no controller\n$/);
        await lab.fails(/No MeshRootCertificate is active/, "certificate", "rotate");
        await lab.fails(/--to cannot be "x:"/, "certificate", "rotate", "--to", "x");
        await lab.fails(/needs --roots/, "certificate", "rotate", "--to", "files:/keys");
      });
      await t.step("a webhook that the API server does not reach, and two meshes", async () => {
        await lab.api.kubectl(["create", "namespace", "app"]);
        await lab.works("namespace", "add", "app");
        await lab.api.kubectl(["label", "namespace", "app", "istio-injection=enabled"]);
        assert.match(await stateOf("injection"), /^error: The API server does not reach/);
        assert.match(await stateOf("two-meshes"), /^error: .*Istio's mesh too/);
        await lab.api.kubectl(["label", "namespace", "app", "istio-injection-"]);
      });
      await t.step("rights, certificates, definitions and webhooks that are gone", async () => {
        await lab.api.kubectl(["delete", "clusterrolebinding", "weft-controller"]);
        assert.match(await stateOf("rights"), /^error: Controllers may not list namespaces/);
        await lab.api.kubectl(["delete", "rolebinding", "-n", "weft-system", "--all"]);
        assert.match(
          await stateOf("rights"),
          /create leases, get leases, update leases, get secrets, /,
        );
        await lab.api.kubectl(["delete", "crd", "trafficsplits.split.smi-spec.io"]);
        assert.match(await stateOf("definitions"), /error: .*trafficsplits.* is missing/);
        await lab.api.kubectl(["delete", "secret", "weft-ca", "-n", "weft-system"]);
        assert.match(await stateOf("certificates"), /^error: The authority is missing/);
        const other = JSON.stringify([{
          op: "replace",
          path: "/webhooks/0/clientConfig/caBundle",
          value: btoa(testCertificates().authority.chainPem),
        }]);
        await lab.api.kubectl(
          ["patch", "mutatingwebhookconfiguration", "weft-injector", "--type=json", "-p", other],
        );
        await lab.api.kubectl(["delete", "validatingwebhookconfiguration", "weft-validator"]);
        assert.match(
          await stateOf("webhooks"),
          /^error: .*weft-injector does not trust.*\nerror: .*weft-validator is missing$/,
        );
      });
      await t.step("an upgrade mends all of it", async () => {
        const stopPlaying = lab.playReady();
        await lab.works("upgrade");
        await stopPlaying();
        const wrong = (await results()).results.filter(({ state }) => state === "error");
        assert.deepEqual(wrong.map(({ check }) => check), ["injection"]);
      });
      await t.step("pods that were made before have no sidecar", async () => {
        await lab.works("namespace", "remove", "app");
        await lab.client.call("POST", "/api/v1/namespaces/app/pods", {
          body: {
            apiVersion: "v1",
            kind: "Pod",
            metadata: { name: "early" },
            spec: {
              containers: [{
                name: "app",
                image: "app",
                env: [{ name: "PASSWORD", value: "hunter2" }],
              }],
            },
          },
        });
        await lab.works("namespace", "add", "app");
        assert.match(await stateOf("sidecars"), /warning: In namespace app .*no sidecar: early/);
      });
      await t.step("a Secret that sidecars are pulled with, and that is not there", async () => {
        const config = (secrets: readonly string[]) =>
          lab.api.apply(JSON.stringify({
            apiVersion: "weft.dev/v1alpha1",
            kind: "MeshConfig",
            metadata: { name: "weft-mesh-config", namespace: "weft-system" },
            spec: { sidecar: { imagePullSecrets: secrets } },
          }));
        await config(["registry"]);
        const missing = /^warning: Namespace app has no Secret registry/;
        assert.match(await stateOf("pull-secrets"), missing);
        await lab.api.kubectl(["create", "secret", "generic", "registry", "-n", "app"]);
        assert.match(await stateOf("pull-secrets"), /^ok: .* has registry$/);
        const pod = JSON.stringify({
          apiVersion: "v1",
          kind: "Pod",
          spec: { containers: [{ name: "a" }] },
        });
        const file = `${lab.api.folder}/pod.yaml`;
        await Deno.writeTextFile(file, pod);
        assert.match(await lab.works("inject", "-f", file), /imagePullSecrets.*registry/s);
        await config([]);
      });
      await t.step("a shell is offered names of the cluster", async () => {
        const offered = (...words: string[]) => lab.works("complete", "--", ...words);
        assert.equal(await offered("namespace", "add", "weft-"), "weft-system\n:4\n");
        assert.equal(await offered("explain", "-n", "app", "--pod", ""), "early\n:4\n");
        assert.equal(
          await offered("proxy", "get", "routes", "--namespace", "app", "e"),
          "early\n:4\n",
        );
        assert.equal(await offered("check", "--context", ""), "test\n:4\n");
        await lab.api.apply(`
apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: web, namespace: app}
spec: {service: web, backends: [{service: web-v1, weight: 1}]}`);
        assert.equal(await offered("status", "-n", "app", ""), "trafficsplit/web\n:4\n");
      });
      await t.step("a bug report has all of that, and nothing that is secret", async () => {
        const folder = `${lab.api.folder}/report`;
        Deno.mkdirSync(folder);
        await lab.works("support", "bug-report", "-o", `${folder}/r.tar.gz`);
        const { code } = await runCommand("tar", ["-xzf", `${folder}/r.tar.gz`, "-C", folder]);
        assert.equal(code, 0);
        Deno.removeSync(`${folder}/r.tar.gz`);
        const { stdout: all } = await runCommand("grep", ["-r", "", folder]);
        for (const part of ["no sidecar: early", '"name": "early"', "weft-values", "v1.36"]) {
          assert.ok(all.includes(part), part);
        }
        const secrets = await lab.get("/api/v1/namespaces/weft-system/secrets/weft-ca");
        const key = String(fieldsOf(secrets["data"])["ca.key"]);
        for (const secret of ["hunter2", "PRIVATE KEY", key]) {
          assert.ok(!all.includes(secret), secret);
        }
      });
    });
  },
});
