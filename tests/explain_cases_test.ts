/**
 * One list of cases, asked in three ways: `explain` of manifests, `explain` of a running proxy, and the proxy itself over a
 * socket. All three say the same, and so does `dry-run`.
 */
import assert from "node:assert/strict";
import { testEnvironment } from "../console/testing.ts";
import { run } from "../cli/run.ts";
import type { DryRunReport } from "../cli/dry_run/report.ts";
import type { Proxy } from "../proxy/config.ts";
import { startProxy } from "../proxy/run/start_proxy.ts";
import type { Explanation } from "../routing/table/explanation.ts";
import { compileInput } from "../sidecar/compile_input.ts";
import { RawSocket } from "./support/raw_socket.ts";
import { timeoutsWith } from "./support/timeouts.ts";

/** `pod-` and the number of the pod that may take it, or the reason of the refusal. */
interface Case {
  /** As on the command line. */
  readonly ask: readonly string[];
  /** What goes over the wire; left out: it cannot come to a listener that does not capture. */
  readonly wire?: string;
  /** In permissive mode; pods that may take it, or the refusal with its status. */
  readonly open: string;
  /** With traffic targets enforced; left out: the same. */
  readonly enforced?: string;
}

const get = (target: string, host = "web.app") => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const connect = (target: string) => `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`;

const CASES: readonly Case[] = [
  // Requests.
  { ask: ["GET", "http://web.app/ok"], wire: get("http://web.app/ok"), open: "v1 v2" },
  {
    ask: ["GET", "http://web.app/no"],
    wire: get("http://web.app/no"),
    open: "v1 v2",
    enforced: "403 access-denied",
  },
  { ask: ["GET", "http://web.app:9000/"], wire: get("/", "web.app:9000"), open: "502 not-http" },
  { ask: ["GET", "http://web.app:81/"], wire: get("/", "web.app:81"), open: "404 port-unknown" },
  { ask: ["GET", "http://no.where/"], wire: get("/", "no.where"), open: "404 host-unknown" },
  // A header Host counts, as with curl to the proxy's own address.
  {
    ask: ["GET", "http://127.0.0.1/ok", "-H", "Host: web.app"],
    wire: get("/ok"),
    open: "v1 v2",
  },
  {
    ask: ["GET", "http://web.app/ok", "-H", "host: no.where"],
    wire: get("/ok", "no.where"),
    open: "404 host-unknown",
  },
  // Heads that no proxy takes.
  {
    ask: ["GET", "http://web.app/a|b"],
    wire: get("http://web.app/a|b"),
    open: "400 bad-start-line",
  },
  {
    ask: ["GET", 'http://web.app/a"b'],
    wire: get('http://web.app/a"b'),
    open: "400 bad-start-line",
  },
  {
    ask: ["GET", "http://web.app/\u00e9"],
    wire: get("http://web.app/\u00c3\u00a9"),
    open: "400 bad-start-line",
  },
  {
    ask: ["GET", "http://web.app:99999/"],
    wire: get("http://web.app:99999/"),
    open: "400 host-invalid",
  },
  {
    ask: ["GET", "http://web.app/ok", "-H", "Host: a b"],
    wire: get("/ok", "a b"),
    open: "400 bad-host",
  },
  {
    ask: ["GET", "http://web.app/ok", "-H", "Transfer-Encoding: gzip"],
    wire: get("http://web.app/ok").replace("\r\n\r\n", "\r\nTransfer-Encoding: gzip\r\n\r\n"),
    open: "501 transfer-coding-unsupported",
  },
  {
    ask: ["GET", "http://web.app/ok", "-H", "Expect: wonders"],
    wire: get("http://web.app/ok").replace("\r\n\r\n", "\r\nExpect: wonders\r\n\r\n"),
    open: "417 expectation-unsupported",
  },
  {
    ask: ["GET", `http://web.app/${"a".repeat(13_000)}`],
    wire: get(`http://web.app/${"a".repeat(13_000)}`),
    open: "414 target-too-long",
  },
  {
    ask: ["OPTIONS", "http://web.app/ok", "-H", "Max-Forwards: 0"],
    wire: "OPTIONS http://web.app/ok HTTP/1.1\r\nHost: web.app\r\nMax-Forwards: 0\r\n\r\n",
    open: "200 max-forwards",
  },
  {
    ask: ["GET", "http://web.app/ok", "-H", "x-weft-hops: 20"],
    wire: get("http://web.app/ok").replace("\r\n\r\n", "\r\nx-weft-hops: 20\r\n\r\n"),
    open: "508 loop",
  },
  // Connections through the proxy.
  { ask: ["CONNECT", "web.app:9000"], wire: connect("web.app:9000"), open: "v1 v2" },
  {
    ask: ["CONNECT", "web.app:9001"],
    wire: connect("web.app:9001"),
    open: "v1 v2",
    enforced: "403 access-denied",
  },
  {
    ask: ["CONNECT", "web.app:80"],
    wire: connect("web.app:80"),
    open: "v1 v2",
    enforced: "403 access-denied",
  },
  { ask: ["CONNECT", "db-1.db.app:9000"], wire: connect("db-1.db.app:9000"), open: "v2" },
  { ask: ["CONNECT", "web.app"], wire: connect("web.app"), open: "400 bad-start-line" },
  { ask: ["CONNECT", "web.app:82"], wire: connect("web.app:82"), open: "404 port-unknown" },
  // Connections that are relayed whole.
  { ask: ["tcp://web.app:9000"], open: "v1 v2" },
  { ask: ["tcp://web.app:9001"], open: "v1 v2", enforced: "0 access-denied" },
  { ask: ["tcp://web.app:80"], open: "v1 v2", enforced: "0 access-denied" },
  { ask: ["tcp://db-1.db.app:9000"], open: "v2" },
  { ask: ["tcp://web.app:82"], open: "0 port-unknown" },
  { ask: ["tcp://no.where:82"], open: "0 host-unknown" },
  { ask: ["GET", "https://web.app/ok"], open: "0 port-unknown" },
  { ask: ["GET", "https://web.app:9000/ok"], open: "v1 v2" },
];

