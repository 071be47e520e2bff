// Tests of `weft proxy` with real sockets and files: both ways to get a plan, edits good and bad, both signals.
import assert from "node:assert/strict";
import { run } from "../cli/run.ts";
import { testEnvironment } from "../console/testing.ts";
import {
  manifest,
  planText,
  requestThrough,
  startApplication,
  startSidecar,
  testInFolder,
} from "./sidecar_for_test.ts";
import { DRIVERS } from "../tests/support/test_proxy.ts";

function egressYaml(host: string, port: number): string {
  return `
apiVersion: weft.dev/v1alpha1
kind: Egress
metadata: {name: e, namespace: app}
spec:
  sources: [{kind: ServiceAccount, name: curl, namespace: app}]
  hosts: [${host}]
  ports: [{number: ${port}, protocol: http}]
`;
}

for (const driver of DRIVERS) {
  testInFolder(
    `proxy, ${driver}: follows good edits, keeps the last good plan over bad ones, drains`,
    async (folder) => {
      const one = startApplication("one");
      const two = startApplication("two");
      const file = `${folder}/web.yaml`;
      Deno.writeTextFileSync(file, manifest(one.port));
      const sidecar = await startSidecar([
        "-f",
        folder,
        "--driver",
        driver,
        "--access-log",
        "json",
        // A name that the mesh does not know would be asked of the system's name servers.
        "--egress",
        "off",
      ]);
      const { environment, outbound } = sidecar;
      assert.deepEqual(await requestThrough(outbound, "web.app"), { status: 200, body: "one" });
      assert.equal((await requestThrough(outbound, "nowhere.nowhere")).status, 404);

      Deno.writeTextFileSync(file, manifest(two.port));
      await environment.stderr.until(/Plan applied/);
      assert.deepEqual(await requestThrough(outbound, "web.app"), { status: 200, body: "two" });

      Deno.writeTextFileSync(file, `${manifest(one.port)}broken: [`);
      await environment.stderr.until(/yaml-syntax[^]*Plan kept/);
      assert.deepEqual(await requestThrough(outbound, "web.app"), { status: 200, body: "two" });

      await environment.stdout.until(/(.*\n){4}/);
      const records = environment.stdout.text().trimEnd().split("\n").map((line) =>
        JSON.parse(line)
      );
      assert.deepEqual(records.map(({ status, backend }) => [status, backend]), [
        [200, "app/web"],
        [404, ""],
        [200, "app/web"],
        [200, "app/web"],
      ]);

      environment.sendStopSignal("SIGTERM");
      assert.equal(await sidecar.code, 0);
      assert.equal(
        (await requestThrough(outbound, "web.app")).status,
        0,
        "nothing listens any more",
      );
      await Promise.all([one.server.shutdown(), two.server.shutdown()]);
    },
  );

  testInFolder(
    `proxy, ${driver}: without egress, what leaves the mesh follows the Egresses of its caller`,
    async (folder) => {
      const outside = startApplication("outside");
      const { port } = outside;
      const file = `${folder}/web.yaml`;
      const write = (host: string) =>
        Deno.writeTextFileSync(file, `${manifest(port)}---\n${egressYaml(host, port)}`);
      write("127.0.0.1");
      const sidecar = await startSidecar([
        ...["-f", folder, "--driver", driver, "--egress", "off"],
        ...["-n", "app", "--service-account", "curl"],
      ]);
      const ask = () => requestThrough(sidecar.outbound, `127.0.0.1:${port}`);
      assert.deepEqual(await ask(), { status: 200, body: "outside" });
      write("other.example");
      await sidecar.environment.stderr.until(/Plan applied/);
      assert.equal((await ask()).status, 404);
      sidecar.environment.sendStopSignal("SIGTERM");
      assert.equal(await sidecar.code, 0);
      await outside.server.shutdown();
    },
  );

  testInFolder(
    `proxy, ${driver}: takes a compiled plan and its replacement`,
    async (folder) => {
      const one = startApplication("one");
      const two = startApplication("two");
      const file = `${folder}/plan.json`;
      const writePlan = async (port: number) => {
        Deno.writeTextFileSync(`${file}.new`, await planText(port));
        Deno.renameSync(`${file}.new`, file);
      };
      await writePlan(one.port);
      const sidecar = await startSidecar(["--plan", file, "--driver", driver]);
      assert.deepEqual(await requestThrough(sidecar.outbound, "web.app"), {
        status: 200,
        body: "one",
      });
      await writePlan(two.port);
      await sidecar.environment.stderr.until(/Plan applied/);
      assert.deepEqual(await requestThrough(sidecar.outbound, "web.app"), {
        status: 200,
        body: "two",
      });
      Deno.writeTextFileSync(file, "{}");
      await sidecar.environment.stderr.until(/Plan kept/);
      assert.deepEqual(await requestThrough(sidecar.outbound, "web.app"), {
        status: 200,
        body: "two",
      });

      const asked = testEnvironment();
      const admin = `127.0.0.1:${sidecar.admin}`;
      assert.equal(await run(["explain", "--admin", admin, "GET", "http://web.app/"], asked), 0);
      assert.match(asked.stdout.text(), /forwarded to app\/web, endpoint 127\.0\.0\.1:/);

      // As a Job's last container does, when its work is done.
      const quit = (method: string, headers = {}) =>
        fetch(`http://${admin}/quitquitquit`, { method, headers });
      const ofAPage = await quit("POST", { origin: "http://elsewhere.example" });
      assert.deepEqual([ofAPage.status, await ofAPage.text()], [
        403,
        "No web page may end this proxy\n",
      ]);
      const refused = await quit("GET");
      assert.deepEqual([refused.status, await refused.text()], [
        405,
        "Only POST is allowed here\n",
      ]);
      const accepted = await quit("POST");
      assert.deepEqual([accepted.status, await accepted.text()], [200, "draining\n"]);
      assert.equal(await sidecar.code, 0);
      await Promise.all([one.server.shutdown(), two.server.shutdown()]);
    },
  );

  testInFolder(
    `proxy, ${driver}: the first signal waits for the requestThrough under way, the second does not`,
    async (folder) => {
      for (const signals of [1, 2]) {
        const answered = Promise.withResolvers<void>();
        const application = startApplication("late", answered.promise);
        Deno.writeTextFileSync(`${folder}/web.yaml`, manifest(application.port));
        const sidecar = await startSidecar(["-f", folder, "--driver", driver]);
        const answer = requestThrough(sidecar.outbound, "web.app");
        await application.asked;
        sidecar.environment.sendStopSignal("SIGTERM");
        await sidecar.environment.stderr.until(/Draining/);
        if (signals === 2) {
          sidecar.environment.sendStopSignal("SIGTERM");
          assert.equal(await sidecar.code, 1);
          assert.equal((await answer).status, 0, "it was cut");
          answered.resolve();
        } else {
          answered.resolve();
          assert.deepEqual(await answer, { status: 200, body: "late" });
          assert.equal(await sidecar.code, 0);
        }
        await application.server.shutdown();
      }
    },
  );
}

