/**
 * Traffic targets where they are enforced for good: at the sidecar of the workload that is called, by the caller's certificate. curl
 * calls with certificates of all kinds, over HTTP/1.1 and HTTP/2; relayed connections are in `identity_capture_test.ts`.
 */
import assert from "node:assert/strict";
import type { Proxy } from "../../proxy/config.ts";
import type { RequestRecord } from "../../proxy/observe/request_record.ts";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { compile } from "../../routing/compile/compile.ts";
import type { Plan } from "../../routing/plan.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import { type Driver, DRIVERS } from "../support/test_proxy.ts";
import { PATIENT_TIMEOUTS } from "../support/timeouts.ts";
import { until } from "../support/until.ts";
import {
  certificateFor,
  HAS_OPENSSL_COMMAND,
  HAS_PORTABLE_TLS,
  showing,
  type TestCertificate,
  testCertificates,
} from "./certificates.ts";
import { hasCommand, runCommand } from "../support/commands.ts";

/** The service accounts `sources` may GET what begins with `/read` of the service account `server`. */
function planFor(sources: readonly string[], permissive = false): Plan {
  const meta = { namespace: "default", name: "reading" };
  const documents = [
    {
      apiVersion: "specs.smi-spec.io/v1alpha4",
      kind: "HTTPRouteGroup",
      metadata: meta,
      spec: { matches: [{ name: "read", pathRegex: "/read", methods: ["GET"] }] },
    },
    ...sources.map((name, index) => ({
      apiVersion: "access.smi-spec.io/v1alpha3",
      kind: "TrafficTarget",
      metadata: { namespace: "default", name: `target-${index}` },
      spec: {
        destination: { kind: "ServiceAccount", name: "server", namespace: "default" },
        rules: [{ kind: "HTTPRouteGroup", name: "reading", matches: ["read"] }],
        sources: [{ kind: "ServiceAccount", name, namespace: "default" }],
      },
    })),
  ];
  const text = documents.map((each) => JSON.stringify(each)).join("\n---\n");
  const { snapshot } = parseManifests([{ name: "targets.yaml", text }]);
  return compile(snapshot, { permissive }).plan;
}

interface Answer {
  readonly status: number;
  readonly reason: string | null;
  readonly headers: string;
  readonly body: string;
}

class Running {
  private constructor(
    readonly proxy: Proxy,
    readonly origin: Deno.HttpServer<Deno.NetAddr>,
    /** What the application was asked. */
    readonly asked: readonly string[],
    readonly records: readonly RequestRecord[],
  ) {}

  static async start(driver: Driver, plan: Plan, acceptsPlain: boolean): Promise<Running> {
    const asked: string[] = [];
    const options = { hostname: "127.0.0.1", port: 0, onListen() {} };
    const origin = Deno.serve(options, (request) => {
      asked.push(`${request.method} ${new URL(request.url).pathname}`);
      return new Response("taken\n");
    });
    const { authority, server } = testCertificates();
    const place = { address: "127.0.0.1", port: 0 };
    const records: RequestRecord[] = [];
    const proxy = await startProxy(
      {
        driver,
        workers: 1,
        outbound: [],
        inbound: [{
          ...place,
          application: { address: "127.0.0.1", port: origin.addr.port },
          identity: "default/server",
        }],
        admin: place,
        tls: {
          inbound: {
            certificate: server,
            clientCertificate: "optional",
            acceptsPlain,
            clientAuthority: { pem: authority.chainPem },
            minVersion: "1.2",
            ticketKeys: null,
          },
        },
        timeouts: PATIENT_TIMEOUTS,
        bodyBytesMax: Infinity,
        reportRequests: true,
      },
      plan,
      { onRequest: (record) => void records.push(record) },
    );
    return new Running(proxy, origin, asked, records);
  }

  /** What curl gets that shows `certificate`, or none. */
  async call(
    certificate: TestCertificate | null,
    path: string,
    ...more: readonly string[]
  ): Promise<Answer> {
    const { code, stdout, stderr } = await runCommand("curl", [
      ...["-sS", "--max-time", "20", "-D", "-"],
      ...["--cacert", testCertificates().authority.chainFile],
      ...(certificate === null ? [] : showing(certificate)),
      ...more,
      `https://localhost:${this.proxy.inbound[0].port}${path}`,
    ]);
    assert.equal(code, 0, stderr);
    const [headers, body] = stdout.split("\r\n\r\n");
    return {
      status: Number(/^HTTP\/\S+ (\d+)/.exec(headers)?.[1]),
      reason: /^x-weft-reason: (.*)$/im.exec(headers)?.[1].trim() ?? null,
      headers,
      body,
    };
  }

