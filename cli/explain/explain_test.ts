// Tests of `weft explain` on the canary guide's manifests: transcripts, both orders of -f, exit codes, and a proxy's answer.
import assert from "node:assert/strict";
import type { CallExplanation, Explanation } from "../../routing/table/explanation.ts";
import { run } from "../run.ts";
import { assertGolden } from "../testing.ts";
import { testEnvironment } from "../../console/testing.ts";

Deno.chdir(new URL("../../", import.meta.url));

const CANARY = ["-f", "examples/canary/"];
const TEST_URL = "http://httpbin.httpbin:8080/test";

/** Runs `weft explain` and hands back all that can be seen of it. */
async function explain(argv: string[]) {
  const environment = testEnvironment();
  const code = await run(["explain", ...argv], environment);
  return { code, stdout: environment.stdout.text(), stderr: environment.stderr.text() };
}

/** A plan's hash changes with every detail of the plan, which is no change of the transcript. */
function withoutHash(transcript: string): string {
  return transcript.replace(/[0-9a-f]{64}/, "<64 hex digits>");
}

Deno.test("explain names the rule that won, with file and line", async () => {
  const { code, stdout, stderr } = await explain(["GET", TEST_URL, ...CANARY]);
  assert.equal(code, 0);
  assert.equal(stderr, "");
  assert.match(stdout, /matched +httpbin\/httpbin-test#test +examples\/canary\/routes\.yaml:9:/);
  assertGolden("explain_canary_test.txt", withoutHash(stdout));
});

Deno.test("explain shows the policies of the route and of the backend's endpoints, and a caller who stays", async () => {
  const { stdout } = await explain([
    ...["-f", "tests/golden/policies/in.yaml", "POST", "http://web.app/checkout"],
    ...["-H", "x-user: ann"],
  ]);
  assertGolden("explain_policies.txt", withoutHash(stdout));
});

Deno.test("explain names the Service whose sessionAffinity chooses the endpoint", async () => {
  const { stdout } = await explain([
    "-f",
    "tests/golden/affinity/in.yaml",
    "GET",
    "http://web.app/",
  ]);
  assert.match(
    stdout,
    /loadBalancing +RingHash by source address +Service app\/web +\S+in\.yaml:7:3/,
  );
});

Deno.test("explain says which workloads of the sender's namespace no sidecar sees", async () => {
  const argv = ["-f", "tests/golden/past-the-mesh/in.yaml", "GET", "http://node.app/"];
  const fromThere = await explain([...argv, "--from", "app"]);
  assert.equal(fromThere.code, 0);
  assert.match(fromThere.stderr, /workload-bypasses-mesh[^]*workload-host-network/);
  assert.equal((await explain([...argv, "--from", "elsewhere"])).stderr, "");
});

Deno.test("explain takes -f before the request, after it, and with several paths", async () => {
  const expected = await explain(["GET", TEST_URL, ...CANARY]);
  assert.deepEqual(await explain([...CANARY, "GET", TEST_URL]), expected);
  const files = ["curl", "httpbin", "httpbin-v1", "httpbin-v2", "namespaces", "routes", "splits"]
    .map((name) => `examples/canary/${name}.yaml`);
  assert.deepEqual(await explain(["-f", ...files, "GET", TEST_URL]), expected);
  assert.deepEqual(await explain(["-f", ...files, "GET", TEST_URL, "-H", "a: b"]), expected);
});

Deno.test("explain gives the first condition that failed, for every rule", async () => {
  const { code, stdout } = await explain([
    ...CANARY,
    "--from",
    "curl",
    "POST",
    "httpbin.httpbin:8080/demo",
  ]);
  assert.equal(code, 0);
  assertGolden("explain_canary_hole.txt", withoutHash(stdout));
});

Deno.test("explain ends with 1 where the proxy would refuse", async () => {
  const { code, stdout } = await explain([...CANARY, "GET", "http://nowhere.nowhere/"]);
  assert.equal(code, 1);
  assert.match(stdout, /answers 404: host-unknown/);
});

Deno.test("explain -o json is the Explanation", async () => {
  const { stdout } = await explain([...CANARY, "-o", "json", "GET", TEST_URL]);
  const explanation: Explanation = JSON.parse(stdout);
  assert.equal(explanation.backend, "httpbin/httpbin-v1");
  assert.deepEqual(explanation.rules.map(({ outcome }) => outcome), ["matched", "not-reached"]);
});

Deno.test("explain of manifests with errors says so and ends with 1", async () => {
  const { code, stderr } = await explain([...CANARY, "no/such.yaml", "GET", TEST_URL]);
  assert.equal(code, 1);
  assert.match(stderr, /source-unreadable/);
});

/** Serves on a free port what an admin address might say, while `use` runs. */
async function withAdmin(
  answer: (url: URL) => Response,
  use: (admin: string) => Promise<void>,
): Promise<void> {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => answer(new URL(request.url)),
  );
  try {
    await use(`127.0.0.1:${server.addr.port}`);
  } finally {
    await server.shutdown();
  }
}

