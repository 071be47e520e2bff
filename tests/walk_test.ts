/**
 * docs/life_of_a_request.md names the files that a GET crosses, and no others. Requests are sent through a proxy in this process,
 * and the calls of functions are counted.
 */
import assert from "node:assert/strict";
import { Session } from "node:inspector";
import { readFile } from "../tools/repository.ts";
import { answering, ok, ScriptedOrigin } from "./support/scripted_origin.ts";
import { TestProxy } from "./support/test_proxy.ts";

/** So many that what a timer calls meanwhile is called less often, on a busy machine too. */
const REQUESTS = 300;
/** Another driver has other files, and one row of the page. */
const DRIVER = "proxy/io/";

interface FunctionCalls {
  readonly ranges: readonly { readonly count: number }[];
}

interface CoveredScript {
  readonly url: string;
  readonly functions: readonly FunctionCalls[];
}

/** The files of the product whose functions are called at least once in each of `count` calls of `run`. */
async function filesCalledBy(count: number, run: () => Promise<void>): Promise<string[]> {
  const session = new Session();
  session.connect();
  const post = (method: string, params = {}) =>
    new Promise<{ result: readonly CoveredScript[] }>((resolve, reject) => {
      session.post(method, params, (error: Error | null, answer: unknown) => {
        if (error === null) resolve(answer as { result: readonly CoveredScript[] });
        else reject(error);
      });
    });
  await post("Profiler.enable");
  await post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
  for (let i = 0; i < count; i++) await run();
  const { result } = await post("Profiler.takePreciseCoverage");
  session.disconnect();
  const root = new URL("../", import.meta.url).href;
  return result
    .filter(({ functions }) => functions.some(({ ranges }) => ranges[0].count >= count))
    .map(({ url }) => url.replace(root, ""))
    .filter((path) => /^(proxy|routing|base)\//.test(path))
    .sort();
}

/** Older versions of Deno have no profiler that a program may ask. */
function canCountCalls(): boolean {
  try {
    const session = new Session();
    session.connect();
    session.disconnect();
    return true;
  } catch {
    return false;
  }
}

const page = readFile("docs/life_of_a_request.md");
const [walk, rest] = page.split("## Asked on the way");
const rows = [...walk.matchAll(/^\| (\d+) \| `([\w./]+)`/gm)].map(([, , path]) => path);
const asked = [...rest.split("\n## ")[0].matchAll(/`([\w./]+)`/g)].map(([, path]) => path);

Deno.test("docs: the way to the endpoint is at most 23 files, each entered once", () => {
  const there = rows.slice(0, rows.indexOf("proxy/http1/heads.ts") + 1);
  assert.ok(there.length > 10 && there.length <= 23, `${there.length} files`);
  assert.equal(new Set([...rows, ...asked]).size, rows.length + asked.length);
});

Deno.test({
  name: "docs: the files that life_of_a_request.md names are those that a GET crosses",
  ignore: !canCountCalls(),
  // The proxy's loop is in this process, and goes on until the proxy is disposed of.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using proxy = await TestProxy.start("portable");
    await using origin = new ScriptedOrigin(answering(() => ok("hello")));
    await proxy.route(origin);
    using client = await proxy.connect();
    const get = async () => {
      await client.send("GET /test HTTP/1.1\r\nHost: app\r\n\r\n");
      assert.equal((await client.readResponse()).body, "hello");
    };
    await get();
    const called = await filesCalledBy(REQUESTS, get);
    const named = [...rows, ...asked].filter((path) => !path.startsWith(DRIVER)).sort();
    assert.deepEqual(called.filter((path) => !path.startsWith(DRIVER)), named);
  },
});
