/**
 * `weft compat` and the profiles behind it: what each mesh is known to do with the same path, method, header and weights, an
 * independent reading of FSM's rules on random requests, and witnesses that are what they are said to be.
 */
import assert from "node:assert/strict";
import { Random, randomSeed } from "../base/random.ts";
import { MESHES_KNOWN } from "../cli/compat/known.ts";
import { run } from "../cli/run.ts";
import { assertGolden } from "../cli/testing.ts";
import { testEnvironment } from "../console/testing.ts";
import { explainRequestOf } from "../offline/answer.ts";
import { type MeshId, viewAs } from "../offline/compat/meshes.ts";
import { parseManifests } from "../schemas/manifests.ts";
import { ROOT } from "../tools/repository.ts";
import { randomMatch, randomSample } from "./algebra/random_rules.ts";

Deno.chdir(ROOT);

type Json = Record<string, unknown>;
const FROM = { namespace: "app", identity: "app/default" };

function service(name: string, more: Json = {}): Json[] {
  const metadata = { name, namespace: "app" };
  const ports = [{ name: "http", port: 80 }];
  return [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: { selector: { app: name }, ports, ...more },
    },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { ...metadata, labels: { app: name } },
      spec: { containers: [{ name: "c", image: "i" }] },
    },
  ];
}

function group(name: string, ...matches: Json[]): Json {
  const metadata = { name, namespace: "app" };
  const named = matches.map((match, index) => ({ name: `m${index}`, ...match }));
  return {
    apiVersion: "specs.smi-spec.io/v1alpha4",
    kind: "HTTPRouteGroup",
    metadata,
    spec: { matches: named },
  };
}

function split(
  name: string,
  weights: Record<string, number>,
  groups: string[] = [],
  root = "web",
): Json {
  return {
    apiVersion: "split.smi-spec.io/v1alpha4",
    kind: "TrafficSplit",
    metadata: { name, namespace: "app" },
    spec: {
      service: root,
      ...(groups.length === 0
        ? {}
        : { matches: groups.map((name) => ({ kind: "HTTPRouteGroup", name })) }),
      backends: Object.entries(weights).map(([service, weight]) => ({ service, weight })),
    },
  };
}

const SERVICES = ["web", "v1", "v2"].flatMap((name) => service(name));

interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
}

function asker(mesh: MeshId, objects: readonly Json[]): (asked: Asked) => string {
  const text = objects.map((object) => JSON.stringify(object)).join("\n---\n");
  const { snapshot, findings } = parseManifests([{ name: "in.json", text }]);
  assert.deepEqual(findings.filter(({ severity }) => severity === "error"), []);
  const { plan } = viewAs(mesh, snapshot, true);
  return ({ method = "GET", path, headers = {} }) => {
    const url = `http://web.app${path}`;
    const { route, reason } = explainRequestOf(plan, {
      ...{ method, url, headers: Object.entries(headers), from: FROM },
    });
    const shares = route?.backends.filter(({ share }) => share > 0)
      .map(({ service, share }) => `${service.slice(4)} ${Math.round(share * 100)}`) ?? [];
    return shares.length === 0 ? reason ?? "" : shares.join(", ");
  };
}

/** `pathRegex: /test` for v2, all else for v1 by a split without matches. */
const BY_PATH = [
  ...SERVICES,
  group("test", { pathRegex: "/test" }),
  split("a", { v2: 1 }, ["test"]),
  split("b", { v1: 1 }),
];

const PATHS: readonly (readonly [path: string, fsm: string, traefik: string])[] = [
  ["/test", "v2 100", "v2 100"],
  ["/test/x", "v2 100", "v2 100"],
  ["/testing", "v2 100", "v2 100"],
  ["/v1/test", "v2 100", "v1 100"],
  ["/demo", "v1 100", "v1 100"],
];

for (const [path, fsm, traefik] of PATHS) {
  Deno.test(`compat: pathRegex /test and ${path}`, () => {
    assert.equal(asker("fsm", BY_PATH)({ path }), fsm);
    assert.equal(asker("traefik", BY_PATH)({ path }), traefik);
    // Their splits have no matches.
    assert.equal(asker("osm", BY_PATH)({ path }), "v2 100");
    assert.equal(asker("linkerd", BY_PATH)({ path }), "v1 100");
  });
}

Deno.test("compat: FSM tries rules by the text of their patterns, .* last, whatever splits they are of", () => {
  const ask = asker("fsm", [
    ...SERVICES,
    group("long", { pathRegex: "/test/long" }),
    group("short", { pathRegex: "/t" }),
    split("a", { v1: 1 }, ["long"]),
    split("b", { v2: 1 }, ["short"]),
  ]);
  assert.equal(ask({ path: "/test/long" }), "v2 100");
});

