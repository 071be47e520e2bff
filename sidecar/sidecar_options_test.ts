// Tests of the sidecar's options: defaults, contradictions, variables, and the lines of its access log.
import assert from "node:assert/strict";
import { Command } from "@commander-js/extra-typings";
import { DEFAULT_TIMEOUTS, type ProxyTimeouts } from "../proxy/config.ts";
import type { RequestRecord } from "../proxy/observe/request_record.ts";
import { register } from "../cli/commands/proxy.ts";
import { CommandFailure, EXIT } from "../console/exit.ts";
import { testEnvironment } from "../console/testing.ts";
import { formatAccess } from "../tests/support/access_line.ts";
import { syntaxOf } from "./option.ts";
import { completeOptions, type GivenOptions, parseQuickly, SIDECAR_OPTIONS } from "./options.ts";
import { planOrigin, sidecarConfig, type SidecarOptions } from "./settings.ts";

/** What a command line and variables come to, read both ways, which must agree. */
function optionsOf(argv: string[], variables: Record<string, string> = {}): SidecarOptions {
  const environment = testEnvironment({ variables });
  const quick = parseQuickly(argv);
  assert.ok(quick !== null, "an ordinary command line is read without commander");
  assert.deepEqual(quick, { ...parseByCommander(argv) });
  return completeOptions(quick, environment);
}

/** What the grammar of the command gives, without running it. */
function parseByCommander(argv: string[]): GivenOptions {
  const program = new Command("weft").exitOverride();
  register(program, {
    environment: testEnvironment(),
    exitCode: EXIT.ok,
    registerAll: () => Promise.resolve(),
  });
  const [command] = program.commands;
  let given: GivenOptions = {};
  command.action(() => {
    given = command.opts();
  });
  program.parse(["proxy", ...argv], { from: "user" });
  return given;
}

function isUsageFailure(error: unknown): boolean {
  return error instanceof CommandFailure && error.exitCode === EXIT.usage;
}

Deno.test("sidecar: a compiled plan is served by the main thread, manifests by a worker", () => {
  const workers = (argv: string[]) => sidecarConfig(optionsOf(argv), 0).workers;
  assert.equal(workers(["--plan", "p.json"]), 0);
  assert.equal(workers(["-f", "a.yaml"]), 1);
  assert.equal(workers(["--plan", "p.json", "--workers", "2"]), 2);
});

Deno.test("sidecar: defaults", () => {
  const options = optionsOf(["-f", "a.yaml"]);
  assert.deepEqual(sidecarConfig(options, 7), {
    driver: "auto",
    workers: 1,
    outbound: [{
      address: "127.0.0.1",
      port: 15001,
      namespace: "default",
      identity: "default/default",
      seed: 7,
    }],
    inbound: [],
    admin: { address: "127.0.0.1", port: 15000 },
    trustDomain: "cluster.local",
    egress: true,
    timeouts: DEFAULT_TIMEOUTS,
    headBytesMax: 61_440,
    bodyBytesMax: Infinity,
    reportRequests: false,
  });
  assert.deepEqual(planOrigin(options), {
    egress: true,
    kind: "manifests",
    paths: ["a.yaml"],
    recursive: false,
    namespace: "default",
    permissive: true,
  });
});

Deno.test("sidecar: --app opens the inbound listener, --admin off closes the admin one", () => {
  const config = sidecarConfig(
    optionsOf(["--plan", "p", "--app", "127.0.0.1:8080", "--admin", "off"]),
    0,
  );
  assert.deepEqual(config.inbound, [{
    address: "0.0.0.0",
    port: 15003,
    application: { address: "127.0.0.1", port: 8080 },
    identity: "default/default",
    namespace: "default",
  }]);
  assert.equal(config.admin, null);
});