interface Ports {
  readonly http: number;
  readonly allowed: number;
  readonly denied: number;
}

/** Pods of two versions at addresses of their own, and a client that may call them at one port and one path. */
function manifests({ http, allowed, denied }: Ports): string {
  const ports = `[{name: http, port: 80, targetPort: ${http}}, ` +
    `{name: tcp, port: 9000, targetPort: ${allowed}, appProtocol: tcp}, ` +
    `{name: tcp-2, port: 9001, targetPort: ${denied}, appProtocol: tcp}]`;
  const services = ["", "-v1", "-v2"].map((version) => `
apiVersion: v1
kind: Service
metadata: {name: web${version}, namespace: app}
spec: {selector: {app: web${version === "" ? "" : `, v: "${version.at(-1)}"`}}, ports: ${ports}}
---`).join("");
  const pods = ["1", "2"].map((version) => `
apiVersion: v1
kind: Pod
metadata: {name: v${version}, namespace: app, labels: {app: web, v: "${version}"}}
spec:
  {hostname: db-${
    Number(version) - 1
  }, subdomain: db, serviceAccountName: web, containers: [{name: c, image: i}]}
status: {podIP: ${podAddress(version)}, conditions: [{type: Ready, status: "True"}]}
---`).join("");
  return `${services}${pods}
apiVersion: v1
kind: Service
metadata: {name: db, namespace: app}
spec: {clusterIP: None, selector: {app: web}, ports: [{name: tcp, port: 9000, targetPort: ${allowed}, appProtocol: tcp}]}
---
apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: web, namespace: app}
spec: {service: web, backends: [{service: web-v1, weight: 50}, {service: web-v2, weight: 50}]}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: TCPRoute
metadata: {name: one-port, namespace: app}
spec: {matches: {ports: [${allowed}]}}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: one-path, namespace: app}
spec: {matches: [{name: ok, pathRegex: /ok}]}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: cli, namespace: app}
spec:
  destination: {kind: ServiceAccount, name: web, namespace: app}
  sources: [{kind: ServiceAccount, name: cli, namespace: app}]
  rules: [{kind: TCPRoute, name: one-port}, {kind: HTTPRouteGroup, name: one-path}]
`;
}

function podAddress(version: string): string {
  return `127.83.0.${version}`;
}

/** Pods answer each connection with their name: by HTTP, whatever comes, or at once. */
class Pods {
  readonly ports: Ports;
  readonly #listeners: Deno.Listener[] = [];
  readonly #connections: Deno.Conn[] = [];

  constructor() {
    this.ports = {
      http: this.#listen("http"),
      allowed: this.#listen("tcp"),
      denied: this.#listen("tcp"),
    };
  }

