// Tests of LocalMesh with real proxies and stand-ins, in this process.
import assert from "node:assert/strict";
import type { HostPort } from "../console/values.ts";
import { startProxy } from "../proxy/run/start_proxy.ts";
import { MeshClient } from "./client.ts";
import { LocalMesh, ManifestError, type MeshEvent } from "./mesh.ts";
import type { RunSettings } from "./settings.ts";
import { clientsName } from "./sidecars.ts";
import { until } from "../tests/support/until.ts";

/** A Service and a pod behind it that answers with `text`. */
function web(namespace: string, text: string, port = 8080): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: web, namespace: ${namespace} }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: ${port} }] }
---
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: ${namespace}
  labels: { app: web }
  annotations: { weft.dev/local-response: "${text}" }
spec: { containers: [{ name: c, image: i }] }
`;
}

/** A mesh over one file, and what it told. */
class Fixture {
  readonly file = Deno.makeTempFileSync({ suffix: ".yaml" });
  readonly events: MeshEvent[] = [];
  readonly mesh: LocalMesh;

  constructor(
    given: {
      runs?: Record<string, RunSettings>;
      endpoints?: Record<string, HostPort>;
      admin?: HostPort;
      isEnforced?: boolean;
    } = {},
  ) {
    this.mesh = new LocalMesh({
      source: {
        paths: [this.file],
        recursive: false,
        namespace: "default",
        stdin: () => Promise.resolve(""),
      },
      isEnforced: given.isEnforced ?? false,
      runs: new Map(Object.entries(given.runs ?? {})),
      endpoints: new Map(Object.entries(given.endpoints ?? {})),
      startProxy,
      driver: "portable",
      egress: false,
      port: 0,
      admin: given.admin ?? null,
      reportRequests: true,
      tracing: {},
      onEvent: (event) => this.events.push(event),
    });
  }

  write(...documents: string[]): void {
    Deno.writeTextFileSync(this.file, documents.join("---\n"));
  }

  async ask(from: string, url: string): Promise<string> {
    const sidecar = this.mesh.sidecars.find((each) => clientsName(each) === from);
    assert.ok(sidecar !== undefined, `No sidecar for ${from}`);
    const client = new MeshClient(sidecar);
    try {
      const { status, body } = await client.send({ method: "GET", url });
      return status === 200 ? new TextDecoder().decode(body) : String(status);
    } finally {
      client.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mesh.stop();
    Deno.removeSync(this.file);
  }
}

Deno.test("mesh: an edit may add a namespace, with clients of its own", async () => {
  await using fixture = new Fixture();
  fixture.write(web("shop", "one"));
  await fixture.mesh.start();
  assert.equal(await fixture.ask("shop", "http://web/"), "one");
  const before = fixture.mesh.sidecars;
  fixture.write(web("shop", "one"), web("app", "two"));
  await fixture.mesh.reload();
  assert.equal(await fixture.ask("app", "http://web/"), "two");
  assert.equal(await fixture.ask("app", "http://web.shop/"), "one");
  assert.equal(await fixture.ask("shop", "http://web.app/"), "two");
  // Who was told a listener still has it.
  assert.deepEqual(fixture.mesh.sidecars.slice(0, 1), before.slice(0, 1));
  const [added, ...more] = fixture.events.filter(({ type }) => type === "clients-added");
  assert.deepEqual(more, []);
  assert.deepEqual(added, { type: "clients-added", sidecars: fixture.mesh.sidecars.slice(1) });
});

Deno.test("mesh: who was told of errors is told that they are mended, also where the plan is the same", async () => {
  await using fixture = new Fixture();
  fixture.write(web("shop", "one"));
  await fixture.mesh.start();
  const told = async (...documents: string[]) => {
    const before = fixture.events.length;
    fixture.write(...documents);
    await fixture.mesh.reload();
    return fixture.events.slice(before).map(({ type }) => type);
  };
  assert.deepEqual(await told(web("shop", "one"), "kind: ["), ["refused"]);
  assert.deepEqual(await told(web("shop", "one")), ["served"]);
  assert.deepEqual(await told(web("shop", "one")), [], "and only once");
});

/** Lets an account call `web` of namespace shop at a port, and at a path. */
function target(account: string, port: number, path: string): string {
  return `
apiVersion: specs.smi-spec.io/v1alpha4
kind: TCPRoute
metadata: { name: port, namespace: shop }
spec: { matches: { ports: [${port}] } }
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: { name: paths, namespace: shop }
spec: { matches: [{ name: path, pathRegex: ${path}, methods: [GET] }] }
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: { name: web, namespace: shop }
spec:
  destination: { kind: ServiceAccount, name: default, namespace: shop }
  sources: [{ kind: ServiceAccount, name: ${account}, namespace: app }]
  rules: [{ kind: TCPRoute, name: port }, { kind: HTTPRouteGroup, name: paths, matches: [path] }]