Deno.test("sidecar: --capture marks both listeners, and only the application's address counts", () => {
  const captured = sidecarConfig(optionsOf(["-f", "a.yaml", "--capture"]), 0);
  assert.equal(captured.outbound[0].capture, true);
  assert.deepEqual(captured.inbound, [{
    address: "0.0.0.0",
    port: 15003,
    application: { address: "127.0.0.1", port: 0 },
    identity: "default/default",
    namespace: "default",
    capture: true,
  }]);
  const elsewhere = sidecarConfig(optionsOf(["-f", "a", "--capture", "--app", "10.1.2.3:0"]), 0);
  assert.equal(elsewhere.inbound[0].application.address, "10.1.2.3");
});

Deno.test("sidecar: --identity makes it one of the mesh, with what callers may do and what is a probe", () => {
  const config = sidecarConfig(
    optionsOf([
      ...["-f", "a.yaml", "--app", "127.0.0.1:80", "--identity", "/certs"],
      ...["--inbound-mtls", "strict,90=permissive", "--probe=80/healthz?full"],
      ...["--probe=90/grpc.health.v1.Health/Check", "--probe=https:443/live?x"],
    ]),
    0,
  );
  assert.equal(config.mutualTls, true);
  const [{ mtls, probes }] = config.inbound;
  const ports = [{ first: 90, last: 90, mode: "permissive" }];
  assert.deepEqual(mtls, { mode: "strict", ports });
  assert.deepEqual(probes, [
    { port: 80, path: "/healthz" },
    { port: 90, path: "/grpc.health.v1.Health/Check", isCall: true },
    { port: 443, path: "/live", isSecured: true },
  ]);
});

Deno.test("sidecar: --egress off refuses what the mesh does not know", () => {
  assert.equal(sidecarConfig(optionsOf(["-f", "a", "--egress", "off"]), 0).egress, false);
});

Deno.test("sidecar: --head-limit says how large heads may be, from 8 KiB to 96 KiB", () => {
  const bytes = (limit: string) =>
    sidecarConfig(optionsOf(["-f", "a", "--head-limit", limit]), 0).headBytesMax;
  assert.deepEqual(["8KiB", "16000", "96KiB"].map(bytes), [8_192, 16_000, 98_304]);
});

Deno.test("sidecar: contradictions are usage failures", () => {
  const origin = (argv: string[]) => () => planOrigin(optionsOf(argv));
  const config = (argv: string[]) => () => sidecarConfig(optionsOf(argv), 0);
  for (
    const refused of [
      origin([]),
      origin(["-f", "a.yaml", "--plan", "b.json"]),
      origin(["--plan", "b.json", "--enforce-access"]),
      origin(["-f", "-"]),
      config(["--inbound", ":15003"]),
      config(["-f", "a.yaml", "--app", ":80", "--inbound-mtls", "on"]),
      config(["-f", "a.yaml", "--app", ":80", "--probe", "healthz"]),
      config(["--workers", "257"]),
      config(["--capture", "--driver", "portable"]),
      config(["--response-timeout", "soon"]),
      config(["--outbound", "15001"]),
      config(["--head-limit", "none"]),
      config(["--head-limit", "8191"]),
      config(["--head-limit", "97KiB"]),
    ]
  ) {
    assert.throws(refused, isUsageFailure);
  }
});

Deno.test("sidecar: none and 0s are one to every option for a time, also as its variable", () => {
  const timeoutsOf = (argv: string[], variables: Record<string, string> = {}) =>
    sidecarConfig(optionsOf(["-f", "a.yaml", ...argv], variables), 0).timeouts;
  const without: Record<string, number> = {
    "--connect-timeout": Infinity,
    "--egress-connect-timeout": Infinity,
    "--pending-timeout": Infinity,
    "--response-timeout": Infinity,
    "--request-head-timeout": Infinity,
    "--client-idle-timeout": Infinity,
    "--upstream-idle-timeout": Infinity,
    "--stall-timeout": Infinity,
    "--tcp-idle-timeout": Infinity,
    "--accept-timeout": 0,
    "--drain-timeout": 0,
  };
  const names = SIDECAR_OPTIONS.map((option) => syntaxOf(option).long);
  assert.deepEqual(names.filter((name) => name.endsWith("-timeout")), Object.keys(without));
  for (const [name, expected] of Object.entries(without)) {
    const field = syntaxOf({ flags: `${name} <time>`, about: "" }).key.replace("Timeout", "Ms");
    const variable = `WEFT_PROXY_${name.slice(2).replaceAll("-", "_").toUpperCase()}`;
    for (const zero of ["none", "0s", "0ms"]) {
      for (
        const given of [() => timeoutsOf([name, zero]), () => timeoutsOf([], { [variable]: zero })]
      ) {
        assert.equal({ ...given() }[field as keyof ProxyTimeouts], expected, name);
      }
    }
  }
});

