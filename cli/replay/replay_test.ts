// Tests of `weft replay`: what is counted of a log in each format, what is read of damaged ones, and that memory stays bounded.
import assert from "node:assert/strict";
import { testEnvironment } from "../../console/testing.ts";
import { run } from "../run.ts";
import { assertGolden } from "../testing.ts";
import { formatOf } from "./log_formats.ts";
import type { ReplayReport } from "./report.ts";

const ROOT = new URL("../../", import.meta.url);
Deno.chdir(ROOT);

const CANARY = ["-f", "examples/canary/"];
const HOST = "httpbin.httpbin:8080";

interface Log {
  readonly text: string | Uint8Array<ArrayBuffer>;
}

async function replay({ text }: Log, argv: readonly string[]) {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeFile(file, typeof text === "string" ? new TextEncoder().encode(text) : text);
    const environment = testEnvironment();
    const code = await run(["replay", "--log", file, ...argv], environment);
    const stdout = environment.stdout.text();
    return { code, stdout, stderr: environment.stderr.text().replaceAll(file, "LOG") };
  } finally {
    await Deno.remove(file);
  }
}

async function reportOf(
  text: Log["text"],
  argv: readonly string[] = CANARY,
): Promise<ReplayReport> {
  return JSON.parse((await replay({ text }, [...argv, "-o", "json"])).stdout);
}

/** What was found, without what was not. */
function foundIn({ found }: ReplayReport): Record<string, number> {
  return Object.fromEntries(
    Object.entries(found).filter(([, { count }]) => count > 0).map((
      [kind, { count }],
    ) => [kind, count]),
  );
}

interface Line {
  readonly method?: string;
  readonly path: string;
  readonly authority?: string;
  readonly rule?: string;
  readonly split?: string;
  readonly backend?: string;
  readonly service?: string;
  readonly reason?: string;
  readonly source?: string;
}

function weftLine(line: Line): string {
  return JSON.stringify({
    ...{
      time: "2026-11-30T08:20:46.123Z",
      source: "",
      protocol: "HTTP/1.1",
      method: "GET",
      authority: HOST,
    },
    ...{
      status: 200,
      reason: "",
      service: "httpbin/httpbin:8080",
      rule: "",
      split: "",
      backend: "",
    },
    ...line,
  });
}

const TEST: Line = {
  path: "/test?a=b",
  rule: "httpbin/httpbin-test/test",
  split: "httpbin/httpbin-split",
  backend: "httpbin/httpbin-v1",
};

Deno.test("replay: a log of our own, of every kind of request", async () => {
  const lines = [
    ...Array.from(
      { length: 6 },
      (_, i) => ({ ...TEST, backend: `httpbin/httpbin-v${i < 4 ? 1 : 2}` }),
    ),
    // Was split, and is taken by another rule.
    { ...TEST, path: "/other", backend: "httpbin/httpbin-v2" },
    // No rule took it, one does.
    { path: "/demo", backend: "httpbin/httpbin" },
    // A rule took it, none does.
    { ...TEST, method: "POST", backend: "httpbin/httpbin-v1" },
    { path: "/", authority: "gone.httpbin", service: "httpbin/gone:80", backend: "httpbin/gone" },
    { path: "/", authority: "new.httpbin", service: "", reason: "host-unknown" },
    // Inbound: nothing to compare.
    { path: "/", service: "" },
  ];
  const text = [...lines.map(weftLine), '{"lost":7}', "garbage", ""].join("\n");
  const { code, stdout, stderr } = await replay({ text }, CANARY);
  assert.equal(code, 1);
  assert.equal(stderr, "");
  assertGolden("replay.txt", stdout);
  const report = await reportOf(text);
  assert.deepEqual(foundIn(report), { moved: 3, refused: 1, uncovered: 1, matched: 1, unknown: 1 });
  assert.deepEqual(report.log, {
    ...{ format: "weft json", bytes: text.length, lines: 14, unreadable: 1, lost: 7 },
    ...{ requests: 11, connections: 0, unrouted: 1 },
  });
});

Deno.test("replay: a captured request goes where its connection went, whatever its host; OPTIONS * has a route", async () => {
  const lines = [
    { ...TEST, authority: "of.no.one" },
    { ...TEST, authority: "httpbin-v2.httpbin:8080" },
    { path: "*", method: "OPTIONS", backend: "httpbin/httpbin" },
  ];
  const report = await reportOf(lines.map(weftLine).join("\n"));
  assert.deepEqual(foundIn(report), {});
  assert.deepEqual(
    report.routes.map(({ service, rule, requests }) => [service, rule, requests]),
    [["httpbin/httpbin", "httpbin/httpbin-test#test", 2], ["httpbin/httpbin", null, 1]],
  );
});

Deno.test("replay: what goes where it went is 0, and said so", async () => {
  const text = Array.from(
    { length: 8 },
    (_, i) => weftLine({ ...TEST, backend: `httpbin/httpbin-v${i % 4 === 0 ? 2 : 1}` }),
  ).join("\n");
  const { code, stdout } = await replay({ text }, CANARY);
  assert.equal(code, 0);
  assert.match(stdout, /8 requests in 8 lines \(weft json\); all go where they went\n$/);
});

Deno.test("replay: traffic targets count where they are enforced, for each caller", async () => {
  const text = [
    weftLine({ ...TEST, source: "curl/curl" }),
    weftLine({ ...TEST, source: "app/web" }),
  ].join("\n");
  assert.deepEqual(foundIn(await reportOf(text)), {});
  assert.deepEqual(foundIn(await reportOf(text, [...CANARY, "--enforce-access"])), { denied: 2 });
});

