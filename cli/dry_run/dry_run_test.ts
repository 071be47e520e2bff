// Tests of `weft dry-run` on the canary guide's manifests and on broken ones: transcripts, shapes, exit codes, and that read
// permission is all it needs.
import assert from "node:assert/strict";
import { parse } from "yaml";
import { decodePlan } from "../../routing/plan_codec.ts";
import { run } from "../run.ts";
import { assertGolden, withoutWording } from "../testing.ts";
import { testEnvironment } from "../../console/testing.ts";
import type { DryRunReport } from "./report.ts";

const ROOT = new URL("../../", import.meta.url);
Deno.chdir(ROOT);

const CANARY = ["-f", "examples/canary/"];
const TEST_REQUEST = ["--request", "GET http://httpbin.httpbin:8080/test", "--from", "curl"];

/** Runs `weft dry-run` and hands back all that can be seen of it. */
async function dryRun(argv: string[], stdin = "") {
  const environment = testEnvironment({ stdin });
  const code = await run(["dry-run", ...argv], environment);
  return { code, stdout: environment.stdout.text(), stderr: environment.stderr.text() };
}

async function report(argv: string[], stdin = ""): Promise<DryRunReport> {
  const { stdout } = await dryRun([...argv, "-o", "json"], stdin);
  return JSON.parse(stdout);
}

Deno.test("dry-run of the canary guide: services, splits, routes in match order, the POST hole", async () => {
  const { code, stdout, stderr } = await dryRun(CANARY);
  assert.equal(code, 0, "warnings are no errors");
  assert.equal(stderr, "");
  assertGolden("dry_run_canary.txt", withoutWording(stdout));
});

Deno.test("dry-run of policies: what each asks for, and where each section of a route comes from", async () => {
  const { code, stdout } = await dryRun(["-f", "tests/golden/policies/in.yaml"]);
  assert.equal(code, 1, "a section that cannot be read is an error");
  assertGolden("dry_run_policies.txt", withoutWording(stdout));
  const { services, policies } = await report(["-f", "tests/golden/policies/in.yaml"]);
  assert.deepEqual(policies.find(({ name }) => name === "checkout")?.targets, [
    "HTTPRouteGroup routes#checkout",
  ]);
  const [checkout] = services[0].ports[0].routes;
  assert.deepEqual(checkout.policies?.map(({ section, policy }) => [section, policy]), [
    ["retry", "app/checkout"],
    ["timeouts", "app/web"],
    ["rateLimit", "app/checkout"],
    ["mirror", "app/web-too"],
    ["sessionAffinity", "app/web"],
  ]);
});

Deno.test("dry-run says where sessionAffinity of a Service decides, and where a policy does", async () => {
  const argv = ["-f", "tests/golden/affinity/in.yaml"];
  const { code, stdout } = await dryRun(argv);
  assert.equal(code, 0);
  const rows = stdout.split("\n").filter((line) => line.includes("loadBalancing"));
  assert.deepEqual(rows.map((row) => row.split(/ {2,}/).filter((cell) => cell !== "").slice(1)), [
    [
      "turns",
      "Service with-policy",
      "tests/golden/affinity/in.yaml:41",
      "loadBalancing",
      "RoundRobin",
    ],
    ...[["web", 7], ["with-default", 27], ["with-limits", 54], ["with-timeout", 17]].map((
      [name, line],
    ) => [
      "-",
      `Service ${name}`,
      `tests/golden/affinity/in.yaml:${line}`,
      "loadBalancing",
      "RingHash by source address",
    ]),
  ]);
  const { services } = await report(argv);
  const named = services.filter(({ affinity }) => affinity !== undefined).map(({ name }) => name);
  assert.deepEqual(named, ["web", "with-default", "with-limits", "with-timeout"]);
});

Deno.test("dry-run --request: eight requests one by one, with bars", async () => {
  const { code, stdout } = await dryRun([...CANARY, ...TEST_REQUEST, "--count", "8"]);
  assert.equal(code, 0);
  assertGolden("dry_run_canary_request.txt", withoutWording(stdout));
});

Deno.test("dry-run --request: the hole goes to both versions", async () => {
  const { simulation } = await report([
    ...CANARY,
    "--request",
    "POST httpbin.httpbin:8080/demo",
    "--count",
    "1000",
  ]);
  assert.equal(simulation?.rule, null);
  assert.equal(simulation?.split, null);
  assert.deepEqual(simulation?.outcomes, [], "a thousand are not listed");
  assert.deepEqual(simulation?.distribution, [{
    backend: "httpbin/httpbin",
    weight: 1,
    expected: 1,
    count: 1000,
    endpoints: [
      { endpoint: "httpbin-v1-0:8080", count: 500 },
      { endpoint: "httpbin-v2-0:8080", count: 500 },
    ],
  }]);
});