Deno.test("compat: FSM's * is seven methods, and a rule for any path leaves the rest without an answer", () => {
  const ask = asker("fsm", [
    ...SERVICES,
    group("all", { pathRegex: ".*" }),
    split("a", { v1: 1 }, ["all"]),
  ]);
  assert.equal(ask({ path: "/" }), "v1 100");
  assert.equal(ask({ method: "TRACE", path: "/" }), "no-rule");
});

Deno.test("compat: FSM gives what no rule takes to all backends alike, weight 0 too", () => {
  const ask = asker("fsm", [
    ...SERVICES,
    group("test", { pathRegex: "/test" }),
    split("a", { v1: 100, v2: 0 }, ["test"]),
  ]);
  assert.equal(ask({ path: "/test" }), "v1 100");
  assert.equal(ask({ path: "/" }), "v1 50, v2 50");
});

Deno.test("compat: headers in FSM: a missing one is empty, a name with capitals never there", () => {
  const ask = asker("fsm", [
    ...SERVICES,
    group("any", { pathRegex: "/any", headers: [{ "x-user": ".*" }] }),
    group("capital", { pathRegex: "/capital", headers: [{ "X-User": "ann" }] }),
    split("a", { v2: 1 }, ["any", "capital"]),
    split("b", { v1: 1 }),
  ]);
  assert.equal(ask({ path: "/any" }), "v2 100");
  assert.equal(ask({ path: "/capital", headers: { "x-user": "ann" } }), "v1 100");
});

Deno.test("compat: weights that are all zero", () => {
  const objects = [...SERVICES, split("a", { v1: 0, v2: 0 })];
  assert.equal(asker("fsm", objects)({ path: "/" }), "v1 50, v2 50");
  assert.equal(asker("osm", objects)({ path: "/" }), "no-rule");
  assert.equal(asker("linkerd", objects)({ path: "/" }), "web 100");
  assert.equal(asker("traefik", objects)({ path: "/" }), "no-rule");
});

Deno.test("compat: a backend without endpoints keeps its share in OSM and Traefik Mesh only", () => {
  const idle = service("v2")[0];
  const objects = [...service("web"), ...service("v1"), idle, split("a", { v1: 1, v2: 1 })];
  assert.equal(asker("fsm", objects)({ path: "/" }), "v1 100");
  assert.equal(asker("linkerd", objects)({ path: "/" }), "v1 100");
  // Of the half that it keeps nothing is forwarded.
  assert.equal(asker("osm", objects)({ path: "/" }), "v1 50, v2 50");
  assert.equal(asker("traefik", objects)({ path: "/" }), "v1 50, v2 50");
});

Deno.test("compat: FSM leaves out a root without a selector; Traefik Mesh a split of itself, or without its group", () => {
  const unselected = { ...service("web")[0], spec: { ports: [{ port: 80 }] } };
  const objects = [unselected, ...service("v1"), ...service("v2"), split("a", { v1: 1 })];
  assert.equal(asker("fsm", objects)({ path: "/" }), "no-rule");
  assert.equal(asker("osm", objects)({ path: "/" }), "v1 100");
  const circle = [...SERVICES, split("a", { web: 1, v1: 1 })];
  assert.equal(asker("traefik", circle)({ path: "/" }), "web 100");
  assert.equal(asker("fsm", circle)({ path: "/" }), "web 50, v1 50");
});

/** FSM's rules once more, as its script has them: patterns of JavaScript, tried in the order of their text. */
function fsmBackend(
  rules: readonly Rule[],
  { method = "GET", path, headers = {} }: Asked,
): string | null {
  const ordered = [...rules].sort((a, b) => {
    if (a.path.toLowerCase() === b.path.toLowerCase()) {
      return b.headers.length - a.headers.length || b.methods.length - a.methods.length;
    }
    return a.path === ".*" ? 1 : b.path === ".*" ? -1 : a.path < b.path ? -1 : 1;
  });
  const taking = ordered.filter((rule) =>
    new RegExp(rule.path).test(path) &&
    (rule.methods.length === 0 || rule.methods.includes(method)) &&
    rule.headers.every(([name, pattern]) =>
      name in headers && new RegExp(pattern).test(headers[name])
    )
  );
  return taking[0]?.backend ?? null;
}

