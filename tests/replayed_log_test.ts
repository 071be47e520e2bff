/** The access log of a real proxy, replayed under the plan that the proxy had: every request goes where it went. */
import assert from "node:assert/strict";
import { Random, randomSeed } from "../base/random.ts";
import { run } from "../cli/run.ts";
import type { ReplayReport } from "../cli/replay/report.ts";
import type { RequestRecord } from "../proxy/observe/request_record.ts";
import { testEnvironment } from "../console/testing.ts";
import { formatAccess } from "./support/access_line.ts";
import { compileInput } from "../sidecar/compile_input.ts";
import { randomMatch, randomSample } from "./algebra/random_rules.ts";
import { matchItem, serviceWithEndpoint } from "./algebra/rule_objects.ts";
import { RawSocket } from "./support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "./support/scripted_origin.ts";
import { until } from "./support/until.ts";
import { TracedProxy } from "./traces/traced_proxy.ts";

function manifests(random: Random, port: number): string {
  const services = ["web", "v1", "v2"].flatMap((name) =>
    serviceWithEndpoint({ name }, { address: "127.0.0.1", port })
  );
  const splits = [1, 2, 3].flatMap((each) => [
    {
      apiVersion: "specs.smi-spec.io/v1alpha4",
      kind: "HTTPRouteGroup",
      metadata: { name: `g${each}` },
      spec: {
        matches: [0, 1].map((index) => matchItem(`m${index}`, randomMatch(random))),
      },
    },
    {
      apiVersion: "split.smi-spec.io/v1alpha4",
      kind: "TrafficSplit",
      metadata: { name: `s${each}` },
      spec: {
        service: "web",
        matches: [{ kind: "HTTPRouteGroup", name: `g${each}` }],
        backends: [{ service: "v1", weight: each }, { service: "v2", weight: 2 }],
      },
    },
  ]);
  return [...services, ...splits].map((object) => JSON.stringify(object)).join("\n---\n");
}

const ROUNDS = 6;
const REQUESTS = 200;

/** What the proxy has to say of random requests under the plan of a file. */
async function recordsOf(
  proxy: TracedProxy,
  file: string,
  random: Random,
): Promise<RequestRecord[]> {
  const options = { paths: [file], recursive: false, namespace: "default", permissive: true };
  const { plan, findings } = await compileInput(options, testEnvironment());
  assert.deepEqual(findings.filter(({ severity }) => severity === "error"), []);
  await proxy.proxy.apply(plan);
  const before = proxy.records.length;
  using client = await RawSocket.connect(proxy.port);
  for (let i = 0; i < REQUESTS; i++) {
    const { method: drawn, path, headers } = randomSample(random);
    // The endpoint answers each with a body.
    const method = drawn === "HEAD" ? "GET" : drawn;
    const lines = Object.entries({ host: "web.default", ...headers })
      .map(([name, value]) => `${name}: ${value}\r\n`).join("");
    await client.send(`${method} ${path} HTTP/1.1\r\n${lines}\r\n`);
    await client.readResponse();
  }
  const count = () => Promise.resolve(proxy.records.length - before);
  await until("the records", count, (seen) => seen === REQUESTS);
  return proxy.records.slice(before);
}

async function replayed(folder: string, lines: readonly string[]): Promise<ReplayReport> {
  const log = `${folder}/access.log`;
  await Deno.writeTextFile(log, `${lines.join("\n")}\n`);
  const environment = testEnvironment();
  const argv = ["replay", "--log", log, "-f", `${folder}/in.yaml`, "-o", "json"];
  assert.equal(await run(argv, environment), 0, environment.stdout.text());
  return JSON.parse(environment.stdout.text());
}

function checkAllStayed({ log, found, routes }: ReplayReport, shown: string): void {
  assert.equal(log.requests, REQUESTS, shown);
  assert.equal(found.undecided.count, 0, shown);
  // Not only a backend that may be: each route's counts are those of its split.
  for (const { backends } of routes) {
    const total = backends.reduce((sum, { recorded }) => sum + (recorded ?? 0), 0);
    for (const { recorded, share } of backends) {
      assert.ok(Math.abs((recorded ?? 0) - total * share) < 1 + 1e-9, shown);
    }
  }
}

Deno.test({
  name: "replay: the log of a proxy under its own plan gives every recorded backend",
  ignore: Deno.build.os !== "linux",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const seed = randomSeed() % 2 ** 31;
    const random = new Random(seed, "replay");
    await using origin = new ScriptedOrigin(answering(() => ok("here")), { mayFail: true });
    await using proxy = await TracedProxy.start({ driver: "native", spans: null });
    const folder = await Deno.makeTempDir();
    let routes = 0;
    try {
      for (let round = 0; round < ROUNDS; round++) {
        await Deno.writeTextFile(`${folder}/in.yaml`, manifests(random, origin.port));
        const records = await recordsOf(proxy, `${folder}/in.yaml`, random);
        for (const format of ["json", "common"] as const) {
          const report = await replayed(
            folder,
            records.map((each) => formatAccess(format, each, 0)),
          );
          checkAllStayed(report, `seed ${seed}, ${format}: ${JSON.stringify(report)}`);
          routes += report.routes.length;
        }
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
    assert.ok(routes > 4 * ROUNDS, `${routes} routes, seed ${seed}`);
  },
});
