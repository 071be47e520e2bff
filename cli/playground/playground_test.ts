// Tests of `weft playground`: what it writes and serves, and what it refuses. The page itself is tested in tests/page.
import assert from "node:assert/strict";
import { run } from "../run.ts";
import { testEnvironment } from "../../console/testing.ts";
import { RawSocket, statusOf } from "../../tests/support/raw_socket.ts";
import { PAGE_DATA_ID, type PageData } from "../../page/page_data.ts";

Deno.chdir(new URL("../../", import.meta.url));

/** Runs `weft playground`, and hands back all that can be seen of it. */
async function playground(argv: string[], stdin = "") {
  const environment = testEnvironment({ stdin });
  const code = await run(["playground", ...argv], environment);
  return { code, stdout: environment.stdout.text(), stderr: environment.stderr.text() };
}

function dataOf(html: string): PageData {
  const [, json] = new RegExp(`id="${PAGE_DATA_ID}">([^<]*)</script>`).exec(html) ?? [];
  return JSON.parse(json);
}

Deno.test("playground --out - writes one page with manifests, request and definitions in it", async () => {
  const { code, stdout } = await playground([
    ...["--out", "-", "-f", "examples/canary/routes.yaml", "examples/canary/splits.yaml"],
    ...["--request", "POST http://web.app/a", "-H", "x-a: 1", "--from", "app/cart"],
  ]);
  assert.equal(code, 0);
  const { state, definitions, isLive } = dataOf(stdout);
  assert.deepEqual(state.files.map(({ name }) => name), [
    "examples/canary/routes.yaml",
    "examples/canary/splits.yaml",
  ]);
  const { method, url, headers, from } = state;
  assert.deepEqual({ method, url, headers, from, isLive }, {
    method: "POST",
    url: "http://web.app/a",
    headers: "x-a: 1",
    from: "app/cart",
    isLive: false,
  });
  assert.ok("trafficsplits.yaml" in definitions);
  // Nothing outside it is named, and nothing may be asked.
  assert.match(
    stdout,
    /default-src 'none'; script-src 'sha256-[^']+' 'unsafe-eval';.* connect-src 'none'/,
  );
  const outside = [...stdout.matchAll(/(?:src|href)="?(https?:[^" >]+)/g)].map(([, url]) => url);
  assert.deepEqual(outside, []);
});

Deno.test("playground takes what is piped", async () => {
  const { code, stdout } = await playground(["-f", "-", "--out", "-"], "kind: Service\n");
  assert.equal(code, 0);
  assert.equal(dataOf(stdout).state.files[0].text, "kind: Service\n");
});

Deno.test("playground serves the page to this machine alone, until it is stopped", async () => {
  const environment = testEnvironment();
  const ended = run(["playground", "--port", "0"], environment);
  await environment.stdout.until(/http:\/\/\S+/);
  const [url] = /http:\/\/\S+/.exec(environment.stdout.text()) ?? [""];
  const page = await fetch(url);
  assert.equal(page.headers.get("content-security-policy"), "frame-ancestors 'none'");
  assert.equal(dataOf(await page.text()).state.files[0].name, "splits.yaml");
  using stranger = await RawSocket.connect(Number(new URL(url).port));
  await stranger.send("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  assert.equal(statusOf(await stranger.readResponse()), 403);
  environment.sendStopSignal("SIGINT");
  assert.equal(await ended, 0);
});

const REFUSED: readonly (readonly [argv: string[], code: number, says: RegExp])[] = [
  [["-H", "a: b"], 2, /--header is about a request/],
  [["--request", "nonsense"], 2, /is not a request/],
  [["--from", "No!"], 2, /is not a sender/],
  [["--port", "70000"], 2, /not a whole number/],
  [["no/such.yaml"], 1, /source-unreadable/],
  [["--out", "/no/such/folder/page.html"], 1, /Cannot write \/no\/such\/folder\/page\.html/],
];

for (const [argv, code, says] of REFUSED) {
  Deno.test(`playground ${argv.join(" ")}: one line, and ${code}`, async () => {
    const outcome = await playground(argv);
    assert.equal(outcome.code, code);
    assert.match(outcome.stderr, says);
  });
}