Deno.test("dry-run --request: a thousand requests keep to the weights exactly", async () => {
  const { simulation } = await report([...CANARY, ...TEST_REQUEST, "--count", "1000"]);
  assert.deepEqual(
    simulation?.distribution.map(({ backend, expected, count }) => [backend, expected, count]),
    [["httpbin/httpbin-v1", 0.75, 750], ["httpbin/httpbin-v2", 0.25, 250]],
  );
});

Deno.test("dry-run --request: each endpoint gets what the balancing of its backend gives it", async () => {
  const manifests = (policy: string) => `
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2]}, {addresses: [10.0.0.3]}]
---
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: web}
spec: {targetRefs: [{kind: Service, name: web}], ${policy}}
`;
  const countsOf = async (policy: string, ...more: string[]) => {
    const argv = ["-f", "-", "--request", "GET http://web/", "--count", "31", ...more];
    const { simulation } = await report(argv, manifests(policy));
    return simulation?.distribution[0].endpoints.map(({ count }) => count);
  };
  assert.deepEqual(await countsOf("timeouts: {request: 1s}"), [11, 10, 10]);
  for (const algorithm of ["LeastRequest", "RoundRobin"]) {
    assert.deepEqual(await countsOf(`loadBalancing: {algorithm: ${algorithm}}`), [11, 10, 10]);
  }
  const byUser = "loadBalancing: {algorithm: RingHash, hashKey: {header: x-user}}";
  assert.deepEqual(await countsOf(byUser, "--header", "x-user: ann"), [31]);
  assert.equal((await countsOf(byUser))?.length, 3, "without the header it may go anywhere");
  const byAddress = "loadBalancing: {algorithm: RingHash, hashKey: {sourceIp: true}}";
  assert.deepEqual(await countsOf(byAddress), [31], "one caller");
});

Deno.test("dry-run --request: what the proxy refuses is counted with its reason", async () => {
  const argv = [...CANARY, "--request", "GET http://nowhere.nowhere/"];
  const { simulation } = await report(argv);
  assert.deepEqual(simulation?.refusals, [{ reason: "host-unknown", status: 404, count: 1 }]);
  const { code, stdout } = await dryRun(argv);
  assert.match(stdout, /1 request answered 404 by the proxy: host-unknown/);
  assert.equal(code, 1, "it guards a pull request");
});

Deno.test("dry-run --request: of what traffic targets refuse, which came nearest and what of it does not hold", async () => {
  const manifests = `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: app}
spec: {selector: {app: web}, ports: [{port: 80, name: http}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: app, labels: {app: web}}
spec: {serviceAccountName: web, containers: [{name: c, image: i}]}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: reading, namespace: app}
spec: {matches: [{name: read, methods: [GET], pathRegex: /.*}]}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: readers, namespace: app}
spec:
  destination: {kind: ServiceAccount, name: web, namespace: app}
  sources: [{kind: ServiceAccount, name: cli, namespace: app}]
  rules: [{kind: HTTPRouteGroup, name: reading}]
`;
  const ask = ["-f", "-", "--enforce-access", "--from", "app/cli", "--request"];
  const { code, stdout } = await dryRun([...ask, "POST http://web/"], manifests);
  assert.equal(code, 1);
  assert.match(
    stdout,
    /answered 403 by the proxy: access-denied\n {4}nearest TrafficTarget app\/readers \(reading\/read\) method: wants GET, has POST, at -:15:\d+\n/,
  );
  assert.equal((await dryRun([...ask, "GET http://web/"], manifests)).code, 0);
});