interface Rule {
  readonly path: string;
  readonly methods: readonly string[];
  readonly headers: readonly (readonly [name: string, pattern: string])[];
  readonly backend: string;
}

Deno.test("compat: FSM's own way to choose comes to the same, on random rules and requests", () => {
  const seed = randomSeed() % 2 ** 31;
  const random = new Random(seed, "compat");
  let taken = 0;
  for (let round = 0; round < 40; round++) {
    const rules = Array.from({ length: 4 }, (_, index): Rule => {
      const { path, methods, headers } = randomMatch(random);
      return {
        // Of equal patterns the order is not settled; a header that may be missing has a test of its own.
        path: `${path ?? "/"}${"(?:)".repeat(index)}`,
        methods: methods ?? [],
        headers: headers.filter(({ name, pattern }) =>
          name !== "host" && !new RegExp(pattern).test("")
        )
          .map(({ name, pattern }) => [name, pattern] as const),
        backend: `b${index}`,
      };
    });
    const ask = asker("fsm", [
      ...["web", ...rules.map(({ backend }) => backend)].flatMap((name) => service(name)),
      ...rules.flatMap(({ path, methods, headers, backend }) => [
        group(backend, {
          pathRegex: path,
          ...(methods.length === 0 ? {} : { methods }),
          headers: headers.map(([name, pattern]) => ({ [name]: pattern })),
        }),
        split(backend, { [backend]: 1 }, [backend]),
      ]),
    ]);
    for (let i = 0; i < 50; i++) {
      const { method, path, headers } = randomSample(random);
      if (!["GET", "HEAD", "POST"].includes(method)) continue;
      const expected = fsmBackend(rules, { method, path, headers });
      const answer = ask({ method, path, headers });
      const shown = `seed ${seed}: ${JSON.stringify({ rules, method, path, headers, answer })}`;
      if (expected === null) assert.match(answer, /25, .*25/, shown);
      else assert.equal(answer, `${expected} 100`, shown);
      if (expected !== null) taken++;
    }
  }
  assert.ok(taken > 200, `Only ${taken} requests were taken by a rule, seed ${seed}`);
});

/** Runs a command and hands back all that can be seen of it. */
async function weft(...argv: string[]) {
  const environment = testEnvironment();
  const code = await run(argv, environment);
  return { code, stdout: environment.stdout.text(), stderr: environment.stderr.text() };
}

/** Asks each witness of both sides by `weft explain`; how many there were. */
async function checkWitnesses(mesh: MeshId, path: string): Promise<number> {
  const { stdout, code } = await weft("compat", "--as", mesh, "-o", "json", path);
  // What has errors is not compared.
  if (code === 3) return 0;
  const { requests } = JSON.parse(stdout);
  for (const { request, backends } of requests) {
    // Where only the address of a connection decides, no URL says it.
    if (request === null || request.isCapturedOnly) continue;
    for (const [side, as] of [["before", ["--as-mesh", mesh]], ["after", []]] as const) {
      const argv = ["-f", path, "-o", "json", ...as, ...request.explain];
      const { route } = JSON.parse((await weft("explain", ...argv)).stdout);
      for (const each of backends) {
        if (each.backend.startsWith("the proxy")) continue;
        const found = route.backends.find(({ service }: { service: string }) =>
          service === each.backend
        );
        assert.equal(found?.share ?? 0, each[side], `${path}, ${mesh}: ${side} of ${request.text}`);
      }
    }
  }
  return requests.length;
}

for (const mesh of MESHES_KNOWN) {
  Deno.test(`weft compat --as ${mesh}: transcript`, async () => {
    const { code, stdout } = await weft("compat", "--as", mesh, "examples/canary/");
    assert.equal(code, mesh === "traefik" ? 0 : 1);
    assertGolden(`compat_${mesh}.txt`, stdout);
  });
}

Deno.test("weft compat: every witness is answered by both sides as it says, on all manifests of ours", async () => {
  const golden = [...Deno.readDirSync("tests/golden")].filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => `tests/golden/${name}/in.yaml`);
  let witnesses = 0;
  for (const path of ["examples/canary/", ...golden]) {
    for (const mesh of MESHES_KNOWN) witnesses += await checkWitnesses(mesh, path);
  }
  assert.ok(witnesses > 30, `${witnesses} witnesses`);
});

/** Codes of what is said beside routes. */
function remarksOf(mesh: MeshId, objects: readonly Json[]): string[] {
  const text = objects.map((object) => JSON.stringify(object)).join("\n---\n");
  const { snapshot } = parseManifests([{ name: "in.json", text }]);
  return viewAs(mesh, snapshot, true).remarks.map(({ code }) => code);
}

