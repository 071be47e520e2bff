// Tests of `weft proxy` with real sockets and files: both ways to get a plan, edits good and bad, both signals.
import assert from "node:assert/strict";
import { get } from "node:http";
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

/** GET through the proxy; an empty answer where the connection was cut. */
function request(port: number, host: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    const cut = () => resolve({ status: 0, body: "" });
    const options = { host: "127.0.0.1", port, headers: { host }, agent: false };
    get(options, (answer) => {
      let body = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => body += chunk);
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body }));
      answer.on("error", cut);
    }).on("error", cut);
  });
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

function inFolder(test: (folder: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const folder = Deno.makeTempDirSync();
    try {
      await test(folder);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  };
}

for (const driver of DRIVERS) {
  Deno.test(
    `proxy, ${driver}: follows good edits, keeps the last good plan over bad ones, drains`,
    inFolder(async (folder) => {
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
    }),
  );

  Deno.test(
    `proxy, ${driver}: takes a compiled plan and its replacement`,
    inFolder(async (folder) => {
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

      sidecar.environment.sendStopSignal("SIGINT");
      assert.equal(await sidecar.code, 0);
      await Promise.all([one.server.shutdown(), two.server.shutdown()]);
    }),
  );

  Deno.test(
    `proxy, ${driver}: the first signal waits for the request under way, the second does not`,
    inFolder(async (folder) => {
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
    }),
  );
}

Deno.test(
  "proxy: what stops it from starting is one line and 1",
  inFolder(async (folder) => {
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
  }),
);