Deno.test("dry-run -o json and -o yaml are one value with the documented fields", async () => {
  const json = await report(CANARY);
  assert.deepEqual(parse((await dryRun([...CANARY, "-o", "yaml"])).stdout), json);
  assert.deepEqual(Object.keys(json), [
    "apiVersion",
    "kind",
    "plan",
    "services",
    "splits",
    "policies",
    "findings",
  ]);
  assert.match(json.plan.hash, /^[0-9a-f]{64}$/);
  const httpbin = json.services.find(({ name }) => name === "httpbin");
  const [test, , rest] = httpbin?.ports[0].routes ?? [];
  assert.deepEqual(test, {
    match: {
      group: "httpbin/httpbin-test",
      name: "test",
      path: "/test",
      methods: ["GET"],
      headers: [],
      position: { file: "examples/canary/routes.yaml", line: 9, column: 7 },
    },
    split: "httpbin/httpbin-split",
    position: { file: "examples/canary/splits.yaml", line: 2, column: 1 },
    backends: [
      {
        service: "httpbin/httpbin-v1",
        weight: 75,
        share: 0.75,
        state: "ready",
        endpoints: [
          { address: "", port: 8080, pod: "httpbin-v1-0", workload: "Deployment/httpbin-v1" },
        ],
      },
      {
        service: "httpbin/httpbin-v2",
        weight: 25,
        share: 0.25,
        state: "ready",
        endpoints: [
          { address: "", port: 8080, pod: "httpbin-v2-0", workload: "Deployment/httpbin-v2" },
        ],
      },
    ],
  });
  assert.equal(rest.match, null);
  assert.deepEqual(json.findings.map(({ code }) => code), ["unmatched-reaches-backends"]);
});

Deno.test("dry-run -o plan is a plan that a proxy takes; addresses that nothing gives are not made up", async () => {
  const { code, stdout, stderr } = await dryRun([...CANARY, "-o", "plan"]);
  assert.equal(code, 0);
  assert.match(stderr, /unmatched-reaches-backends/);
  const decoded = decodePlan(stdout);
  assert.ok(decoded.ok, decoded.ok ? "" : decoded.message);
  const endpoints = Object.values(decoded.plan.groups).flat();
  assert.ok(endpoints.length > 0);
  for (const { address } of endpoints) assert.equal(address, "");
  assert.equal(stderr.match(/endpoints-no-address/g)?.length, 4, "one a Service");
  const service =
    "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n";
  const slice = "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPv4\n" +
    "metadata: {name: web, labels: {kubernetes.io/service-name: web}}\n" +
    "ports: [{port: 8080}]\nendpoints: [{addresses: [10.0.0.1]}]\n";
  const known = await dryRun(["-f", "-", "-o", "plan"], `${service}---\n${slice}`);
  assert.equal(known.stderr, "");
  assert.match(known.stdout, /"address":"10.0.0.1"/);
});

Deno.test("dry-run -o plan prints no plan of what is broken or missing: a proxy would serve it", async () => {
  const account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a, namespace: app}\n";
  const inputs: [text: string, why: RegExp][] = [
    [BROKEN, /split-no-backend[\s\S]*weft: No plan is printed: the input has errors/],
    ["kind: [", /No plan is printed: the input has errors/],
    [account, /No plan is printed: the input has no Service/],
    ["", /Standard input has no manifest[\s\S]*No plan is printed: the input has errors/],
  ];
  for (const [text, why] of inputs) {
    const { code, stdout, stderr } = await dryRun(["-f", "-", "-o", "plan"], text);
    assert.equal(stdout, "", text);
    assert.equal(code, 1, text);
    assert.match(stderr, why);
  }
});

const BROKEN = `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: app}
spec: {ports: [{port: 80}]}
---
apiVersion: split.smi-spec.io/v1alpha2
kind: TrafficSplit
metadata: {name: web, namespace: app}
spec: {service: web, backends: [{service: web-v1, weight: 1}]}
`;

Deno.test("dry-run with error Findings prints everything and ends with 1, in every form", async () => {
  for (const format of ["table", "json", "yaml"]) {
    const { code, stdout } = await dryRun(["-f", "-", "-o", format], BROKEN);
    assert.equal(code, 1, format);
    assert.match(stdout, /split-no-backend/, format);
  }
  assertGolden("dry_run_broken.txt", withoutWording((await dryRun(["-f", "-"], BROKEN)).stdout));
});

Deno.test("dry-run -n is the namespace of what names none", async () => {
  const service =
    "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 1}]}}";
  const { services } = await report(["-f", "-", "-n", "shop"], service);
  assert.deepEqual(services.map(({ namespace, name }) => `${namespace}/${name}`), ["shop/a"]);
});

