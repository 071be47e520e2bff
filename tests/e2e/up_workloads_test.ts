// `weft up` with workloads of one's own: --run, --endpoint, weft.local.yaml, `weft request`, and that nothing is left
// running.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { isAccepting } from "../../local/places.ts";
import { until } from "../support/until.ts";
import { runWeft, startUp, type UpMesh, WeftProcess } from "./weft_process.ts";

const CANARY = fileURLToPath(new URL("../../examples/canary", import.meta.url));

/** Answers with its environment; `/exit` ends it. It starts a child of its own, which must not outlive it either. */
const SERVER = `
const sleeper = new Deno.Command("sleep", { args: ["600"] }).spawn();
console.log("serving with child", sleeper.pid);
Deno.serve({ hostname: Deno.args[0], port: Number(Deno.args[1]), onListen() {} }, (request) => {
  if (new URL(request.url).pathname === "/exit") Deno.exit(7);
  const names = ["HOST", "PORT", "POD_NAME", "POD_NAMESPACE", "http_proxy", "GREETING"];
  const env = Object.fromEntries(names.map((name) => [name, Deno.env.get(name) ?? null]));
  return Response.json({ pid: Deno.pid, sleeper: sleeper.pid, env });
});
`;

interface Answer {
  readonly pid: number;
  readonly sleeper: number;
  readonly env: Readonly<Record<string, string | null>>;
}

async function request(mesh: UpMesh, args: readonly string[]) {
  const place = mesh.sidecars.get("curl");
  assert.ok(place !== undefined);
  return await runWeft(["request", "--mesh", place, ...args]);
}

function isRunning(pid: number): boolean {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/stat`);
    // Killed, and not yet seen by its parent.
    return !/\) Z /.test(status);
  } catch {
    return false;
  }
}

Deno.test({
  name: "up: --run plays a workload, is started again when it dies, and is gone after SIGTERM",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const directory = Deno.makeTempDirSync({ prefix: "weft-e2e-" });
    const server = `${directory}/server.ts`;
    Deno.writeTextFileSync(server, SERVER);
    const command = `GREETING=hello ${Deno.execPath()} run -A ${server} {host} {port}`;
    const mesh = await startUp(["-f", CANARY, "--run", `httpbin-v1=${command}`]);
    const pids: number[] = [];
    try {
      const ask = async (): Promise<Answer> => {
        const { code, stdout, stderr } = await request(mesh, ["httpbin.httpbin:8080/demo"]);
        assert.equal(code, 0, stderr);
        const answer: Answer = JSON.parse(stdout);
        pids.push(answer.pid, answer.sleeper);
        return answer;
      };
      const first = await ask();
      assert.deepEqual(first.env, {
        HOST: "127.167.50.168",
        PORT: "8080",
        POD_NAME: "httpbin-v1-0",
        POD_NAMESPACE: "httpbin",
        http_proxy: `http://${mesh.sidecars.get("httpbin")}`,
        GREETING: "hello",
      });
      assert.match(mesh.weft.output, /httpbin\/httpbin-v1-0 \| serving with child \d+/);

      const from = mesh.weft.output.length;
      await request(mesh, ["httpbin.httpbin:8080/exit"]);
      const died = await mesh.weft.printed(/httpbin-v1-0 ended \(exit code 7\)/, from);
      const ready = await mesh.weft.printed(/httpbin-v1-0 accepts connections/, died.end);
      await mesh.weft.printed(/plan [0-9a-f]{12} is served/, ready.end);
      const second = await ask();
      assert.notEqual(second.pid, first.pid);
    } finally {
      assert.equal(await mesh.weft.stop("SIGTERM"), 0, mesh.weft.output);
      Deno.removeSync(directory, { recursive: true });
    }
    assert.equal(pids.length, 4);
    for (const pid of pids) {
      await until(`process ${pid} is gone`, () => isRunning(pid), (isIt) => !isIt);
    }
    for (const place of mesh.sidecars.values()) {
      const [address, port] = place.split(":");
      assert.equal(await isAccepting({ address, port: Number(port) }), false);
    }
  },
});

/** Accepts, and does not end by SIGTERM: says that it came by making a file. */
const STUBBORN = `
Deno.addSignalListener("SIGTERM", () => Deno.writeTextFileSync(Deno.args[2], ""));
Deno.serve({ hostname: Deno.args[0], port: Number(Deno.args[1]), onListen() {} }, () => new Response(String(Deno.pid)));
`;
/** Less than what a command has for its end. */
const AT_ONCE_MS = 4_000;

Deno.test({
  name: "up: a second signal ends it at once, with what does not end by the first",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const directory = Deno.makeTempDirSync({ prefix: "weft-e2e-" });
    const server = `${directory}/server.ts`;
    Deno.writeTextFileSync(server, STUBBORN);
    const told = `${directory}/told`;
    const command = `${Deno.execPath()} run -A ${server} {host} {port} ${told}`;
    const mesh = await startUp(["-f", CANARY, "--run", `httpbin-v1=${command}`]);
    const { stdout } = await request(mesh, ["httpbin.httpbin:8080/demo"]);
    const ended = mesh.weft.stop("SIGINT");
    await until("the first signal", () => Deno.stat(told).then(() => true, () => false), Boolean);
    const startedAt = performance.now();
    await mesh.weft.stop("SIGTERM");
    assert.ok(performance.now() - startedAt < AT_ONCE_MS);
    await ended;
    await until("the child is gone", () => isRunning(Number(stdout)), (isIt) => !isIt);
    Deno.removeSync(directory, { recursive: true });
  },
});

