// Tests of `weft tap`: what it asks the proxy for, what it prints, and how it ends.
import assert from "node:assert/strict";
import { soon } from "../../tests/support/until.ts";
import { run } from "../run.ts";
import { type TestEnvironment, testEnvironment } from "../../console/testing.ts";

const RECORD = {
  time: "2026-08-01T12:03:04.567Z",
  listener: 0,
  peer: "127.0.0.9",
  source: "curl/curl",
  protocol: "HTTP/2",
  method: "POST",
  authority: "api.shop:80",
  path: "/shop.Cart/Add\x1b[31m",
  status: 200,
  reason: "",
  grpcStatus: 13,
  pod: "api-0",
  endpoint: "127.1.2.3:80",
  split: "shop/api",
  headers: { "x-user": "bob" },
  durationMs: 1.24,
};

async function withAdmin(
  handle: (url: URL) => Response,
  use: (admin: string) => Promise<void>,
): Promise<void> {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => handle(new URL(request.url)),
  );
  try {
    await use(`127.0.0.1:${server.addr.port}`);
  } finally {
    await server.shutdown();
  }
}

async function tap(argv: string[], environment: TestEnvironment = testEnvironment()) {
  const code = await run(["tap", ...argv], environment);
  return { code, stdout: environment.stdout.text(), stderr: environment.stderr.text() };
}

function testTap(name: string, fn: () => Promise<void>): void {
  // The client that passes by proxies lasts as long as the process.
  Deno.test({ name, sanitizeResources: false, fn });
}

/** In pieces that end anywhere. */
function streamOf(text: string, size: number): Response {
  const bytes = new TextEncoder().encode(text);
  return new Response(
    new ReadableStream({
      start(controller) {
        for (let at = 0; at < bytes.length; at += size) {
          controller.enqueue(bytes.subarray(at, at + size));
        }
        controller.close();
      },
    }),
  );
}

testTap("tap: every option goes to the proxy, and each request is one line", async () => {
  const asked: URL[] = [];
  const lines = `${JSON.stringify(RECORD)}\n${JSON.stringify({ dropped: 3 })}\n`;
  await withAdmin((url) => {
    asked.push(url);
    return streamOf(lines, 7);
  }, async (admin) => {
    const options = ["--method", "POST", "--path", "/a", "--authority", "api", "--status", "5xx"];
    options.push("--service", "s/a", "--route", "s/r", "--split", "s/p", "--backend", "s/b");
    options.push("--source", "curl", "-H", "X-User: bob", "-H", "x-a", "--limit", "2");
    assert.deepEqual(await tap(["--admin", admin, ...options]), {
      code: 0,
      stdout:
        "12:03:04.567 POST api.shop:80/shop.Cart/Add\\x1b[31m 200 grpc 13 -> api-0 by shop/api 1.2 ms" +
        " x-user=bob\nand 3 more, which this reader was too slow for\n",
      stderr: "",
    });
    const json = await tap(["--admin", admin, "-o", "json"]);
    assert.equal(json.stdout, lines);
  });
  assert.equal(asked[0].pathname, "/tap");
  assert.deepEqual(Object.fromEntries(asked[0].searchParams), {
    ...{ method: "POST", path: "/a", authority: "api", status: "5xx", service: "s/a" },
    ...{ route: "s/r", split: "s/p", backend: "s/b", source: "curl", limit: "2", header: "x-a" },
  });
  assert.deepEqual(asked[0].searchParams.getAll("header"), ["X-User: bob", "x-a"]);
  assert.equal(asked[1].search, "");
});

testTap("tap: a stop signal ends it, and that is no failure", async () => {
  const gone = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) =>
      controller.enqueue(new TextEncoder().encode(`${JSON.stringify(RECORD)}\n`)),
    cancel: () => gone.resolve(),
  });
  await withAdmin(() => new Response(body), async (admin) => {
    const environment = testEnvironment();
    const ended = tap(["--admin", admin], environment);
    await environment.stdout.until(/api-0/);
    environment.sendStopSignal("SIGINT");
    assert.equal((await ended).code, 0);
    await soon("the end of the connection", gone.promise);
  });
});

testTap("tap: what the proxy refuses, and no answer, are one line each", async () => {
  await withAdmin(
    (url) =>
      url.searchParams.has("status")
        ? new Response("status is like 503 or 5xx\n", { status: 400 })
        : new Response("There are as many taps as may be\n", { status: 503 }),
    async (admin) => {
      assert.deepEqual(await tap(["--admin", admin, "--status", "bad"]), {
        code: 2,
        stdout: "",
        stderr: `weft: The proxy at ${admin} answered 400: status is like 503 or 5xx\n`,
      });
      assert.equal((await tap(["--admin", admin])).code, 1);
    },
  );
  const { code, stderr } = await tap(["--admin", "127.0.0.1:1"]);
  assert.equal(code, 1);
  assert.match(stderr, /^weft: No answer from a proxy at 127\.0\.0\.1:1\n {2}\S.*\n$/);
});