Deno.test("dry-run and explain of a thousand backends have no line that holds them all; JSON has them", async () => {
  const names = Array.from({ length: 1_000 }, (_, i) => `web-v${i}`);
  const service = (name: string) =>
    `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {selector: {a: b}, ports: [{port: 80, name: http}]}\n---\n`;
  const manifests = `${["web", ...names].map(service).join("")}
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}
---
apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: web}
spec: {service: web, backends: [${names.map((service) => `{service: ${service}, weight: 1}`)}]}
`;
  const ask = ["-f", "-", "--request", "GET http://web/", "--count", "2000"];
  const { stdout } = await dryRun(ask, manifests);
  assert.match(stdout, /web-v0=1, web-v1=1, web-v2=1, web-v3=1 and 996 more/);
  assert.match(stdout, /and 980 more backends: 1960\n/);
  const environment = testEnvironment({ stdin: manifests });
  await run(["explain", "-f", "-", "GET", "http://web/"], environment);
  assert.match(environment.stdout.text(), /and 980 more\n/);
  for (const text of [stdout, environment.stdout.text()]) {
    const longest = Math.max(...text.split("\n").map((line) => line.length));
    assert.ok(longest < 400, `${longest}`);
  }
  assert.equal((await report(ask, manifests)).simulation?.distribution.length, 1_000);
});

Deno.test("dry-run puts Findings before the tables, and their count last", async () => {
  const { stdout } = await dryRun(["-f", "-"], BROKEN);
  assert.match(
    stdout,
    /^-:10:22 error [^]*\n1 error, 1 warning\n\nNAMESPACE[^]*\n1 error, 1 warning\n$/,
  );
});

Deno.test("dry-run takes paths without -f, and asks for them where there are none", async () => {
  assert.deepEqual(await dryRun(["examples/canary/"]), await dryRun(CANARY));
  const { code, stderr } = await dryRun([]);
  assert.equal(code, 2);
  assert.match(stderr, /For example: weft dry-run manifests\//);
});

Deno.test("dry-run of a missing file is a Finding and ends with 1", async () => {
  const { code, stdout } = await dryRun(["-f", "no/such/file.yaml"]);
  assert.equal(code, 1);
  assert.match(stdout, /no\/such\/file\.yaml\S* error source-unreadable/);
});

Deno.test("dry-run and help need no permission but to read", () => {
  const spawn = (...argv: string[]) =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--no-check", "--allow-read", "main.ts", ...argv],
      cwd: ROOT,
      stdout: "piped",
      stderr: "piped",
    }).outputSync();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const { code, stdout, stderr } = spawn("dry-run", ...CANARY);
  assert.equal(text(stderr), "");
  assert.equal(code, 0);
  assertGolden("dry_run_canary.txt", withoutWording(text(stdout)));
  assert.match(text(spawn("help").stdout), /dry-run/);
  assert.equal(spawn("dry-run").code, 2);
});

Deno.test("dry-run of a mesh without egress lists what each caller may call outside", async () => {
  const egress = JSON.stringify({
    apiVersion: "policy.openservicemesh.io/v1alpha1",
    kind: "Egress",
    metadata: { name: "e", namespace: "shop" },
    spec: {
      sources: [{ kind: "ServiceAccount", name: "cart", namespace: "shop" }],
      hosts: ["api.example.com"],
      ports: [{ number: 443, protocol: "https" }],
    },
  });
  const off = await dryRun(["-f", "-", "--egress", "off"], egress);
  assert.match(off.stdout, /shop\/cart +443\/https +api\.example\.com +any +any +shop\/e\n/);
  assert.equal(off.code, 0);
  const on = await dryRun(["-f", "-"], egress);
  assert.match(on.stdout, /info egress-ignored/);
  assert.doesNotMatch(on.stdout, /CALLER/);
  assert.match((await dryRun(["-f", "-", "--egress", "off"], "{}")).stdout, /Nothing leaves/);
});

Deno.test("dry-run lists who may come in from outside the mesh", async () => {
  const named = { name: "web", namespace: "shop" };
  const labels = { app: "web" };
  const containers = [{ name: "app", image: "app", ports: [{ containerPort: 8080 }] }];
  const documents = [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: named,
      spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
    },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: named,
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { serviceAccountName: "web", containers } },
      },
    },
    {
      apiVersion: "policy.openservicemesh.io/v1alpha1",
      kind: "IngressBackend",
      metadata: named,
      spec: {
        backends: ["http", "https"].map((protocol) => ({
          name: "web",
          port: { number: 8080, protocol },
        })),
        sources: [
          { kind: "Service", ...named },
          { kind: "AuthenticatedPrincipal", name: "nginx.ingress.cluster.local" },
        ],
      },
    },
  ];
  const text = documents.map((each) => JSON.stringify(each)).join("\n---\n");
  const { stdout, code } = await dryRun(["-f", "-"], text);
  assert.match(stdout, /shop\/web +8080\/http +Service shop\/web +every request +shop\/web\n/);
  assert.match(stdout, /8080\/https +ingress\/nginx by TLS from Service shop\/web +every request/);
  assert.equal(code, 0);
});
