// Without a plan `weft proxy` waits for one: not ready, and it says why; whatever is wrong with the source, and until that changes.
import assert from "node:assert/strict";
import { createLog } from "../base/log.ts";
import { until } from "../tests/support/until.ts";
import { PlanFollower } from "./follow_plan.ts";
import {
  hasStarted,
  manifest,
  planText,
  requestThrough,
  start,
  startApplication,
  startWaiting,
  testInFolder,
} from "./sidecar_for_test.ts";
import { DRIVERS } from "../tests/support/test_proxy.ts";
import { freePort } from "../tests/support/free_port.ts";

type Waiting = Awaited<ReturnType<typeof startWaiting>>;

async function ask({ admin }: Waiting, path: string, method = "GET"): Promise<[number, string]> {
  const response = await fetch(`http://127.0.0.1:${admin}${path}`, { method });
  return [response.status, await response.text()];
}

/** Whether the port takes connections. */
async function isOpen(port: number): Promise<boolean> {
  return (await requestThrough(port, "web.app")).status !== 0;
}

interface Fault {
  readonly what: string;
  /** Makes the fault; returns the paths of the source. */
  readonly make: (folder: string) => string[];
  readonly reason: RegExp;
}

const write = (path: string, text: string) => {
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  Deno.writeTextFileSync(path, text);
  return path;
};

const PLAN_FAULTS: readonly Fault[] = [
  {
    what: "no file",
    make: (folder) => [`${folder}/plan.json`],
    reason: /Cannot read plan .*plan\.json.*: no such file/,
  },
  {
    what: "no folder",
    make: (folder) => [`${folder}/etc/weft/plan.json`],
    reason: /no such file/,
  },
  {
    what: "empty",
    make: (folder) => [write(`${folder}/plan.json`, "")],
    reason: /Cannot use plan .*: The plan is not JSON/,
  },
  {
    what: "no plan",
    make: (folder) => [write(`${folder}/plan.json`, "{}")],
    reason: /The text is not a plan/,
  },
  {
    what: "another version",
    make: (folder) => [write(`${folder}/plan.json`, `{"version":0}`)],
    reason: /The plan has version 0/,
  },
  {
    what: "a folder",
    make(folder) {
      Deno.mkdirSync(`${folder}/plan.json`);
      return [`${folder}/plan.json`];
    },
    reason: /Cannot read plan/,
  },
];

const MANIFEST_FAULTS: readonly Fault[] = [
  {
    what: "no file",
    make: (folder) => [`${folder}/web.yaml`],
    reason: /The manifests have errors: There is no such file or directory/,
  },
  {
    what: "no folder",
    make: (folder) => [`${folder}/manifests`],
    reason: /There is no such file or directory/,
  },
  {
    what: "no folder above",
    make: (folder) => [`${folder}/etc/weft/web.yaml`],
    reason: /There is no such file or directory/,
  },
  {
    what: "an empty folder",
    make(folder) {
      Deno.mkdirSync(`${folder}/manifests`);
      return [`${folder}/manifests`];
    },
    reason: /The directory has no/,
  },
  {
    what: "broken",
    make: (folder) => [write(`${folder}/web.yaml`, "a: [")],
    reason: /The manifests have errors/,
  },
  {
    what: "one of two missing",
    make(folder) {
      write(`${folder}/other.yaml`, manifest(1).replaceAll("app", "other"));
      return [`${folder}/web.yaml`, `${folder}/other.yaml`];
    },
    reason: /There is no such file or directory/,
  },
];

/** What the source becomes once it is good. */
async function repair([flag, path]: readonly string[], application: number): Promise<void> {
  const text = flag === "--plan" ? await planText(application) : manifest(application);
  const isFile = /\.(json|yaml)$/.test(path);
  if (isFile && await Deno.stat(path).then((info) => info.isDirectory, () => false)) {
    Deno.removeSync(path);
  }
  write(isFile ? path : `${path}/web.yaml`, text);
}

