// Tests of child processes: real ones, on loopback. Every wait is for something the child does.
import assert from "node:assert/strict";
import type { HostPort } from "../console/values.ts";
import { type ChildHooks, ChildRunner } from "./child_process.ts";
import { isAccepting, usablePlace } from "./places.ts";

const isUnix = Deno.build.os !== "windows";

/** Keeps what a child tells, and lets a test wait for the next thing. */
class Recorder implements ChildHooks {
  readonly lines: string[] = [];
  readonly #waiting: { test: (line: string) => boolean; resolve: (line: string) => void }[] = [];

  onOutput(line: string): void {
    this.#add(`output ${line}`);
  }
  onReady(isReady: boolean): void {
    this.#add(isReady ? "ready" : "unready");
  }
  onExit(reason: string, delayMs: number): void {
    this.#add(`exit ${reason} ${delayMs}`);
  }

  until(test: (line: string) => boolean): Promise<string> {
    const found = this.lines.find(test);
    if (found !== undefined) return Promise.resolve(found);
    return new Promise((resolve) => this.#waiting.push({ test, resolve }));
  }

  #add(line: string): void {
    this.lines.push(line);
    for (const { test, resolve } of this.#waiting) if (test(line)) resolve(line);
  }
}

function start(command: string, place: HostPort, env: Record<string, string> = {}) {
  const hooks = new Recorder();
  const child = new ChildRunner(
    { command, directory: undefined, env, place, isServer: true },
    hooks,
  );
  return { child, hooks };
}

/** A server in a file of its own, so that no quoting is needed. */
async function serverFile(): Promise<{ path: string; remove: () => void }> {
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(
    path,
    `Deno.serve({ hostname: Deno.args[0], port: Number(Deno.args[1]) }, () => Deno.exit(3));`,
  );
  return { path, remove: () => Deno.removeSync(path) };
}

Deno.test("child: its command is told its place, everywhere it asks for it", async () => {
  const { child, hooks } = start("echo {host}:{port} --admin {port}", {
    address: "127.1.2.3",
    port: 80,
  });
  try {
    await hooks.until((line) => line === "output 127.1.2.3:80 --admin 80");
  } finally {
    await child.stop();
  }
});

Deno.test("child: is ready when it accepts, dies, starts again, and is gone when stopped", async () => {
  const place = usablePlace({ address: "127.0.0.1", port: 0 });
  const server = await serverFile();
  const command = `${Deno.execPath()} run --allow-net ${server.path} {host} {port}`;
  const { child, hooks } = start(command, place);
  try {
    await hooks.until((line) => line === "ready");
    assert.equal(await isAccepting(place), true);
    await fetch(`http://${place.address}:${place.port}/`).then(
      (response) => response.body?.cancel(),
      () => {},
    );
    assert.equal(await hooks.until((line) => line.startsWith("exit")), "exit exit code 3 250");
    assert.deepEqual(hooks.lines.filter((line) => !line.startsWith("output")), [
      "ready",
      "unready",
      "exit exit code 3 250",
    ]);
    hooks.lines.length = 0;
    await hooks.until((line) => line === "ready");
  } finally {
    await child.stop();
    server.remove();
  }
  assert.equal(await isAccepting(place), false);
});

Deno.test({
  name: "child: gets its variables, and its output arrives line by line",
  ignore: !isUnix,
  async fn() {
    const place = { address: "127.0.0.1", port: 1 };
    const { child, hooks } = start(`echo "$POD/{port}"; printf rest >&2`, place, { POD: "p" });
    await hooks.until((line) => line.startsWith("exit"));
    await child.stop();
    assert.deepEqual(hooks.lines.slice(0, 2).sort(), ["output p/1", "output rest"]);
    assert.equal(hooks.lines[2], "exit exit code 0 250");
  },
});

Deno.test({
  name: "child: what it started in the background ends with it",
  ignore: !isUnix,
  async fn() {
    const { child, hooks } = start("sleep 600 & echo $!; wait", { address: "127.0.0.1", port: 1 });
    const line = await hooks.until((line) => line.startsWith("output "));
    const grandchild = Number(line.slice("output ".length));
    assert.equal(isRunning(grandchild), true);
    await child.stop();
    await gone(grandchild);
  },
});

Deno.test({
  name: "child: one that ignores SIGTERM is killed",
  ignore: !isUnix,
  async fn() {
    const { child, hooks } = start("trap '' TERM; echo $$; while :; do sleep 0.1; done", {
      address: "127.0.0.1",
      port: 1,
    });
    const line = await hooks.until((line) => line.startsWith("output "));
    await child.stop(100);
    await gone(Number(line.slice("output ".length)));
  },
});

Deno.test({
  name: "child: kill() needs no waiting",
  ignore: !isUnix,
  async fn() {
    const { child, hooks } = start("echo $$; sleep 600", { address: "127.0.0.1", port: 1 });
    const line = await hooks.until((line) => line.startsWith("output "));
    child.kill();
    await gone(Number(line.slice("output ".length)));
    await child.stop();
  },
});

Deno.test({
  name: "child: one that is no server is ready while it runs",
  ignore: !isUnix,
  async fn() {
    const hooks = new Recorder();
    const place = { address: "127.0.0.1", port: 1 };
    const child = new ChildRunner(
      { command: "sleep 600", directory: undefined, env: {}, place, isServer: false },
      hooks,
    );
    await hooks.until((line) => line === "ready");
    await child.stop();
    assert.equal(hooks.lines.at(-1), "unready");
  },
});

/** A signal that does nothing tells whether the process is there. SIGCONT does nothing to a running one. */
function isRunning(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGCONT");
    return true;
  } catch {
    return false;
  }
}

/** An orphan that was killed stays listed until init has seen it. */
async function gone(pid: number): Promise<void> {
  while (isRunning(pid)) {
    try {
      const status = await Deno.readTextFile(`/proc/${pid}/stat`);
      if (/\) Z /.test(status)) return;
    } catch {
      // It went between the two looks, or the system has no /proc.
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