Deno.test("up: --endpoint sends to what already runs; weft request -i -X -H -d shows all of it", async () => {
  const seen: string[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (incoming) => {
      const text = await incoming.text();
      seen.push(`${incoming.method} ${new URL(incoming.url).pathname} ${text}`);
      return new Response(`from ${incoming.headers.get("x-me")}\n`, { status: 201 });
    },
  );
  const mesh = await startUp([
    "-f",
    CANARY,
    "--endpoint",
    `httpbin-v1=127.0.0.1:${server.addr.port}`,
  ]);
  try {
    const { code, stdout } = await request(mesh, [
      ...["-i", "-X", "PUT", "-H", "X-Me: test", "-d", "data", "-n", "2"],
      "http://httpbin-v1.httpbin:8080/demo",
    ]);
    assert.equal(code, 0);
    assert.equal(stdout.match(/^HTTP\/1\.1 201 Created$/gm)?.length, 2, stdout);
    assert.equal(stdout.match(/^from test$/gm)?.length, 2, stdout);
    assert.deepEqual(seen, ["PUT /demo data", "PUT /demo data"]);

    const unknown = await request(mesh, ["--fail", "http://nowhere.httpbin:8080/"]);
    assert.equal(unknown.code, 1, unknown.stdout);
  } finally {
    assert.equal(await mesh.weft.stop(), 0, mesh.weft.output);
    await server.shutdown();
  }
});

Deno.test("up: weft.local.yaml beside the manifests; weft request --from", async () => {
  const directory = Deno.makeTempDirSync({ prefix: "weft-e2e-" });
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("mine\n"),
  );
  for (const { name, isFile } of Deno.readDirSync(CANARY)) {
    if (isFile) Deno.copyFileSync(`${CANARY}/${name}`, `${directory}/${name}`);
  }
  Deno.writeTextFileSync(
    `${directory}/weft.local.yaml`,
    `endpoints:\n  httpbin/httpbin-v2: localhost:${server.addr.port}\n  httpbin-v3: localhost:1\n`,
  );
  const mesh = await startUp(["-f", directory]);
  try {
    assert.match(mesh.weft.output, /No workload or pod is named "httpbin-v3"/);
    const own = await request(mesh, ["--from", "httpbin", "httpbin-v2:8080/"]);
    assert.equal(own.stdout, "mine\n", own.stderr);
    const other = await request(mesh, ["--from", "shop", "httpbin-v2:8080/"]);
    assert.equal(other.code, 1);
    assert.match(other.stderr, /curl, httpbin/);
  } finally {
    assert.equal(await mesh.weft.stop(), 0, mesh.weft.output);
    await server.shutdown();
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("up: a namespace that appears later is told its listener, and weft request finds it; so is a mended file", async () => {
  const directory = Deno.makeTempDirSync({ prefix: "weft-e2e-" });
  for (const { name, isFile } of Deno.readDirSync(CANARY)) {
    if (isFile) Deno.copyFileSync(`${CANARY}/${name}`, `${directory}/${name}`);
  }
  const mesh = await startUp([directory]);
  try {
    const file = `${directory}/later.yaml`;
    const service = `apiVersion: v1
kind: Service
metadata: { name: web, namespace: later }
spec: { selector: { app: web }, ports: [{ name: http, port: 80 }] }
`;
    Deno.writeTextFileSync(file, service);
    const { match, end } = await mesh.weft.printed(/clients in later: http_proxy=(\S+)/);
    assert.match(match[1], /^http:\/\/127\.0\.0\.1:\d+$/);
    await mesh.weft.printed(/plan \w+ is served: later.yaml changed/);
    const answer = await request(mesh, ["--from", "later", "httpbin.httpbin:8080/test"]);
    assert.equal(answer.code, 0, answer.stderr);
    Deno.writeTextFileSync(file, `${service}spec: [`);
    const refused = await mesh.weft.printed(/not applied/, end);
    Deno.writeTextFileSync(file, service);
    await mesh.weft.printed(/plan \w+ is served/, refused.end);
  } finally {
    assert.equal(await mesh.weft.stop(), 0, mesh.weft.output);
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("up: manifests with errors do not start; request says when nothing runs", async () => {
  const directory = Deno.makeTempDirSync({ prefix: "weft-e2e-" });
  Deno.writeTextFileSync(`${directory}/a.yaml`, "kind: Service\napiVersion: v1\n");
  const weft = new WeftProcess(["up", "-f", directory, "--port", "0", "--admin", "off"]);
  const { match } = await weft.printed(/a\.yaml:\d+:\d+ error \S+/);
  assert.match(match[0], /document-invalid|schema-invalid/);
  assert.equal(await weft.stop(), 1, weft.output);
  Deno.removeSync(directory, { recursive: true });

  const refused = await runWeft(["request", "--mesh", "127.0.0.1:9", "httpbin.httpbin"]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /weft up is not running/);
  assert.equal(refused.stderr.split("\n").length, 3, refused.stderr);
});
