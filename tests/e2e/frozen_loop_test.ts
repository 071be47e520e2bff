/**
 * A worker's thread that the kernel does not run any more: what a loop without an end, or a system call that never returns, comes to.
 * A tracer (perl, by ptrace) stops the one thread and lets it go on when it ends.
 */
import assert from "node:assert/strict";
import { encodePlan } from "../../routing/plan_codec.ts";
import { planOf } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import { weftCommand } from "./weft_process.ts";

/** ptrace(2) has no name in perl: its number, by machine. */
const PTRACE = { x86_64: 101, aarch64: 117 }[Deno.build.arch];
const PTRACE_ATTACH = 16;

const FREEZE = `
  $| = 1;
  exit 3 if syscall(${PTRACE}, ${PTRACE_ATTACH}, $ARGV[0] + 0, 0, 0) == -1;
  waitpid($ARGV[0] + 0, 0x40000000); # __WALL
  print "frozen\\n";
  <STDIN>;
`;

/** Stops a thread; returns what lets it go on. Null: this machine does not allow that. */
async function freeze(thread: number): Promise<(() => Promise<void>) | null> {
  let tracer: Deno.ChildProcess;
  try {
    tracer = new Deno.Command("perl", {
      args: ["-e", FREEZE, String(thread)],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
  } catch {
    return null;
  }
  const reader = tracer.stdout.getReader();
  const { done } = await reader.read();
  const thaw = async () => {
    await tracer.stdin.close();
    await reader.cancel();
    await tracer.status;
  };
  if (!done) return thaw;
  await thaw();
  return null;
}

class FrozenProxy {
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  log = "";

  constructor(folder: string) {
    Deno.writeTextFileSync(`${folder}/plan.json`, encodePlan(planOf([1])));
    const child = weftCommand([
      ...["proxy", "--plan", `${folder}/plan.json`, "--workers", "2", "--driver", "native"],
      ...["--outbound", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--accept-timeout", "none"],
    ], { stdin: "null", stdout: "null", stderr: "piped" }).spawn();
    this.#child = child;
    this.#reading = (async () => {
      const texts = child.stderr.pipeThrough(new TextDecoderStream());
      for await (const text of texts) this.log += text;
    })();
  }

  get #admin(): string {
    const line = this.log.split("\n").find((text) => text.includes("Proxy started"));
    return JSON.parse(line ?? "{}").admin;
  }

  async started(): Promise<void> {
    await until("it runs", () => this.log, (log) => log.includes("Proxy started"));
  }

  worker(): number {
    const tasks = `/proc/${this.#child.pid}/task`;
    const threads = [...Deno.readDirSync(tasks)].map(({ name }) => name);
    const names = threads.filter((thread) =>
      Deno.readTextFileSync(`${tasks}/${thread}/comm`).startsWith("worker-")
    );
    return Number(names[0]);
  }

  async ask(path: string): Promise<[number, string]> {
    const response = await fetch(`http://${this.#admin}${path}`);
    return [response.status, await response.text()];
  }

  async end(signal: Deno.Signal): Promise<number> {
    this.#child.kill(signal);
    const { code } = await this.#child.status;
    await this.#reading;
    return code;
  }
}

Deno.test({
  name:
    "proxy, a worker that is frozen: neither alive nor ready until it goes on, and ended in time",
  ignore: Deno.build.os !== "linux",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const folder = Deno.makeTempDirSync();
    const proxy = new FrozenProxy(folder);
    let code: number | null = null;
    try {
      await proxy.started();
      const thaw = await freeze(proxy.worker());
      if (thaw === null) return console.log("skipped: no thread may be stopped here");
      const silent = "an event loop does not answer";
      assert.deepEqual(await proxy.ask("/healthz"), [500, `not ok: ${silent}\n`]);
      assert.deepEqual(await proxy.ask("/readyz"), [503, `not ready: ${silent}\n`]);
      const [status, text] = await proxy.ask("/metrics");
      assert.equal(status, 503);
      assert.match(text, /does not answer/);
      await thaw();
      await until("alive", () => proxy.ask("/healthz"), ([status]) => status === 200);
      assert.deepEqual(await proxy.ask("/readyz"), [200, "ready\n"]);

      const bury = await freeze(proxy.worker());
      const end = proxy.end("SIGTERM");
      await until("it has drained", () => proxy.log, (log) => log.includes("Stopped"));
      // The kernel keeps a process until its tracer has let go of it.
      await bury?.();
      code = await end;
      assert.equal(code, 0);
    } finally {
      if (code === null) await proxy.end("SIGKILL");
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
