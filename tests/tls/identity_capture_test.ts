/**
 * Relayed connections under mutual TLS, with a real kernel: a pod whose inbound connections are captured, and callers in another
 * network namespace who show their certificates. Needs root, `ip`, iptables, openssl and curl, and says so where they are missing.
 */
import assert from "node:assert/strict";
import type { RequestRecord } from "../../proxy/observe/request_record.ts";
import { compile } from "../../routing/compile/compile.ts";
import { encodePlan } from "../../routing/plan_codec.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import { labObstacle, NetworkLab } from "../support/network_lab.ts";
import { until } from "../support/until.ts";
import { ingressPlan } from "./ingress_cases.ts";
import {
  certificateFor,
  CLIENT_ID,
  HAS_OPENSSL_COMMAND,
  showing,
  type TestCertificate,
  testCertificates,
} from "./certificates.ts";

const obstacle = HAS_OPENSSL_COMMAND
  ? labObstacle(["iptables", "ip6tables", "curl"])
  : "no openssl command";
const why = obstacle === null ? "" : ` (skipped: ${obstacle})`;

const POD = "10.77.9.2";
/** Declared as a protocol whose server speaks first; it greets, and ends. */
const MAIL_PORT = 2525;
/** Declared as TCP; it greets and ends too. */
const DATA_PORT = 5432;
/** Not declared at all; it answers HTTP with what it was told of its client. */
const WEB_PORT = 8080;

/** Runs in the pod. */
const APPLICATION = `
  async function greet(port) {
    for await (const connection of Deno.listen({ hostname: "0.0.0.0", port })) {
      connection.write(new TextEncoder().encode("220 ready\\n")).then(() => connection.close());
    }
  }
  greet(${MAIL_PORT});
  greet(${DATA_PORT});
  Deno.serve({ port: ${WEB_PORT}, onListen: () => console.log("ready") },
    (request) => new Response("over " + request.headers.get("x-forwarded-proto") + "\\n"));
`;

/** `client` may use the mail port and GET what begins with `/read`; no other caller may do anything. */
function plan(permissive: boolean): string {
  const service = (name: string, protocol: string, port: number) => [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace: "default" },
      spec: { ports: [{ name: protocol, port }] },
    },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      addressType: "IPv4",
      metadata: { name, namespace: "default", labels: { "kubernetes.io/service-name": name } },
      ports: [{ name: protocol, port }],
      endpoints: [{ addresses: [POD] }],
    },
  ];
  const account = (name: string) => ({ kind: "ServiceAccount", name, namespace: "default" });
  const documents = [
    ...service("mail", "tcp-server-first", MAIL_PORT),
    ...service("data", "tcp", DATA_PORT),
    {
      apiVersion: "specs.smi-spec.io/v1alpha4",
      kind: "TCPRoute",
      metadata: { name: "mail", namespace: "default" },
      spec: { matches: { ports: [MAIL_PORT] } },
    },
    {
      apiVersion: "specs.smi-spec.io/v1alpha4",
      kind: "HTTPRouteGroup",
      metadata: { name: "reading", namespace: "default" },
      spec: { matches: [{ name: "read", pathRegex: "/read", methods: ["GET"] }] },
    },
    {
      apiVersion: "access.smi-spec.io/v1alpha3",
      kind: "TrafficTarget",
      metadata: { name: "client", namespace: "default" },
      spec: {
        destination: account("server"),
        rules: [
          { kind: "TCPRoute", name: "mail" },
          { kind: "HTTPRouteGroup", name: "reading", matches: ["read"] },
        ],
        sources: [account("client")],
      },
    },
  ];
  const text = documents.map((each) => JSON.stringify(each)).join("\n---\n");
  const { snapshot, findings } = parseManifests([{ name: "lab.yaml", text }]);
  assert.deepEqual(findings, []);
  return encodePlan(compile(snapshot, { permissive }).plan);
}

/** Collects what a child prints. */
function follow(stream: ReadableStream<Uint8Array>): { text: string } {
  const collected = { text: "" };
  (async () => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) collected.text += text;
  })();
  return collected;
}

async function startPod(
  lab: NetworkLab,
  planFile: string,
  ...more: readonly string[]
): Promise<{ text: string }> {
  await lab.add("pod");
  await lab.add("world");
  await lab.join(
    { name: "pod", addresses: [`${POD}/24`] },
    { name: "world", addresses: ["10.77.9.1/24"] },
  );
  const application = lab.start("pod", Deno.execPath(), ["eval", APPLICATION]);
  const output = follow(application.stdout);
  await until("the application listens", () => output.text, (text) => text.includes("ready"));
  const weft = ["run", "-A", "--no-check", "main.ts"];
  await lab.run("pod", Deno.execPath(), [
    ...weft,
    "proxy-init",
    "--yes",
    "--proxy-uid=0",
    "--proxy-gid=0",
  ]);
  const proxy = lab.start("pod", Deno.execPath(), [
    ...[...weft, "proxy", "--plan", planFile, "--capture", "--access-log", "json"],
    ...["--admin", "off", "--service-account", "server"],
    ...more,
  ]);
  const records = follow(proxy.stdout);
  const log = follow(proxy.stderr);
  await until("the proxy started", () => log.text, (text) => text.includes("Proxy started"));
  return records;
}