Deno.test("sidecar: one that the kubelet ends last takes no new connections after SIGTERM, unless told to", () => {
  const acceptMs = (argv: string[], variables: Record<string, string> = {}) =>
    sidecarConfig(optionsOf(["-f", "a.yaml", ...argv], variables), 0).timeouts.acceptMs;
  assert.equal(acceptMs([]), 5_000);
  assert.equal(acceptMs(["--native-sidecar"]), 0);
  assert.equal(acceptMs([], { WEFT_PROXY_NATIVE_SIDECAR: "true" }), 0);
  assert.equal(acceptMs(["--native-sidecar", "--accept-timeout", "2s"]), 2_000);
  assert.equal(acceptMs([], { WEFT_PROXY_ACCEPT_TIMEOUT: "2s" }), 2_000);
});

Deno.test("sidecar: variables fill in what the command line leaves out", () => {
  const options = optionsOf(["--outbound", "127.0.0.1:1"], {
    WEFT_PROXY_FILENAME: "a.yaml:manifests",
    WEFT_PROXY_OUTBOUND: "127.0.0.1:2",
    WEFT_PROXY_RESPONSE_TIMEOUT: "5s",
    WEFT_PROXY_RECURSIVE: "true",
    WEFT_PROXY_ACCESS_LOG: "json",
    WEFT_PROXY_NAMESPACE: "",
  });
  assert.deepEqual(options.filename, ["a.yaml", "manifests"]);
  assert.equal(options.recursive, true);
  assert.equal(options.namespace, "default", "an empty variable is none");
  const config = sidecarConfig(options, 0);
  assert.equal(config.outbound[0].port, 1, "the command line counts first");
  assert.equal(config.timeouts.responseMs, 5_000);
  assert.equal(config.accessLog, "json");
});

Deno.test("sidecar: a variable that is none of the choices is a usage failure that names it", () => {
  const refuses = (name: string, value: string) =>
    assert.throws(
      () => optionsOf([], { [name]: value }),
      (error) => isUsageFailure(error) && String(error).includes(name),
    );
  refuses("WEFT_PROXY_DRIVER", "kernel");
  refuses("WEFT_PROXY_RECURSIVE", "perhaps");
});

Deno.test("sidecar: every option is read alike with and without commander", () => {
  for (const option of SIDECAR_OPTIONS) {
    const { short, long, kind } = syntaxOf(option);
    const value = option.choices?.[1] ?? "value";
    const values = kind === "switch" ? [] : kind === "value" ? [value] : [value, "second"];
    optionsOf([long, ...values]);
    if (short !== undefined) optionsOf([short, ...values]);
    if (kind !== "switch") optionsOf([`${long}=${value}`]);
  }
  assert.deepEqual(
    optionsOf(["-f", "a", "-R", "-f", "b", "c", "--filename=d", "--driver", "native"]).filename,
    ["a", "b", "c", "d"],
  );
});

Deno.test("sidecar: what is not plainly right is left to commander to explain", () => {
  for (
    const argv of [
      ["--help"],
      ["file.yaml"],
      ["--outbuond", ":1"],
      ["--outbound"],
      ["--outbound", "--admin"],
      ["--driver", "kernel"],
      ["--recursive=yes"],
      ["-fa.yaml"],
      ["--plan="],
      ["--", "-f"],
    ]
  ) {
    assert.equal(parseQuickly(argv), null, argv.join(" "));
  }
});