  async admin(path: string): Promise<Response> {
    return await fetch(`http://127.0.0.1:${this.proxy.admin?.port}${path}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const metrics = await (await this.admin("/metrics")).text();
    await this.proxy.stop();
    await this.origin.shutdown();
    assert.match(metrics, /^weft_faults_total 0$/m);
  }
}

const DENIED = [403, "access-denied"];
const VERSIONS = ["--http1.1", "--http2"];

interface IdentityCase {
  readonly name: string;
  readonly plan?: Plan;
  readonly acceptsPlain?: true;
  run(running: Running): Promise<void>;
}

const CASES: readonly IdentityCase[] = [
  {
    name: "a caller that a target names gets what the target allows, and nothing else",
    async run(running) {
      const { client } = testCertificates();
      for (const version of VERSIONS) {
        const read = await running.call(client, "/read/this", version);
        assert.deepEqual([read.status, read.body], [200, "taken\n"]);
        const elsewhere = await running.call(client, "/write", version);
        assert.deepEqual([elsewhere.status, elsewhere.reason], DENIED);
        const posted = await running.call(client, "/read/this", version, "-X", "POST");
        assert.deepEqual([posted.status, posted.reason], DENIED);
      }
      assert.deepEqual(running.asked, ["GET /read/this", "GET /read/this"]);
    },
  },
  {
    name: "a verified caller that no target names is refused",
    async run(running) {
      const stranger = certificateFor("URI:spiffe://cluster.local/ns/default/sa/stranger");
      const namesake = certificateFor("URI:spiffe://cluster.local/ns/other/sa/client");
      for (const version of VERSIONS) {
        for (const caller of [stranger, namesake]) {
          const { status, reason } = await running.call(caller, "/read", version);
          assert.deepEqual([status, reason], DENIED);
        }
      }
      assert.deepEqual(running.asked, []);
    },
  },
  {
    name:
      "who shows nothing, or nothing that names one service account, is refused with the reason",
    async run(running) {
      const id = "URI:spiffe://cluster.local/ns/default/sa/client";
      const callers: [TestCertificate | null, string][] = [
        [null, "identity-missing"],
        [certificateFor(""), "identity-missing"],
        [certificateFor("DNS:spiffe.cluster.local.ns.default.sa.client"), "identity-missing"],
        [testCertificates().ambiguous, "identity-ambiguous"],
        [certificateFor(`${id},${id}`), "identity-ambiguous"],
        [certificateFor(`${id}/more`), "identity-malformed"],
        [certificateFor("URI:https://cluster.local/ns/default/sa/client"), "identity-malformed"],
        [certificateFor("URI:spiffe://other.org/ns/default/sa/client"), "identity-foreign"],
      ];
      for (const [caller, wanted] of callers) {
        for (const version of VERSIONS) {
          const { status, reason, body } = await running.call(caller, "/read", version);
          assert.deepEqual([status, reason], [403, wanted]);
          assert.doesNotMatch(body, /weft: identity-/, "The reason in words");
        }
      }
      assert.deepEqual(running.asked, []);
      const metrics = await (await running.admin("/metrics")).text();
      assert.match(metrics, /^weft_refusals_total{reason="identity-ambiguous"} 4$/m);
    },
  },
  {
    name: "no header gives a caller another identity",
    async run(running) {
      const id = "spiffe://cluster.local/ns/default/sa/client";
      const { status, reason } = await running.call(
        certificateFor("URI:spiffe://cluster.local/ns/default/sa/stranger"),
        "/read",
        ...[
          "-H",
          `x-forwarded-client-cert: By=x;URI=${id}`,
          "-H",
          `serviceidentity: client.default`,
        ],
        ...["-H", "x-forwarded-for: 127.0.0.1", "-H", `x-spiffe-id: ${id}`],
      );
      assert.deepEqual([status, reason], DENIED);
    },
  },
  {
    name: "a path that the application may read as another one is refused",
    async run(running) {
      const { client } = testCertificates();
      for (const version of VERSIONS) {
        for (const path of ["/read/../write", "/read/%2e%2e/write", "/read/..%2fwrite"]) {
          const { status, reason } = await running.call(client, path, version, "--path-as-is");
          assert.deepEqual([status, reason], [400, "path-ambiguous"]);
        }
      }
      assert.deepEqual(running.asked, []);
    },
  },
  {
    name: "gRPC: refused with grpc-status 7, and the reason",
    async run(running) {
      const grpc = ["--http2", "-H", "content-type: application/grpc", "-H", "te: trailers"];
      for (
        const [caller, reason] of [[testCertificates().client, "access-denied"], [
          null,
          "identity-missing",
        ]] as const
      ) {
        const { status, headers } = await running.call(
          caller,
          "/pkg.Service/Call",
          ...grpc,
          "-d",
          "",
        );
        assert.equal(status, 200);
        assert.match(headers, /^grpc-status: 7\r$/m);
        assert.match(headers, new RegExp(`^x-weft-reason: ${reason}\\r?$`, "m"));
      }
    },
  },
  {
    name: "one connection is judged request by request, and a new plan judges the next",
    async run(running) {
      const { client } = testCertificates();
      const url = `https://localhost:${running.proxy.inbound[0].port}/read`;
      for (const version of VERSIONS) {
        await running.call(client, "/write", version, url, url);
      }
      assert.deepEqual(running.asked, Array.from({ length: 4 }, () => "GET /read"));
      const metrics = await (await running.admin("/metrics")).text();
      assert.match(metrics, /^weft_tls_handshakes_total 2$/m, "A connection for three requests");
      await running.proxy.apply(planFor(["stranger"]));
      const { status, reason } = await running.call(client, "/read");
      assert.deepEqual([status, reason], DENIED);
      await running.proxy.apply(planFor(["stranger", "client"]));
      assert.equal((await running.call(client, "/read")).status, 200);
    },
  },
  {
    name: "a caller without TLS is anonymous, where it may do without",
    acceptsPlain: true,
    async run(running) {
      const url = `http://127.0.0.1:${running.proxy.inbound[0].port}/read`;
      const { stdout } = await runCommand("curl", ["-sS", "-D", "-", "--max-time", "20", url]);
      assert.match(stdout, /^HTTP\/1\.1 403 Forbidden\r\n[^]*x-weft-reason: identity-missing\r\n/);
      assert.equal((await running.call(testCertificates().client, "/read")).status, 200);
      assert.deepEqual(running.asked, ["GET /read"]);
    },
  },
  {
    name: "permissive mode: every caller is served, and known where it shows who it is",
    plan: planFor([], true),
    async run(running) {
      assert.equal((await running.call(null, "/write")).status, 200);
      assert.equal((await running.call(testCertificates().client, "/write")).status, 200);
      assert.equal((await running.call(testCertificates().ambiguous, "/write")).status, 200);
      await until("the records", () => running.records.length, (length) => length === 3);
      assert.deepEqual(running.records.map(({ source }) => source), ["", "default/client", ""]);
    },
  },
  {
    name: "records say who called, why it was refused and by which plan; explain says the same",
    async run(running) {
      const { client } = testCertificates();
      await running.call(client, "/read", "--http2");
      await running.call(client, "/write", "--http2");
      await until("the records", () => running.records.length, (length) => length === 2);
      const plan = planFor(["client"]).hash.slice(0, 12);
      assert.deepEqual(
        running.records.map(({ source, status, reason, plan }) => ({
          source,
          status,
          reason,
          plan,
        })),
        [
          { source: "default/client", status: 200, reason: "", plan },
          { source: "default/client", status: 403, reason: "access-denied", plan },
        ],
      );
      const explained = async (caller: string, path: string) => {
        const query = new URLSearchParams({ side: "inbound", caller, url: `http://app${path}` });
        const { outcome, reason, access } = await (await running.admin(`/explain?${query}`)).json();
        return [outcome, reason, access.guards.map((guard: { match: string }) => guard.match)];
      };
      assert.deepEqual(await explained("default/client", "/read"), ["forward", null, [
        "reading/read",
      ]]);
      assert.deepEqual(await explained("default/client", "/write"), ["refuse", "access-denied", [
        null,
      ]]);
      assert.deepEqual(await explained("default/stranger", "/read"), [
        "refuse",
        "access-denied",
        [],
      ]);
      assert.deepEqual(await explained("", "/read"), ["refuse", "identity-missing", []]);
    },
  },
];

const HAS_CURL = hasCommand("curl");
if (!HAS_CURL) console.warn("Tests of callers' identities are passed over: there is no curl");

for (const driver of DRIVERS) {
  for (const { name, plan, acceptsPlain = false, run } of CASES) {
    Deno.test({
      name: `identity (${driver}): ${name}`,
      ignore: !HAS_OPENSSL_COMMAND || !HAS_CURL || (driver === "portable" && !HAS_PORTABLE_TLS),
      // The libraries stay open.
      sanitizeResources: false,
      async fn() {
        await using running = await Running.start(
          driver,
          plan ?? planFor(["client"]),
          acceptsPlain,
        );
        await run(running);
      },
    });
  }
}