Deno.test("explain --admin asks the proxy and renders its answer as its own", async () => {
  const { stdout: json } = await explain([...CANARY, "-o", "json", "GET", TEST_URL]);
  const { stdout: text } = await explain([...CANARY, "GET", TEST_URL]);
  const asked: URL[] = [];
  await withAdmin((url) => {
    asked.push(url);
    return new Response(json);
  }, async (admin) => {
    const outcome = await explain(["--admin", admin, "GET", TEST_URL, "-H", "X-A:b"]);
    assert.deepEqual(outcome, { code: 0, stdout: text, stderr: "" });
  });
  assert.equal(asked[0].pathname, "/explain");
  assert.deepEqual([...asked[0].searchParams], [
    ["method", "GET"],
    ["url", TEST_URL],
    ["header", "X-A: b"],
  ]);
});

Deno.test("explain --admin says that the source of the plan was asked, and what came of it", async () => {
  const { stdout: json } = await explain([...CANARY, "-o", "json", "GET", TEST_URL]);
  const texts: string[] = [];
  for (const outcome of ["answered", "late", "away"]) {
    const inquiry = { question: "host default httpbin.httpbin", outcome, waitedMs: 12.3 };
    await withAdmin(
      () => Response.json({ ...JSON.parse(json), inquiry }),
      async (admin) => void texts.push((await explain(["--admin", admin, "GET", TEST_URL])).stdout),
    );
  }
  assert.match(texts[0], /asked +the source of the plan, which answered after 12ms/);
  assert.match(texts[1], /asked +the source of the plan, without an answer in 12ms: as if/);
  assert.match(texts[2], /asked +nothing: the source of the plan is away, so/);
});

Deno.test("explain --admin --from: what becomes of a caller's request, and by which target", async () => {
  const asked: URL[] = [];
  const call: CallExplanation = {
    planHash: "0".repeat(64),
    caller: "shop/cart",
    destination: "shop/stock",
    port: 8080,
    request: { method: "GET", authority: "stock.shop", path: "/read" },
    access: {
      isEnforced: true,
      isAllowed: true,
      guards: [{
        endpoints: ["application:8080"],
        targets: ["shop/readers"],
        isAllowed: true,
        allowedBy: "shop/readers",
        match: "reading/read",
        position: "targets.yaml:3:1",
      }],
    },
    outcome: "forward",
    reason: null,
    status: 0,
  };
  const outcomes: { code: number; stdout: string }[] = [];
  const nearest = {
    target: "shop/readers",
    position: "targets.yaml:3:1",
    match: null,
    failed: { clause: "source", header: null, expected: "shop/bill", seen: "shop/cart" },
  };
  const denied = { ...call, access: { ...call.access, isAllowed: false, guards: [], nearest } };
  const answers = [
    call,
    { ...denied, outcome: "refuse", reason: "access-denied", status: 403 },
    { ...call, destination: "", access: { isEnforced: false, isAllowed: true, guards: [] } },
  ];
  await withAdmin((url) => {
    asked.push(url);
    return Response.json(answers[asked.length - 1]);
  }, async (admin) => {
    for (let i = 0; i < answers.length; i++) {
      outcomes.push(
        await explain(["--admin", admin, "--from", "shop/cart", "GET", "http://stock.shop/read"]),
      );
    }
  });
  assert.equal(asked[0].searchParams.get("side"), "inbound");
  assert.equal(asked[0].searchParams.get("caller"), "shop/cart");
  assert.deepEqual(outcomes.map(({ code }) => code), [0, 1, 0]);
  const [allowed, refused, open] = outcomes.map(({ stdout }) => stdout);
  assert.match(
    allowed,
    /application:8080 +allowed by +shop\/readers +reading\/read +targets.yaml:3:1/,
  );
  assert.match(allowed, /outcome +forwarded to the application, port 8080/);
  assert.match(refused, /access +denied: no traffic target lets the caller in/);
  assert.match(refused, /nearest +shop\/readers source: wants shop\/bill, has shop\/cart, at t/);
  assert.match(refused, /outcome +the proxy answers 403: access-denied/);
  assert.match(open, /access +not enforced/);
});

Deno.test("explain --admin: no answer, an error, and something else are one line and 1", async () => {
  const failures: { code: number; stderr: string }[] = [];
  await withAdmin(
    () => new Response("no such listener\n", { status: 404 }),
    async (admin) => void failures.push(await explain(["--admin", admin, "GET", TEST_URL])),
  );
  await withAdmin(
    () => new Response("<html>"),
    async (admin) => void failures.push(await explain(["--admin", admin, "GET", TEST_URL])),
  );
  // Port 1 is not listened on: `withAdmin` has just given its own port back, which another may take.
  failures.push(await explain(["--admin", "127.0.0.1:1", "GET", TEST_URL]));
  assert.deepEqual(failures.map(({ code }) => code), [1, 1, 1]);
  assert.match(failures[0].stderr, /^weft: .* answered 404: no such listener\n$/);
  assert.match(failures[1].stderr, /^weft: .* is not a Weft proxy\n$/);
  assert.match(failures[2].stderr, /^weft: No answer from a proxy at 127\.0\.0\.1:1\n/);
});