  /** One port for both, as a targetPort is. */
  #listen(kind: "http" | "tcp"): number {
    const first = Deno.listen({ hostname: podAddress("1"), port: 0 });
    const { port } = first.addr as Deno.NetAddr;
    this.#serve(first, "v1", kind);
    this.#serve(Deno.listen({ hostname: podAddress("2"), port }), "v2", kind);
    return port;
  }

  async #serve(listener: Deno.Listener, name: string, kind: "http" | "tcp"): Promise<void> {
    this.#listeners.push(listener);
    for await (const connection of listener) {
      this.#connections.push(connection);
      answer(connection, name, kind).catch(() => {});
    }
  }

  [Symbol.dispose](): void {
    for (const each of [...this.#listeners, ...this.#connections]) each.close();
  }
}

async function answer(connection: Deno.Conn, name: string, kind: "http" | "tcp"): Promise<void> {
  const encoder = new TextEncoder();
  if (kind === "tcp") return void await connection.write(encoder.encode(name));
  const bytes = encoder.encode(`HTTP/1.1 200 OK\r\ncontent-length: ${name.length}\r\n\r\n${name}`);
  const buffer = new Uint8Array(65_536);
  while (await connection.read(buffer) !== null) await connection.write(bytes);
}

async function weft(argv: readonly string[]) {
  const environment = testEnvironment();
  const code = await run(argv, environment);
  return { code, text: environment.stdout.text(), complaint: environment.stderr.text() };
}

function startWith(plan: Parameters<typeof startProxy>[1]): Promise<Proxy> {
  const listener = {
    address: "127.0.0.1",
    port: 0,
    namespace: "app",
    identity: "app/cli",
    seed: null,
  };
  return startProxy({
    driver: "native",
    workers: 1,
    outbound: [listener, { ...listener, tcp: { namespace: "app", service: "web", port: 9000 } }],
    inbound: [],
    admin: { address: "127.0.0.1", port: 0 },
    timeouts: timeoutsWith(),
    bodyBytesMax: Infinity,
    reportRequests: false,
  }, plan);
}

/** `v1`, or `404 host-unknown`. */
async function sent(port: number, wire: string): Promise<string> {
  using socket = await RawSocket.connect(port);
  await socket.send(wire);
  const head = await socket.readThrough("\r\n\r\n");
  const status = head.slice("HTTP/1.1 ".length).slice(0, 3);
  const reason = /^x-weft-reason: (.*)$/im.exec(head)?.[1];
  if (reason !== undefined) return `${status} ${reason}`;
  if (!wire.startsWith("CONNECT")) return await socket.readExactly(2);
  const [target] = wire.slice("CONNECT ".length).split(" ");
  if (target.endsWith(":80")) {
    await socket.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    return (await socket.readResponse()).body;
  }
  return await socket.readExactly(2);
}

for (const isEnforced of [false, true]) {
  Deno.test({
    name: `explain, offline and live, says what the proxy does; access ${
      isEnforced ? "enforced" : "open"
    }`,
    ignore: Deno.build.os !== "linux",
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      using pods = new Pods();
      const file = await Deno.makeTempFile({ suffix: ".yaml" });
      await Deno.writeTextFile(file, manifests(pods.ports));
      const { plan, findings } = await compileInput({
        paths: [file],
        recursive: false,
        namespace: "default",
        permissive: !isEnforced,
      }, testEnvironment());
      assert.deepEqual(findings.filter(({ severity }) => severity === "error"), []);
      const proxy = await startWith(plan);
      try {
        const admin = `127.0.0.1:${proxy.admin?.port}`;
        const sender = ["--from", "app/cli", ...(isEnforced ? ["--enforce-access"] : [])];
        for (const { ask, open, enforced = open } of CASES) {
          const what = ask.join(" ").slice(0, 80);
          const offline = await weft(["explain", "-f", file, ...sender, "-o", "json", ...ask]);
          const live = await weft(["explain", "--admin", admin, "-o", "json", ...ask]);
          const explanation: Explanation = JSON.parse(offline.text);
          assert.deepEqual(JSON.parse(live.text), explanation, what);
          assert.equal(live.code, offline.code, what);
          const expected = isEnforced ? enforced : open;
          const said = explanation.outcome === "forward"
            ? explanation.endpoints.map(({ pod }) => pod)
            : [`${explanation.status} ${explanation.reason}`];
          const allowed = explanation.outcome === "forward" ? expected.split(" ") : [expected];
          for (const each of said) assert.ok(allowed.includes(each), `${what}: ${each}`);
          assert.equal(offline.code, explanation.outcome === "forward" ? 0 : 1, what);
          const text = await weft(["explain", "-f", file, ...sender, ...ask]);
          assert.match(text.text, /outcome {3}\S/, what);
          await simulated(ask, [file, ...sender], explanation);
        }
        // By now the explanations have been asked for: what is sent moves the split on.
        for (const { ask, wire, open, enforced = open } of CASES) {
          if (wire === undefined) continue;
          const expected = isEnforced ? enforced : open;
          const answer = await sent(proxy.outbound[0].port, wire);
          const allowed = /^\d/.test(expected) ? [expected] : expected.split(" ");
          assert.ok(allowed.includes(answer), `${ask.join(" ").slice(0, 80)}: ${answer}`);
        }
        using relayed = await RawSocket.connect(proxy.outbound[1].port);
        assert.match(await relayed.readExactly(2), /^v[12]$/);
      } finally {
        await proxy.stop();
        await Deno.remove(file);
      }
    },
  });
}

/** `dry-run --request` of the same. */
async function simulated(
  ask: readonly string[],
  argv: readonly string[],
  { outcome, reason, backend }: Explanation,
): Promise<void> {
  const at = ask.indexOf("-H");
  const [words, headers] = at < 0 ? [ask, []] : [ask.slice(0, at), ask.slice(at)];
  const { code, text, complaint } = await weft([
    ...["dry-run", ...argv, "-o", "json", "--request", words.join(" "), ...headers],
  ]);
  assert.equal(code, outcome === "forward" ? 0 : 1, complaint);
  const { simulation }: DryRunReport = JSON.parse(text);
  const [first] = simulation?.outcomes ?? [];
  assert.equal(first.backend, outcome === "forward" ? backend : null);
  assert.equal(first.refusal?.reason ?? null, reason);
}