Deno.test("compat: what no route shows is remarked where the manifests have it, and only there", () => {
  const even = [...SERVICES, split("a", { v1: 1, v2: 1 })];
  assert.deepEqual(remarksOf("fsm", even), ["status-codes"]);
  assert.deepEqual(remarksOf("osm", even), ["split-version", "random-choice"]);
  assert.deepEqual(remarksOf("linkerd", even), ["split-version", "random-choice"]);
  assert.deepEqual(remarksOf("traefik", even), ["host-rewritten"]);

  const foreign = { ...group("test", { pathRegex: "/test" }) };
  const metadata = { name: "test", namespace: "other" };
  const parked = [
    ...SERVICES,
    foreign,
    { ...foreign, metadata },
    split("a", { v1: 100, v2: 0 }, ["test"]),
  ];
  const edge = {
    apiVersion: "policy.openservicemesh.io/v1alpha1",
    kind: "IngressBackend",
    metadata: { name: "edge", namespace: "default" },
    spec: {
      backends: [{ name: "web", port: { number: 80, protocol: "http" } }],
      sources: [{ kind: "IPRange", name: "192.0.2.0/24" }],
      matches: [{ kind: "HTTPRouteGroup", name: "none" }],
    },
  };
  for (const mesh of ["fsm", "osm"] as const) {
    assert.deepEqual(
      remarksOf(mesh, [edge]).filter((code) => code.startsWith("ingress-")),
      ["ingress-needed", "ingress-matches"],
    );
  }
  assert.deepEqual(remarksOf("fsm", parked), [
    "query-searched",
    "zero-weight-failover",
    "group-of-any-namespace",
    "status-codes",
  ]);
  assert.ok(
    remarksOf("linkerd", [...SERVICES, split("a", { gone: 1 })]).includes("missing-backend"),
  );
  const two = [...SERVICES, split("a", { v1: 1 }), split("b", { v2: 1 })];
  assert.ok(remarksOf("osm", two).includes("first-split"));
  assert.ok(remarksOf("linkerd", two).includes("last-split"));
  assert.ok(remarksOf("traefik", two).includes("router-priority"));
});

Deno.test("compat: a rule of a TrafficTarget without matches allows nothing in FSM and OSM", async () => {
  const folder = await Deno.makeTempDir();
  const target = {
    apiVersion: "access.smi-spec.io/v1alpha3",
    kind: "TrafficTarget",
    metadata: { name: "t", namespace: "app" },
    spec: {
      destination: { kind: "ServiceAccount", name: "default", namespace: "app" },
      rules: [{ kind: "HTTPRouteGroup", name: "test" }],
      sources: [{ kind: "ServiceAccount", name: "cart", namespace: "app" }],
    },
  };
  const objects = [...SERVICES, group("test", { pathRegex: "/test" }), target];
  const file = `${folder}/in.yaml`;
  await Deno.writeTextFile(file, objects.map((object) => JSON.stringify(object)).join("\n---\n"));
  try {
    for (
      const [mesh, opened] of [["fsm", 1], ["osm", 1], ["traefik", 0], ["linkerd", 0]] as const
    ) {
      const argv = ["compat", "--as", mesh, "--enforce-access", "-o", "json", file];
      const { access } = JSON.parse((await weft(...argv)).stdout);
      assert.equal(access.length, opened, mesh);
      if (opened === 1) assert.equal(access[0].change, "opened");
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("weft compat and --as-mesh say what they need", async () => {
  assert.equal((await weft("compat", "examples/canary/")).code, 2);
  assert.equal((await weft("compat", "--as", "fsm")).code, 2);
  assert.equal((await weft("compat", "--as", "istio", "examples/canary/")).code, 2);
  assert.equal(
    (await weft("explain", "--as-mesh", "fsm", "--admin", "127.0.0.1:1", "GET", "http://a/")).code,
    2,
  );
  const broken = await weft("compat", "--as", "fsm", "tests/golden/mistakes/in.yaml");
  assert.equal(broken.code, 3);
  assert.match(broken.stderr, /What has errors is not compared/);
});

Deno.test("weft diff --as-mesh: a change as another mesh sees it", async () => {
  const steps = "examples/canary/steps";
  // To OSM the last step of the guide is a matter of which split it lists.
  const { stdout } = await weft(
    "diff",
    "--as",
    "linkerd",
    `${steps}/04-send-a-quarter-to-v2`,
    `${steps}/05-only-under-test`,
  );
  assert.match(stdout, /answered/);
});