const FAULTS = [
  ...PLAN_FAULTS.map((fault) => ({ flag: "--plan", ...fault })),
  ...MANIFEST_FAULTS.map((fault) => ({ flag: "-f", ...fault })),
];
for (const { flag, what, make, reason } of FAULTS) {
  testInFolder(
    `proxy ${flag}, ${what}: waits, not ready, says why, and takes the plan that comes`,
    async (folder) => {
      const application = startApplication("one");
      const source = [flag, ...make(folder)];
      const port = freePort();
      const waiting = await startWaiting([...source, "--outbound", `127.0.0.1:${port}`]);
      const { stderr } = waiting.environment;
      assert.match(stderr.text(), reason);
      const [status, text] = await ask(waiting, "/readyz");
      assert.equal(status, 503);
      assert.match(text, /^not ready: waiting for a plan: /);
      assert.match(text, reason);
      assert.deepEqual(await ask(waiting, "/healthz"), [200, "ok\n"]);
      assert.equal((await ask(waiting, "/metrics"))[0], 200);
      for (const path of ["/plan", "/explain?url=http://web.app/", "/tap"]) {
        const [status, text] = await ask(waiting, path);
        assert.equal(status, 503, path);
        assert.match(text, /^waiting for a plan: /, path);
      }
      assert.equal(await isOpen(port), false, "nothing is accepted that cannot be served");

      await repair(source, application.port);
      await hasStarted(waiting);
      assert.deepEqual(await requestThrough(port, "web.app"), { status: 200, body: "one" });
      assert.deepEqual(await ask(waiting, "/readyz"), [200, "ready\n"]);
      waiting.environment.sendStopSignal("SIGTERM");
      assert.equal(await waiting.code, 0);
      await application.server.shutdown();
    },
  );
}

const ENDS: Readonly<Record<string, (waiting: Waiting) => unknown>> = {
  SIGTERM: ({ environment }) => environment.sendStopSignal("SIGTERM"),
  SIGINT: ({ environment }) => environment.sendStopSignal("SIGINT"),
  "POST /quitquitquit": (waiting) => ask(waiting, "/quitquitquit", "POST"),
};
for (const [how, end] of Object.entries(ENDS)) {
  for (const driver of DRIVERS) {
    testInFolder(
      `proxy, ${driver}: ${how} ends one that waits, at once and with 0`,
      async (folder) => {
        // No client can have come, so nothing is waited for.
        const argv = ["--plan", `${folder}/plan.json`, "--accept-timeout", "1h"];
        const waiting = await startWaiting([...argv, "--driver", driver]);
        await end(waiting);
        assert.equal(await waiting.code, 0);
      },
    );
  }
}

for (const workers of ["0", "2"]) {
  testInFolder(
    `proxy, --workers ${workers}: a port that is taken when the first plan comes ends it with one line`,
    async (folder) => {
      const application = startApplication("one");
      const busy = ["--outbound", `127.0.0.1:${application.port}`, "--workers", workers];
      const source = ["--plan", `${folder}/plan.json`];
      const waiting = await startWaiting([...source, ...busy]);
      await repair(source, application.port);
      assert.equal(await waiting.code, 1);
      const lines = waiting.environment.stderr.text().trimEnd().split("\n");
      assert.match(lines[lines.length - 1], /^weft: Cannot start the proxy: .*in use/);
      await application.server.shutdown();
    },
  );
}

/** It does not come back from this test, which is about what reads the plan and not about the proxy. */
const IS_OLD_DENO = Deno.version.deno.startsWith("2.6.");

testInFolder("proxy: a source that does not end does not hold up the end", async (folder) => {
  const pipe = `${folder}/plan.json`;
  new Deno.Command("mkfifo", { args: [pipe] }).outputSync();
  const admin = freePort();
  const waiting = { ...start(["--plan", pipe, "--admin", `127.0.0.1:${admin}`]), admin };
  const notYet = (text: string) => /waiting for a plan: it has not been read yet/.test(text);
  await until("it waits", () => ask(waiting, "/readyz").then(([, text]) => text, String), notYet);
  waiting.environment.sendStopSignal("SIGTERM");
  assert.equal(await waiting.code, 0);
  // Also for reading: a pipe that is opened for writing alone waits for a reader.
  Deno.openSync(pipe, { read: true, write: true }).close();
}, IS_OLD_DENO);

Deno.test("plan follower: says again and again that it waits, and no more once it does not", async () => {
  const lines: string[] = [];
  const readings = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
  const { plan } = JSON.parse(`{"plan":${await planText(1)}}`);
  let reads = 0;
  const follower = new PlanFollower({
    source: {
      paths: [],
      recursive: false,
      async read() {
        const problem = await readings[reads++].promise;
        return { plan: problem === "" ? plan : null, findings: [], problem };
      },
    },
    serve: () => Promise.resolve(),
    restore: () => Promise.resolve(),
    keeper: null,
    log: createLog({
      level: "info",
      format: "human",
      sink: (line) => void lines.push(line),
      now: () => 0,
    }),
    report() {},
    where: { admin: "here" },
    onFirst: () => void lines.push("first"),
    onFailure: () => assert.fail(),
    noticeIntervalMs: 5,
  });
  follower.start();
  readings[0].resolve("no such file");
  await until("several notices", () => lines.length, (count) => count > 3);
  assert.equal(new Set(lines).size, 1);
  assert.match(lines[0], /Waiting for a plan.*no such file.*here/);
  await follower.stop();
});
