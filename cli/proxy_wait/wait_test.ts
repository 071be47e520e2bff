// Tests of `weft proxy-wait` against a readiness endpoint that is not there, not ready, and then ready.
import assert from "node:assert/strict";
import { testEnvironment } from "../../console/testing.ts";
import { run } from "../run.ts";

/** A sidecar that is ready from the `readyAt`th look on. */
async function withSidecar(
  readyAt: number,
  use: (admin: string, looks: () => number, asked: Promise<void>) => Promise<void>,
): Promise<void> {
  let looks = 0;
  const asked = Promise.withResolvers<void>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    assert.equal(new URL(request.url).pathname, "/readyz");
    looks++;
    asked.resolve();
    return looks >= readyAt
      ? new Response("ready\n")
      : new Response("not ready: Waiting for a plan\n", { status: 503 });
  });
  try {
    await use(`127.0.0.1:${server.addr.port}`, () => looks, asked.promise);
  } finally {
    await server.shutdown();
  }
}

Deno.test("proxy-wait: ends once the sidecar serves", () =>
  withSidecar(3, async (admin, looks) => {
    const environment = testEnvironment();
    assert.equal(await run(["proxy-wait", "--admin", admin], environment), 0);
    assert.equal(looks(), 3);
    assert.equal(environment.stdout.text() + environment.stderr.text(), "");
  }));

Deno.test("proxy-wait: after its time it says what the sidecar says", () =>
  withSidecar(Infinity, async (admin) => {
    const environment = testEnvironment();
    assert.equal(await run(["proxy-wait", "--admin", admin, "--timeout", "1ms"], environment), 1);
    assert.equal(
      environment.stderr.text(),
      `weft: The sidecar at ${admin} did not serve within 1ms: not ready: Waiting for a plan\n` +
        "  The log of its container says more.\n",
    );
  }));

Deno.test("proxy-wait: where nothing answers it says so", async () => {
  let admin = "";
  await withSidecar(1, (place) => Promise.resolve(void (admin = place)));
  const environment = testEnvironment();
  assert.equal(await run(["proxy-wait", "--admin", admin, "--timeout", "1ms"], environment), 1);
  assert.match(environment.stderr.text(), /within 1ms: nothing answers there\n/);
});

Deno.test("proxy-wait: a stop signal ends it", () =>
  withSidecar(Infinity, async (admin, _looks, asked) => {
    const environment = testEnvironment();
    const code = run(["proxy-wait", "--admin", admin, "--timeout", "1h"], environment);
    await asked;
    environment.sendStopSignal("SIGTERM");
    assert.equal(await code, 1);
    assert.match(environment.stderr.text(), /did not serve when the wait was ended/);
  }));

Deno.test("proxy-wait: what is no address or no time is refused", async () => {
  for (const argv of [["--admin", "nowhere"], ["--timeout", "soon"]]) {
    assert.equal(await run(["proxy-wait", ...argv], testEnvironment()), 2);
  }
});