/** TLS from files, where callers may show a certificate. */
function optionalTls(): string[] {
  const { server, authority } = testCertificates();
  return [
    ...["--inbound-tls-cert", server.chainFile, "--inbound-tls-key", server.keyFile],
    ...["--inbound-tls-client-ca", authority.chainFile, "--inbound-tls-client-cert", "optional"],
  ];
}

Deno.test({
  name: `identity: captured connections, relayed by whom a certificate shows${why}`,
  ignore: obstacle !== null,
  // The lab's children are read until the lab ends them.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    const lab = new NetworkLab();
    const folder = Deno.makeTempDirSync();
    Deno.writeTextFileSync(`${folder}/plan.json`, plan(false));
    const { ambiguous, authority } = testCertificates();
    // s_client shows one certificate and no chain.
    const client = certificateFor(`URI:${CLIENT_ID}`);
    const stranger = certificateFor("URI:spiffe://cluster.local/ns/default/sa/stranger");
    try {
      const output = await startPod(lab, `${folder}/plan.json`, ...optionalTls());
      const records = (): RequestRecord[] =>
        output.text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
      /** What the server says before it ends the connection, which s_client waits for. */
      const hear = async (certificate: TestCertificate | null, port: number) => {
        const shown = certificate === null
          ? []
          : ["-cert", certificate.chainFile, "-key", certificate.keyFile];
        const { stdout } = await lab.attempt("world", "openssl", [
          ...["s_client", "-quiet", "-connect", `${POD}:${port}`, ...shown],
        ]);
        return stdout;
      };
      const lastRecord = (count: number) =>
        until("a record", records, (all) => all.length >= count).then((all) => {
          const { method, source, reason } = all[count - 1];
          return [method, source, reason];
        });

      await t.step("a port that a TCP rule names, and a server that speaks first", async () => {
        assert.equal(await hear(client, MAIL_PORT), "220 ready\n");
        assert.deepEqual(await lastRecord(1), ["TCP", "default/client", ""]);
      });

      await t.step(
        "another port, another caller, an anonymous one: closed, with the reason on record",
        async () => {
          assert.equal(await hear(client, DATA_PORT), "");
          assert.deepEqual(await lastRecord(2), ["TCP", "default/client", "access-denied"]);
          assert.equal(await hear(stranger, MAIL_PORT), "");
          assert.deepEqual(await lastRecord(3), ["TCP", "default/stranger", "access-denied"]);
          assert.equal(await hear(null, MAIL_PORT), "");
          assert.deepEqual(await lastRecord(4), ["TCP", "", "identity-missing"]);
          assert.equal(await hear(ambiguous, MAIL_PORT), "");
          assert.deepEqual(await lastRecord(5), ["TCP", "", "identity-ambiguous"]);
        },
      );

      await t.step("requests on an undeclared port", async () => {
        const curlThrough = (certificate: TestCertificate, path: string, version: string) =>
          lab.run("world", "curl", [
            ...["-sS", "-m", "10", version, "--cacert", authority.chainFile],
            ...showing(certificate),
            ...["--connect-to", `localhost:443:${POD}:${WEB_PORT}`, `https://localhost${path}`],
          ]);
        for (const version of ["--http1.1", "--http2"]) {
          assert.equal(await curlThrough(client, "/read", version), "over https\n");
          assert.match(await curlThrough(client, "/write", version), /^weft: No traffic target/);
          assert.match(await curlThrough(stranger, "/read", version), /^weft: No traffic target/);
        }
      });
    } finally {
      await lab.close();
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: `identity: captured connections, where callers may do without TLS${why}`,
  ignore: obstacle !== null,
  // The lab's children are read until the lab ends them.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const lab = new NetworkLab();
    const folder = Deno.makeTempDirSync();
    Deno.writeTextFileSync(`${folder}/plan.json`, plan(true));
    const { authority } = testCertificates();
    const client = certificateFor(`URI:${CLIENT_ID}`);
    try {
      await startPod(
        lab,
        `${folder}/plan.json`,
        ...optionalTls(),
        "--inbound-plaintext",
        "accepted",
      );
      const curlThrough = (...args: readonly string[]) =>
        lab.run("world", "curl", ["-sS", ...args]);
      assert.equal(await curlThrough(`http://${POD}:${WEB_PORT}/`), "over http\n");
      const to = ["--connect-to", `localhost:443:${POD}:${WEB_PORT}`, "https://localhost/"];
      const trusting = ["--cacert", authority.chainFile];
      assert.equal(await curlThrough(...trusting, ...showing(client), ...to), "over https\n");
      // The server speaks first, and the client is silent: it is plain.
      const hear = `head -n 1 </dev/tcp/${POD}/${MAIL_PORT}`;
      assert.equal(await lab.run("world", "timeout", ["10", "bash", "-c", hear]), "220 ready\n");
      const secured = ["s_client", "-quiet", "-connect", `${POD}:${MAIL_PORT}`];
      assert.equal((await lab.attempt("world", "openssl", secured)).stdout, "220 ready\n");
    } finally {
      await lab.close();
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

/** What a shell says and hears at a port of the pod, over TLS with `alpn` or in plain. */
function talk(lab: NetworkLab, port: number, said: string, alpn = ""): Promise<string> {
  const { chainFile, keyFile } = certificateFor(`URI:${CLIENT_ID}`);
  const secured =
    `openssl s_client -quiet -alpn ${alpn} -cert ${chainFile} -key ${keyFile} -connect`;
  // What is said is no line of a shell.
  const talking = alpn === ""
    ? `exec 3<>/dev/tcp/${POD}/${port}; printf "${said}" >&3; timeout 5 cat <&3`
    : `(printf "${said}"; sleep 2) | timeout 10 ${secured} ${POD}:${port} 2>/dev/null`;
  return lab.attempt("world", "bash", ["-c", talking]).then(({ stdout }) => stdout);
}

/** As cert-manager's driver for SPIFFE mounts it. */
function writeIdentity(folder: string): void {
  const { authority, server } = testCertificates();
  Deno.copyFileSync(server.chainFile, `${folder}/tls.crt`);
  Deno.copyFileSync(server.keyFile, `${folder}/tls.key`);
  Deno.copyFileSync(authority.chainFile, `${folder}/ca.crt`);
}

const ASKED = "GET /read HTTP/1.1\\r\\nHost: web\\r\\nConnection: close\\r\\n\\r\\n";

Deno.test({
  name: `identity: a captured sidecar of a mesh, beside callers in plain${why}`,
  ignore: obstacle !== null,
  // The lab's children are read until the lab ends them.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const lab = new NetworkLab();
    const folder = Deno.makeTempDirSync();
    const planFile = `${folder}/plan.json`;
    Deno.writeTextFileSync(planFile, plan(true));
    writeIdentity(folder);
    try {
      const mode = ["--inbound-mtls", `permissive,${DATA_PORT}=strict`];
      const output = await startPod(lab, planFile, "--identity", folder, ...mode);
      const callers = () =>
        output.text.split("\n").slice(0, -1).map((line) => JSON.parse(line))
          .map(({ method, source, reason }) => `${method} ${source} ${reason}`);
      assert.match(await talk(lab, WEB_PORT, ASKED, "weft-http/1.1"), /over http\n/);
      assert.match(await talk(lab, WEB_PORT, ASKED), /over http\n/);
      for (const port of [MAIL_PORT, DATA_PORT]) {
        assert.match(await talk(lab, port, "", "weft-tcp"), /^220 ready\n/);
      }
      assert.equal(await talk(lab, MAIL_PORT, ""), "220 ready\n");
      assert.equal(await talk(lab, DATA_PORT, ""), "");
      await until("the records", () => callers().length, (length) => length >= 6);
      assert.deepEqual(callers(), [
        "GET default/client ",
        "GET  ",
        "TCP default/client ",
        "TCP default/client ",
        "TCP  ",
        "TCP  mtls-required",
      ]);
    } finally {
      await lab.close();
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: `identity: a captured sidecar of a strict mesh, and whom IngressBackends let in${why}`,
  ignore: obstacle !== null,
  // The lab's children are read until the lab ends them.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const lab = new NetworkLab();
    const folder = Deno.makeTempDirSync();
    const planFile = `${folder}/plan.json`;
    const sources = [{ kind: "IPRange", name: "10.77.9.1/32" }];
    const backend = {
      port: { protocol: "https" },
      tls: { skipClientCertValidation: true, sniHosts: ["shop.example"] },
    };
    Deno.writeTextFileSync(planFile, encodePlan(ingressPlan({ backend, sources }, WEB_PORT, POD)));
    writeIdentity(folder);
    try {
      await startPod(lab, planFile, "--identity", folder);
      const curl = (url: string, ...more: readonly string[]) =>
        lab.attempt("world", "curl", ["-sS", "-k", "-m", "10", ...more, url])
          .then(({ code, stdout }) => code === 0 ? stdout : "none");
      const secured = (name: string, ...more: readonly string[]) => {
        const place = `${name}:443:${POD}:${WEB_PORT}`;
        return curl(`https://${name}/read`, "--connect-to", place, ...more);
      };
      for (const version of ["--http1.1", "--http2"]) {
        assert.equal(await secured("shop.example", version), "over https\n");
      }
      assert.equal(await secured("other.example"), "none");
      assert.match(await curl(`http://${POD}:${WEB_PORT}/read`), /^weft: Callers must come by/);
      const inPlain = (pod: string) => encodePlan(ingressPlan({ sources }, WEB_PORT, pod));
      const becomes = (plan: string, answer: RegExp) => {
        Deno.writeTextFileSync(planFile, plan);
        return until(
          String(answer),
          () => curl(`http://${POD}:${WEB_PORT}/read`),
          (text) => answer.test(text),
        );
      };
      await becomes(inPlain(POD), /^over http\n/);
      assert.equal(await secured("shop.example"), "none");
      await becomes(inPlain("10.77.9.9"), /^weft: Callers must come by/);
    } finally {
      await lab.close();
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
