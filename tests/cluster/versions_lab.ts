/**
 * Controllers and proxies of two versions side by side: `WEFT_OLD_EXECUTABLE` names the compiled file of the other one. `versions_test.ts`
 * runs it.
 */
import { APP_NAMESPACE } from "./app_manifests.ts";
import assert from "node:assert/strict";
import { TestApiServer } from "./api_server.ts";
import { application, appService, appSplit, TestMesh } from "./test_mesh.ts";

const OLD = Deno.env.get("WEFT_OLD_EXECUTABLE");

/** Requests one after the other, until it is stopped; what was answered that is no answer of an application. */
function steadily(mesh: TestMesh): () => Promise<readonly string[]> {
  const failures: string[] = [];
  let isOver = false;
  let count = 0;
  const asking = (async () => {
    while (!isOver) {
      const answer = await mesh.ask();
      if (!/^v[12]$/.test(answer)) failures.push(answer);
      count++;
    }
  })();
  return async () => {
    isOver = true;
    await asking;
    console.log(`${count} requests`);
    return failures;
  };
}

Deno.test("versions: a controller and a proxy of two versions, an upgrade and the way back", async (t) => {
  const api = await TestApiServer.start();
  const mesh = new TestMesh(api);
  const applications = ["v1", "v2"].map((name) => application(name));
  const [v1, v2] = applications.map(({ addr }) => addr.port);
  const services = [["web", v1], ["web-v1", v1], ["web-v2", v2]] as const;
  try {
    await api.takesSplits();
    await api.apply(`${APP_NAMESPACE}---
apiVersion: v1
kind: ServiceAccount
metadata: {name: default, namespace: app}
${services.map(([name, port]) => appService(name, port)).join("")}`);
    const token = await api.kubectl(
      ["create", "token", "default", "--namespace", "app", "--audience", "weft"],
    );
    const sends = async (name: string) => {
      await api.apply(appSplit("v1alpha4", name === "v1" ? 100 : 0, name === "v2" ? 100 : 0));
      await mesh.answers(name);
    };
    const versions = [["old", OLD], ["new", undefined]] as const;
    for (const [i, [name, executable]] of versions.entries()) {
      const [otherName, other] = versions[1 - i];
      await t.step(`${name} controller, ${otherName} proxy`, async () => {
        let controller = await mesh.startController(executable);
        const proxy = mesh.startProxy(token, ["--state-dir", `${api.folder}/${name}`], other);
        await mesh.serving(proxy);
        for (const answer of ["v1", "v2"]) await sends(answer);
        const stop = steadily(mesh);
        // The controllers are another version, and then again what they were.
        for (const [next, answer] of [[other, "v1"], [executable, "v2"]] as const) {
          assert.equal(await controller.stop("SIGTERM"), 0);
          controller = await mesh.startController(next);
          await sends(answer);
        }
        assert.deepEqual(await stop(), []);
        assert.doesNotMatch(proxy.output, /Plan refused|not understood/);
        await proxy.stop("SIGTERM");
        // A proxy of the controller's version begins with what the other one has saved.
        assert.equal(await controller.stop("SIGTERM"), 0);
        const args = ["--state-dir", `${api.folder}/${name}`];
        const successor = mesh.startProxy(token, args, executable);
        await mesh.serving(successor);
        assert.equal(await mesh.ask(), "v2");
        controller = await mesh.startController(executable);
        await sends("v1");
        await successor.stop("SIGTERM");
        assert.equal(await controller.stop("SIGTERM"), 0);
      });
    }
  } finally {
    await mesh.stop();
    for (const each of applications) await each.shutdown();
  }
});
