/**
 * Every witness of random rules is asked again: in the table, by `weft explain`, and through a real proxy. All three must
 * come to the rule that the witness is for.
 */
import assert from "node:assert/strict";
import { Random, randomSeed } from "../../base/random.ts";
import { run } from "../../cli/run.ts";
import { testEnvironment } from "../../console/testing.ts";
import { examineRules } from "../../routing/algebra/rule_facts.ts";
import { authoritiesOf } from "../../routing/algebra/service_names.ts";
import { type Witness, witnessArguments, witnessTarget } from "../../routing/algebra/witness.ts";
import type { PlanRule } from "../../routing/plan.ts";
import { DEFAULT_PORT, requestHeadOf } from "../../routing/request.ts";
import type { Explanation } from "../../routing/table/explanation.ts";
import { buildTable } from "../../routing/table/build.ts";
import { decideAt, Decision } from "../../routing/table/decide.ts";
import { SplitState } from "../../routing/table/split.ts";
import { compileInput } from "../../sidecar/compile_input.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { TracedProxy } from "../traces/traced_proxy.ts";
import { until } from "../support/until.ts";
import { randomMatch } from "./random_rules.ts";

const RULES = 12;
const ROUNDS = 25;

/** A Service, one endpoint, and a split whose matches are as given. */
function manifests(port: number, matches: readonly ReturnType<typeof randomMatch>[]): string {
  const documents = [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web" },
      spec: { ports: [{ port: 80 }] },
    },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: "web", labels: { "kubernetes.io/service-name": "web" } },
      addressType: "IPv4",
      ports: [{ port }],
      endpoints: [{ addresses: ["127.0.0.1"] }],
    },
    {
      apiVersion: "specs.smi-spec.io/v1alpha4",
      kind: "HTTPRouteGroup",
      metadata: { name: "rules" },
      spec: {
        matches: matches.map(({ path, methods, headers }, index) => ({
          name: `m${index}`,
          ...(path === null ? {} : { pathRegex: path }),
          methods: methods ?? ["*"],
          ...(headers.length === 0
            ? {}
            : { headers: Object.fromEntries(headers.map(({ name, pattern }) => [name, pattern])) }),
        })),
      },
    },
    {
      apiVersion: "split.smi-spec.io/v1alpha4",
      kind: "TrafficSplit",
      metadata: { name: "web" },
      spec: {
        service: "web",
        matches: [{ kind: "HTTPRouteGroup", name: "rules" }],
        backends: [{ service: "web", weight: 1 }],
      },
    },
  ];
  return documents.map((document) => JSON.stringify(document)).join("\n---\n");
}

function nameOf(rule: PlanRule | null): string {
  return rule === null
    ? ""
    : `${rule.match.group.namespace}/${rule.match.group.name}/${rule.match.name}`;
}

function wireOf({ method, authority, path, headers }: Witness): string {
  const target = method === "CONNECT" ? authority : path === "" ? `http://${authority}` : path;
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `${method} ${target} HTTP/1.1\r\nHost: ${authority}\r\nConnection: close\r\n${lines}\r\n`;
}

/** What HTTP/2 takes in a path, and HTTP/1.1 does not. */
function isOfHttp2({ path }: Witness): boolean {
  return /["<>\\^`{|}]/.test(path);
}

async function explained(file: string, witness: Witness): Promise<string> {
  const environment = testEnvironment();
  await run(["explain", "-f", file, "-o", "json", ...witnessArguments(witness)], environment);
  const { rules }: Explanation = JSON.parse(environment.stdout.text());
  const won = rules.find(({ outcome }) => outcome === "matched");
  return won === undefined ? "" : `${won.group}/${won.match}`;
}

async function proxied(proxy: TracedProxy, witness: Witness): Promise<string> {
  const before = proxy.records.length;
  using client = await RawSocket.connect(proxy.port);
  await client.send(wireOf(witness));
  await client.readThrough("\r\n\r\n");
  client.close();
  await until("the record", () => Promise.resolve(proxy.records.length), (count) => count > before);
  return proxy.records[before].rule;
}

Deno.test({
  name: "algebra: each witness comes to its rule in the table, in explain, and through a proxy",
  ignore: Deno.build.os !== "linux",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const seed = randomSeed() % 2 ** 31;
    const random = new Random(seed, "witnesses");
    await using origin = new ScriptedOrigin(answering(() => ok("here")), { mayFail: true });
    await using proxy = await TracedProxy.start({ driver: "native", spans: null });
    const file = await Deno.makeTempFile({ suffix: ".json" });
    let asked = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const text = manifests(origin.port, Array.from({ length: RULES }, () => randomMatch(random)));
      await Deno.writeTextFile(file, text);
      const options = { paths: [file], recursive: false, namespace: "default", permissive: true };
      const { plan } = await compileInput(options, testEnvironment());
      await proxy.proxy.apply(plan);
      const [service] = plan.services;
      const table = buildTable(plan, { namespace: "default", identity: "", seed: null });
      const [{ ports: [port] }] = table.services.values();
      const authorities = authoritiesOf(service, DEFAULT_PORT, plan.clusterDomain);
      const facts = examineRules(port.plan.rules.map(({ match }) => match), { authorities });
      assert.ok(facts.isComplete);
      for (const [index, witness] of [...facts.taken, facts.uncovered].entries()) {
        if (witness === null || !witness.isExact) continue;
        const expected = nameOf(port.plan.rules.at(index) ?? null);
        const shown = `${JSON.stringify(witness)}, seed ${seed}, ${text}`;
        const url = witness.method === "CONNECT"
          ? ""
          : `http://${witness.authority}${witnessTarget(witness)}`;
        if (url !== "" && witness.path.startsWith("/")) {
          const decision = new Decision();
          const head = requestHeadOf({ ...witness, url });
          decideAt(port, head, new SplitState(table), decision);
          assert.equal(nameOf(decision.route?.rule ?? null), expected, `table: ${shown}`);
        }
        if (witness.isForeignHost || isOfHttp2(witness)) continue;
        if (witness.path !== "*") {
          assert.equal(await explained(file, witness), expected, `explain: ${shown}`);
        }
        assert.equal(await proxied(proxy, witness), expected, `proxy: ${shown}`);
        asked++;
      }
    }
    await Deno.remove(file);
    assert.ok(asked > 5 * ROUNDS, `${asked} witnesses`);
  },
});