const AGENT = 'Mozilla/5.0 (X11; Linux \\"x\\")';
const LINES: Readonly<
  Record<string, { readonly format: string; readonly line: string; readonly argv?: string[] }>
> = {
  "Envoy's default": {
    format: "envoy",
    line: `[2016-04-15T20:17:00.310Z] "GET /test?x HTTP/2" 204 - 154 0 226 100 "10.0.35.28" ` +
      `"${AGENT}" "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "${HOST}" "tcp://10.0.2.1:80"`,
  },
  "Istio's default": {
    format: "envoy",
    line:
      `[2020-11-25T21:26:18.409Z] "GET /test HTTP/1.1" 418 - via_upstream - "-" 0 135 3 1 "-" "curl/7.73.0" ` +
      `"84961386-6d84-929d-98bd-c5aee93b5c88" "${HOST}" "10.44.1.27:80" outbound|8000||httpbin.foo 10.44.1.23:37652 -`,
  },
  "nginx's combined": {
    format: "combined",
    line:
      `10.0.0.1 - bob [30/Nov/2026:08:20:46 +0000] "GET /test?x HTTP/1.1" 200 312 "-" "${AGENT}"`,
    argv: ["--host", HOST],
  },
  "FSM's": {
    format: "fsm",
    line: JSON.stringify({
      req: { method: "GET", path: "/test", headers: { Host: HOST } },
      res: { status: 200 },
    }),
  },
  "weft's common": {
    format: "weft common",
    line:
      `10.0.0.1 - 10.1.0.1:80 [30/Nov/2026:08:20:46 +0000] "GET http://${HOST}/test HTTP/1.1" 200 312 ` +
      "source=curl/curl service=httpbin/httpbin:8080 rule=httpbin/httpbin-test/test split=httpbin/httpbin-split " +
      "backend=httpbin/httpbin-v1 pod=- reason=- plan=- trace=- attempts=1 request_bytes=- grpc=- ms=1.0",
  },
};

for (const [name, { format, line, argv = [] }] of Object.entries(LINES)) {
  Deno.test(`replay: reads ${name}`, async () => {
    assert.equal(formatOf(line)?.name, format);
    const report = await reportOf(`${line}\n${line}\r\n`, [...CANARY, ...argv]);
    assert.equal(report.log.unreadable, 0);
    const [route] = report.routes;
    assert.deepEqual([route.rule, route.requests], ["httpbin/httpbin-test#test", 2]);
  });
}

Deno.test("replay: headers that a format knows decide, and those that it lacks are not guessed", async () => {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  const manifests = await Deno.readTextFile("cli/testdata/diff/old.yaml");
  await Deno.writeTextFile(file, manifests.replace("x-beta: ^on$", "user-agent: Firefox"));
  const argv = ["-f", file, "--host", "web.shop"];
  const combined = (agent: string) =>
    `1.1.1.1 - - [30/Nov/2026:08:20:46 +0000] "GET /x HTTP/1.1" 200 1 "-" "${agent}"`;
  const known = await reportOf(
    [combined("Firefox"), combined("curl"), combined("-")].join("\n"),
    argv,
  );
  assert.deepEqual(known.routes.map(({ rule, requests }) => [rule, requests]), [[null, 2], [
    "shop/routes#beta",
    1,
  ]]);
  // Our own log has no headers, but the rule that took the request.
  const own = (rule: string) =>
    weftLine({ path: "/x", authority: "web.shop", service: "shop/web:80", rule });
  const recorded = await reportOf([own("shop/routes/beta"), own("")].join("\n"), argv);
  assert.deepEqual(
    recorded.routes.map(({ rule }) => rule).sort(),
    [null, "shop/routes#beta"].sort(),
  );
  const { found } = await reportOf([own("shop/routes/other")].join("\n"), argv);
  assert.deepEqual(found.undecided, {
    count: 1,
    samples: ["GET web.shop/x: depends on user-agent"],
  });
  await Deno.remove(file);
});

Deno.test("replay: a log packed by gzip, and lines that are cut anywhere", async () => {
  const text = Array.from({ length: 5_000 }, (_, i) => weftLine({ ...TEST, path: `/test/é${i}` }))
    .join("\n");
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  const packed = new Uint8Array(await new Response(stream).arrayBuffer());
  const report = await reportOf(packed);
  assert.deepEqual([report.log.requests, report.log.unreadable], [5_000, 0]);
  assert.equal(report.log.bytes, packed.length);
  const long = `${weftLine(TEST)}\n${"x".repeat(3_000_000)}\n${weftLine(TEST)}\n${
    "y".repeat(200_000)
  }`;
  const cut = await reportOf(long);
  assert.deepEqual([cut.log.lines, cut.log.requests, cut.log.unreadable], [4, 2, 2]);
});

Deno.test("replay: what cannot be done is one line and an exit code", async () => {
  const combined = '1.1.1.1 - - [x] "GET /x HTTP/1.1" 200 1';
  const cases: [text: string, argv: string[], code: number, complaint: RegExp][] = [
    ["", CANARY, 3, /No line of "LOG" is of a format that is known/],
    ["what is this\n", CANARY, 3, /No line of/],
    [combined, CANARY, 3, /does not name the host of GET \/x\n {2}Say which/],
    [weftLine(TEST), [], 2, /takes a log and manifests/],
    [weftLine(TEST), ["-f", "no/such"], 3, /no such file/i],
  ];
  for (const [text, argv, code, complaint] of cases) {
    const result = await replay({ text }, argv);
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, complaint);
    assert.doesNotMatch(result.stderr, /\n\s+at /);
  }
  const environment = testEnvironment();
  assert.equal(await run(["replay", "--log", "no/such", ...CANARY], environment), 3);
  assert.match(environment.stderr.text(), /^weft: Cannot read log "no\/such": no such file\n$/);
});