const RECORD: RequestRecord = {
  listener: 0,
  peer: "127.0.0.9",
  source: "curl/curl",
  protocol: "HTTP/1.1",
  method: "GET",
  authority: "httpbin.httpbin:8080",
  path: '/a"b\nc',
  status: 200,
  reason: "",
  requestBytes: 0,
  responseBytes: 12,
  grpcStatus: null,
  rule: "httpbin/routes/get",
  service: "httpbin/httpbin:8080",
  split: "httpbin/httpbin-split",
  backend: "httpbin/httpbin-v1",
  pod: "httpbin-v1-0",
  endpoint: "127.1.2.3:8080",
  attempts: 1,
  trace: "0af7651916cd43dd8448eb211c80319c",
  headers: { cookie: "for taps only" },
  plan: "0123456789ab",
  durationMs: 1.5,
  planWaitMs: 0,
};
const TIME_MS = Date.UTC(2026, 7, 1, 12, 3, 4, 567);

Deno.test("access log: common format, where a path cannot end its field or its line", () => {
  assert.equal(
    formatAccess("common", RECORD, TIME_MS),
    "127.0.0.9 - 127.1.2.3:8080 [01/Aug/2026:12:03:04 +0000] " +
      String.raw`"GET http://httpbin.httpbin:8080/a\"b\x0ac HTTP/1.1" 200 12 ` +
      "source=curl/curl service=httpbin/httpbin:8080 rule=httpbin/routes/get split=httpbin/httpbin-split " +
      "backend=httpbin/httpbin-v1 pod=httpbin-v1-0 reason=- plan=0123456789ab trace=0af7651916cd43dd8448eb211c80319c attempts=1 " +
      "request_bytes=0 grpc=- ms=1.5",
  );
});

Deno.test("access log: common format of what is no request, or none that could be read", () => {
  const lineOf = (record: Partial<RequestRecord>) =>
    /"(.*)" \d/.exec(formatAccess("common", { ...RECORD, ...record }, TIME_MS))?.[1];
  const tcp = { method: "TCP", protocol: "TCP", authority: "10.0.0.7:5432", path: "", status: 0 };
  assert.equal(lineOf(tcp), "TCP 10.0.0.7:5432 TCP");
  const connect = { method: "CONNECT", authority: "db.shop:5432", path: "" };
  assert.equal(lineOf(connect), "CONNECT db.shop:5432 HTTP/1.1");
  assert.equal(lineOf({ protocol: "", method: "", authority: "", path: "", status: 400 }), "-");
});

Deno.test("access log: one JSON object with everything that is known", () => {
  const { time, ...fields } = JSON.parse(formatAccess("json", RECORD, TIME_MS));
  assert.equal(time, "2026-08-01T12:03:04.567Z");
  const { listener: _listener, headers: _headers, ...expected } = RECORD;
  assert.deepEqual(fields, expected);
});

Deno.test("sidecar: --workload and --pod say whose requests are counted", () => {
  const { outbound: [named] } = sidecarConfig(
    optionsOf(["-f", "a", "--workload", "Deployment/curl", "--pod", "curl-0"]),
    0,
  );
  assert.equal(named.workload, "Deployment/curl");
  assert.equal(named.pod, "curl-0");
});

Deno.test("sidecar: a captured application has the addresses of its pod, of either IP version", () => {
  const application = (app: string) =>
    sidecarConfig(optionsOf(["--plan", "p", "--capture", `--app=${app}`]), 0).inbound[0]
      .application;
  assert.deepEqual(application("10.1.0.5"), { address: "10.1.0.5", port: 0 });
  assert.deepEqual(application("fd00::5"), { address: "fd00::5", port: 0 });
  assert.deepEqual(application("127.0.0.1:0"), { address: "127.0.0.1", port: 0 });
  assert.deepEqual(application("fd00::5,10.1.0.5"), {
    address: "fd00::5",
    port: 0,
    otherAddress: "10.1.0.5",
  });
  for (const wrong of ["10.1.0.5,10.1.0.6", "10.1.0.5,fd00::5,fd00::6", "10.1.0.5,", "a,b"]) {
    assert.throws(() => application(wrong), isUsageFailure, wrong);
  }
});