`;
}

Deno.test("mesh: with targets enforced each account has a listener, and a refusal says what came nearest", async () => {
  await using fixture = new Fixture({ isEnforced: true });
  fixture.write(web("shop", "one"), web("app", "two"), target("buyer", 9, "/buy"));
  await fixture.mesh.start();
  assert.deepEqual(fixture.mesh.sidecars.map(clientsName), [
    "app/default",
    "app/buyer",
    "shop/default",
  ]);
  const why = async (from: string, url: string) => {
    const before = fixture.events.length;
    assert.equal(await fixture.ask(from, url), "403");
    const answered = () => fixture.events.slice(before).find(({ type }) => type === "request");
    const event = await until("the record", answered, (found) => found !== undefined);
    assert.ok(event?.type === "request");
    assert.equal(event.clients, from);
    return event.whyDenied();
  };
  assert.equal(await fixture.ask("app/buyer", "http://web.shop/buy"), "one");
  const other = await why("app/default", "http://web.shop/buy");
  assert.match(other, /^shop\/web source: wants app\/buyer, has app\/default, at .*yaml:\d+:1$/);
  const path = await why("app/buyer", "http://web.shop/sell");
  assert.match(path, /^shop\/web \(paths\/path\) path: wants \/buy, has \/sell, at /);
  // Of the mesh's own answers only those of targets are told so.
  fixture.write(web("shop", "one"), web("app", "two"), target("buyer", 8080, "/buy"));
  await fixture.mesh.reload();
  assert.equal(await fixture.ask("app/buyer", "http://web.shop/sell"), "one");
});

Deno.test("mesh: targets know a port as the manifest does, wherever the pod is reached", async () => {
  const served = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("elsewhere"),
  );
  const place = { address: "127.0.0.1", port: served.addr.port };
  {
    await using fixture = new Fixture({ isEnforced: true, endpoints: { "shop/web": place } });
    fixture.write(web("shop", "one"), target("buyer", 8080, "/buy"));
    await fixture.mesh.start();
    assert.equal(await fixture.ask("app/buyer", "http://web.shop/any"), "elsewhere");
  }
  await served.shutdown();
});

Deno.test("mesh: what a stand-in answers, and where it listens, follow the file", async () => {
  await using fixture = new Fixture();
  fixture.write(web("shop", "one"));
  await fixture.mesh.start();
  fixture.write(web("shop", "two", 8081));
  await fixture.mesh.reload();
  assert.equal(await fixture.ask("shop", "http://web/"), "two");
  assert.deepEqual(fixture.mesh.pods.map(({ pod }) => pod.ports), [[8081]]);
});

Deno.test("mesh: two meshes of the same manifests do not disturb each other", async () => {
  await using first = new Fixture();
  await using second = new Fixture();
  first.write(web("shop", "first"));
  second.write(web("shop", "second"));
  await first.mesh.start();
  await second.mesh.start();
  assert.equal(await first.ask("shop", "http://web/"), "first");
  assert.equal(await second.ask("shop", "http://web/"), "second");
});

Deno.test("mesh: of several wishes at once the newest is served", async () => {
  await using fixture = new Fixture();
  fixture.write(web("shop", "0"));
  await fixture.mesh.start();
  const reloads = [];
  for (let i = 1; i <= 5; i++) {
    fixture.write(web("shop", String(i)), web(`app-${i}`, "x"));
    reloads.push(fixture.mesh.reload());
  }
  await Promise.all(reloads);
  assert.equal(await fixture.ask("shop", "http://web/"), "5");
  assert.equal(await fixture.ask("shop", "http://web.app-5/"), "x");
  assert.equal(await fixture.ask("shop", "http://web.app-4/"), "404");
});

Deno.test("mesh: a command that never accepts is left out, and waiting for it can be stopped", async () => {
  const command = "sleep 600";
  await using fixture = new Fixture({ runs: { web: { command, directory: undefined, env: {} } } });
  fixture.write(web("shop", "-"));
  const starting = fixture.mesh.start();
  while (!fixture.events.some(({ type }) => type === "pod-started")) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(await fixture.ask("shop", "http://web/"), "503");
  await fixture.mesh.stop();
  await starting;
  assert.equal(fixture.events.at(-1)?.type, "pod-stopped");
});

Deno.test("mesh: a command that dies at once does not hold the start up", async () => {
  const run = { command: "exit 3", directory: undefined, env: {} };
  await using fixture = new Fixture({ runs: { "shop/web": run } });
  fixture.write(web("shop", "-"), web("app", "fine"));
  await fixture.mesh.start();
  assert.equal(await fixture.ask("shop", "http://web.app/"), "fine");
  assert.equal(await fixture.ask("shop", "http://web/"), "503");
  const exited = fixture.events.find(({ type }) => type === "pod-exited");
  assert.equal(exited?.type === "pod-exited" && exited.reason, "exit code 3");
});

Deno.test("mesh: manifests with errors do not start, and leave nothing behind", async () => {
  await using fixture = new Fixture();
  fixture.write("kind: [\n");
  await assert.rejects(fixture.mesh.start(), ManifestError);
  assert.deepEqual(fixture.mesh.sidecars, []);
});

Deno.test("mesh: metrics name who calls and who answers", async () => {
  await using fixture = new Fixture({ admin: { address: "127.0.0.1", port: 0 } });
  const client = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: curl, namespace: tools }
spec:
  selector: { matchLabels: { app: curl } }
  template:
    metadata: { labels: { app: curl } }
    spec: { containers: [{ name: c, image: i }] }
`;
  fixture.write(web("shop", "one"), client);
  await fixture.mesh.start();
  assert.equal(await fixture.ask("tools", "http://web.shop/"), "one");
  const admin = fixture.mesh.admin;
  assert.ok(admin !== null);
  const response = await fetch(`http://${admin.address}:${admin.port}/metrics`);
  const sample = (await response.text()).split("\n").find((line) =>
    line.startsWith("osm_request_total{")
  );
  const pod = fixture.mesh.pods.find(({ pod }) => pod.namespace === "tools")?.pod.name;
  for (
    const label of [
      'source_namespace="tools"',
      'source_kind="Deployment"',
      'source_name="curl"',
      `source_pod="${pod}"`,
      'destination_namespace="shop"',
      'destination_pod="web"',
    ]
  ) assert.ok(sample?.includes(label), `${label} in ${sample}`);
});
