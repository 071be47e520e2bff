// Tests of `weft proxy` with real sockets and files: both ways to get a plan, edits good and bad, both signals.
import assert from "node:assert/strict";
import { run } from "../run.ts";
import { type TestEnvironment, testEnvironment } from "../testing.ts";

const DRIVERS = Deno.build.os === "linux" ? ["native", "portable"] : ["portable"];

/** A Service `web.app:80` in front of an application on this machine. */
function manifest(applicationPort: number): string {
  return `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: app}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
addressType: IPv4
metadata: {name: web, namespace: app, labels: {kubernetes.io/service-name: web}}
ports: [{name: http, port: ${applicationPort}}]
endpoints: [{addresses: [127.0.0.1]}]
`;
}

/** An application that answers with its name, or when it is told to. */
function startApplication(name: string, answered: Promise<unknown> = Promise.resolve()) {
  const asked = Promise.withResolvers<void>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async () => {
    asked.resolve();
    await answered;
    return new Response(name);
  });
  return { server, port: server.addr.port, asked: asked.promise };
}

/**
 * GET through the proxy; status 0 where the connection was refused or cut. By hand, because node:http of Deno 2.6 does not
 * say when a connection is cut before the answer.
 */
async function request(port: number, host: string): Promise<{ status: number; body: string }> {
  let text = "";
  try {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(
      new TextEncoder().encode(`GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`),
    );
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(65_536);
    for (let size; (size = await connection.read(buffer)) !== null;) {
      text += decoder.decode(buffer.subarray(0, size), { stream: true });
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionRefused)) {
      assert.ok(error instanceof Deno.errors.ConnectionReset, String(error));
    }
  }
  const [head, body = ""] = text.split("\r\n\r\n");
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0), body };
}

interface RunningSidecar {
  readonly environment: TestEnvironment;
  readonly code: Promise<number>;
  readonly outbound: number;
  readonly admin: number;
}

/** Starts `weft proxy` on free ports and waits for it to say where it listens. */
async function startSidecar(argv: string[]): Promise<RunningSidecar> {
  const environment = testEnvironment();
  const ports = ["--outbound", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
  const code = run(["proxy", ...argv, ...ports], environment);
  const ended = code.then((code) => {
    throw new Error(`The proxy ended with ${code}: ${environment.stderr.text()}`);
  });
  await Promise.race([environment.stderr.until(/Proxy started/), ended]);
  // It ends well later on.
  ended.catch(() => {});
  const started = environment.stderr.text().split("\n").find((line) => /Proxy started/.test(line));
  const { outbound, admin } = JSON.parse(started ?? "");
  const portOf = (place: string) => Number(place.split(":")[1]);
  return { environment, code, outbound: portOf(outbound), admin: portOf(admin) };
}

/** A test with a folder of its own. */
function testInFolder(name: string, test: (folder: string) => Promise<void>): void {
  Deno.test({
    name,
    // The native driver opens the C library once for the life of the process.
    sanitizeResources: false,
    async fn() {
      const folder = Deno.makeTempDirSync();
      try {
        await test(folder);
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
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
      assert.deepEqual(await request(outbound, "web.app"), { status: 200, body: "one" });
      assert.equal((await request(outbound, "nowhere.nowhere")).status, 404);

      Deno.writeTextFileSync(file, manifest(two.port));
      await environment.stderr.until(/Plan applied/);
      assert.deepEqual(await request(outbound, "web.app"), { status: 200, body: "two" });

      Deno.writeTextFileSync(file, `${manifest(one.port)}broken: [`);
      await environment.stderr.until(/yaml-syntax[^]*Plan kept/);
      assert.deepEqual(await request(outbound, "web.app"), { status: 200, body: "two" });

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
      assert.equal((await request(outbound, "web.app")).status, 0, "nobody listens any more");
      await Promise.all([one.server.shutdown(), two.server.shutdown()]);
    },
  );

  testInFolder(
    `proxy, ${driver}: takes a compiled plan and its replacement`,
    async (folder) => {
      const one = startApplication("one");
      const two = startApplication("two");
      const file = `${folder}/plan.json`;
      const writePlan = async (port: number) => {
        const environment = testEnvironment({ stdin: manifest(port) });
        assert.equal(await run(["dry-run", "-f", "-", "-o", "plan"], environment), 0);
        Deno.writeTextFileSync(`${file}.new`, environment.stdout.text());
        Deno.renameSync(`${file}.new`, file);
      };
      await writePlan(one.port);
      const sidecar = await startSidecar(["--plan", file, "--driver", driver]);
      assert.deepEqual(await request(sidecar.outbound, "web.app"), { status: 200, body: "one" });
      await writePlan(two.port);
      await sidecar.environment.stderr.until(/Plan applied/);
      assert.deepEqual(await request(sidecar.outbound, "web.app"), { status: 200, body: "two" });
      Deno.writeTextFileSync(file, "{}");
      await sidecar.environment.stderr.until(/Plan kept/);
      assert.deepEqual(await request(sidecar.outbound, "web.app"), { status: 200, body: "two" });

      const asked = testEnvironment();
      const admin = `127.0.0.1:${sidecar.admin}`;
      assert.equal(await run(["explain", "--admin", admin, "GET", "http://web.app/"], asked), 0);
      assert.match(asked.stdout.text(), /forwarded to app\/web, endpoint 127\.0\.0\.1:/);

      // As a Job's last container does, when its work is done.
      const quit = (method: string) => fetch(`http://${admin}/quitquitquit`, { method });
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
    `proxy, ${driver}: the first signal waits for the request under way, the second does not`,
    async (folder) => {
      for (const signals of [1, 2]) {
        const answered = Promise.withResolvers<void>();
        const application = startApplication("late", answered.promise);
        Deno.writeTextFileSync(`${folder}/web.yaml`, manifest(application.port));
        const sidecar = await startSidecar(["-f", folder, "--driver", driver]);
        const answer = request(sidecar.outbound, "web.app");
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
    Deno.writeTextFileSync(`${folder}/bad.yaml`, "a: [");
    Deno.writeTextFileSync(`${folder}/plan.json`, "{}");
    for (
      const { argv, complaint } of [
        { argv: ["-f", good, "--outbound", busy], complaint: /Cannot start the proxy: .*in use/ },
        { argv: ["-f", good, "--outbound", ":0", "--admin", busy], complaint: /admin.*in use/ },
        { argv: ["-f", `${folder}/bad.yaml`], complaint: /The manifests have errors/ },
        { argv: ["--plan", `${folder}/none.json`], complaint: /none\.json": no such file/ },
        { argv: ["--plan", `${folder}/plan.json`], complaint: /The text is not a plan/ },
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