testInFolder(
  "proxy: what stops it from starting is one line and 1",
  async (folder) => {
    const application = startApplication("one");
    const busy = `127.0.0.1:${application.port}`;
    const good = `${folder}/good.yaml`;
    Deno.writeTextFileSync(good, manifest(application.port));
    const none = ["--plan", `${folder}/none.json`];
    const certificate = ["--upstream-tls-name", "a", "--upstream-tls-ca", `${folder}/none.pem`];
    for (
      const { argv, complaint } of [
        { argv: ["-f", good, "--outbound", busy], complaint: /Cannot start the proxy: .*in use/ },
        { argv: ["-f", good, "--outbound", ":0", "--admin", busy], complaint: /admin.*in use/ },
        { argv: [...none, "--admin", busy], complaint: /admin.*in use/ },
        { argv: [...none, ...certificate], complaint: /none\.pem": no such file/ },
      ]
    ) {
      const environment = testEnvironment();
      assert.equal(await run(["proxy", ...argv], environment), 1, argv.join(" "));
      const lines = environment.stderr.text().trimEnd().split("\n");
      assert.match(lines[lines.length - 1], complaint);
      assert.doesNotMatch(environment.stderr.text(), /^\s+at /m, "a stack trace");
    }
    await application.server.shutdown();
  },
);

testInFolder(
  "proxy: says at the start that it enforces no targets on callers whom it does not ask who they are",
  async (folder) => {
    const application = startApplication("one");
    Deno.writeTextFileSync(`${folder}/web.yaml`, manifest(application.port));
    const inbound = ["--app", `127.0.0.1:${application.port}`, "--inbound", "127.0.0.1:0"];
    for (const [more, isSaid] of [[["--enforce-access"], true], [[], false]] as const) {
      const sidecar = await startSidecar(["-f", folder, ...inbound, ...more]);
      const { stderr } = sidecar.environment;
      assert.equal(stderr.text().includes("not enforced on inbound requests"), isSaid);
      sidecar.environment.sendStopSignal("SIGTERM");
      assert.equal(await sidecar.code, 0);
    }
    await application.server.shutdown();
  },
);
