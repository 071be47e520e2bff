/** The access log of `weft proxy` with a pipe that is not read, then with one that is read again, and one that breaks. */
import assert from "node:assert/strict";
import { encodePlan } from "../../routing/plan_codec.ts";
import { RawSocket, statusOf } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { planOf } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import { weftCommand } from "./weft_process.ts";

/** The kernel holds 64 KiB of a pipe and the proxy 1 MiB; a line of these requests has some 1 300 characters. */
const REQUESTS = 2_000;
const PATH = `/${"a".repeat(900)}`;

class LoggingProxy {
  readonly #child: Deno.ChildProcess;
  readonly #stderr: Promise<void>;
  readonly stdout: ReadableStreamDefaultReader<string>;
  #log = "";

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.stdout = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#stderr = (async () => {
      for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) this.#log += text;
    })();
  }

  /** Of a compiled plan, so that its event loop runs on the thread that writes the log. */
  static async start(folder: string, endpoint: number): Promise<LoggingProxy> {
    Deno.writeTextFileSync(`${folder}/plan.json`, encodePlan(planOf([endpoint])));
    const child = weftCommand([
      ...["proxy", "--plan", `${folder}/plan.json`, "--access-log", "json"],
      ...["--outbound", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--accept-timeout", "none"],
    ], { stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
    const proxy = new LoggingProxy(child);
    await until("it runs", () => proxy.#log, (log) => log.includes("Proxy started"));
    return proxy;
  }

  get #started(): { outbound: string; admin: string } {
    const line = this.#log.split("\n").find((text) => text.includes("Proxy started"));
    return JSON.parse(line ?? "{}");
  }

  async ask(count: number): Promise<void> {
    using client = await RawSocket.connect(Number(this.#started.outbound.split(":")[1]));
    for (let i = 0; i < count; i++) {
      await client.send(`GET ${PATH} HTTP/1.1\r\nHost: app\r\n\r\n`);
      assert.equal(statusOf(await client.readResponse()), 200);
    }
  }

  async lost(): Promise<number> {
    const text = await (await fetch(`http://${this.#started.admin}/metrics`)).text();
    return Number(/^weft_access_log_lost_total (\d+)$/m.exec(text)?.[1]);
  }

  /** Ends within its time, whether or not it is read. */
  async stop(): Promise<number> {
    this.#child.kill("SIGTERM");
    const { code } = await this.#child.status;
    await this.#stderr;
    return code;
  }
}

async function withProxy(run: (proxy: LoggingProxy) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync();
  await using origin = new ScriptedOrigin(answering(() => ok("hello")), { mayFail: true });
  const proxy = await LoggingProxy.start(folder, origin.port);
  try {
    await run(proxy);
  } finally {
    assert.equal(await proxy.stop(), 0);
    Deno.removeSync(folder, { recursive: true });
  }
}

function test(name: string, run: (proxy: LoggingProxy) => Promise<void>): void {
  Deno.test({
    name: `access log: ${name}`,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: () => withProxy(run),
  });
}

test("a pipe that is not read delays no request, and the lines that it costs are counted", async (proxy) => {
  await proxy.ask(REQUESTS);
  const lost = await proxy.lost();
  assert.ok(lost > 100 && lost < REQUESTS, `${lost} lines lost`);
  // Read again: whole lines, then how many are missing, and nothing more is.
  let text = "";
  const lines = () => text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
  while (!text.includes('{"lost":')) {
    text += (await proxy.stdout.read()).value ?? assert.fail("ended");
  }
  await proxy.ask(1);
  while (lines().length < REQUESTS - lost + 2) text += (await proxy.stdout.read()).value ?? "";
  assert.deepEqual(lines().filter((line) => line.path === PATH).length, REQUESTS - lost + 1);
  assert.deepEqual(lines().filter((line) => "lost" in line), [{ lost }]);
  assert.equal(await proxy.lost(), lost);
});

test("a pipe that is still stuck at the end does not hold up the end", async (proxy) => {
  await proxy.ask(REQUESTS);
});

test("a reader that goes away costs the log and not the proxy", async (proxy) => {
  await proxy.ask(1);
  await proxy.stdout.read();
  await proxy.stdout.cancel();
  await proxy.ask(10);
  await until("lines are lost", () => proxy.lost(), (lost) => lost > 0);
  await proxy.ask(10);
});
