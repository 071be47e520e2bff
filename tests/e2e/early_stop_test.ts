/**
 * A stop signal that comes while weft starts, as process 1 of a container, for which the kernel drops what it has no handler for. Needs
 * to be allowed a PID namespace. A signal before the handler stands is lost: so long takes the start of Deno itself.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { encodePlan } from "../../routing/plan_codec.ts";
import { planOf } from "../support/test_proxy.ts";
import { soon, until } from "../support/until.ts";
import { weftCommandLine } from "./weft_process.ts";

const REPOSITORY = new URL("../../", import.meta.url);
const EXAMPLE = fileURLToPath(new URL("examples/canary/", REPOSITORY));
const UNSHARE = ["--pid", "--fork", "--kill-child"];
/** The kernel's number. */
const SIGTERM = 15;
/**
 * After there is a handler: while modules are loaded, while files are read, and once it serves. The first is not 0, because Deno
 * makes a handler of its own a moment before it knows of ours.
 */
const DELAYS_MS = [20, 50, 100, 200, 400];

function mayUnshare(): boolean {
  try {
    return new Deno.Command("unshare", { args: [...UNSHARE, "true"], stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}

function readOrEmpty(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

function catchesSigterm(pid: number): boolean {
  const [, mask = "0"] = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readOrEmpty(`/proc/${pid}/status`)) ?? [];
  return (BigInt(`0x${mask}`) >> BigInt(SIGTERM - 1) & 1n) === 1n;
}

/** The exit code of a command where a signal comes so long after its handler stands. */
async function endedBy(
  signal: Deno.Signal,
  command: readonly string[],
  delayMs: number,
): Promise<number> {
  const child = new Deno.Command("unshare", {
    args: [...UNSHARE, ...command],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  let hasEnded = false;
  const ended = child.status.then(({ code }) => {
    hasEnded = true;
    return code;
  });
  try {
    const children = `/proc/${child.pid}/task/${child.pid}/children`;
    const pid = await until("process 1", () => Number(readOrEmpty(children)), (pid) => pid > 0);
    await until("a handler", () => catchesSigterm(pid), (isCaught) => isCaught);
    // Not a wait for something, but what is tested: each moment of the start.
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    Deno.kill(pid, signal);
    return await soon(`the end by ${signal} after ${delayMs} ms`, ended);
  } finally {
    if (!hasEnded) child.kill("SIGKILL");
    await ended;
  }
}

const isAllowed = Deno.build.os === "linux" && mayUnshare();
const why = isAllowed ? "" : " (skipped: no PID namespace to be had)";

function testAsProcess1(role: string, argsOf: (folder: string) => string[]): void {
  Deno.test({
    name: `${role} as process 1: a stop signal at any moment of its start ends it, with 0${why}`,
    ignore: !isAllowed,
    async fn() {
      const folder = Deno.makeTempDirSync();
      try {
        const command = weftCommandLine(argsOf(folder));
        for (const delayMs of DELAYS_MS) {
          assert.equal(await endedBy("SIGTERM", command, delayMs), 0, `after ${delayMs} ms`);
        }
        assert.equal(await endedBy("SIGINT", command, DELAYS_MS[0]), 0);
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
}

const PORTS = ["--outbound", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--accept-timeout", "none"];

testAsProcess1("proxy --plan", (folder) => {
  Deno.writeTextFileSync(`${folder}/plan.json`, encodePlan(planOf([1])));
  return ["proxy", "--plan", `${folder}/plan.json`, ...PORTS];
});

testAsProcess1("proxy -f", () => ["proxy", "-f", EXAMPLE, ...PORTS]);

testAsProcess1("up", () => ["up", "-f", EXAMPLE, "--port", "0", "--admin", "off"]);

/** In place of a module that takes for ever to load. */
const NEVER = "data:text/javascript,setTimeout(() => {}, 1e9); await new Promise(() => {});";

Deno.test({
  name: "as process 1: a stop signal is caught before anything else is loaded" + why,
  ignore: !isAllowed,
  async fn() {
    const map = Deno.makeTempFileSync({ suffix: ".json" });
    try {
      for (const module of ["cli/run.ts", "console/environment.ts"]) {
        const imports = { [new URL(module, REPOSITORY).href]: NEVER };
        Deno.writeTextFileSync(map, JSON.stringify({ imports }));
        const flags = ["--no-check", "-A", "--import-map", map];
        const main = fileURLToPath(new URL("main.ts", REPOSITORY));
        for (const role of ["proxy", "up"]) {
          const command = [Deno.execPath(), "run", ...flags, main, role];
          assert.equal(
            await endedBy("SIGTERM", command, DELAYS_MS[0]),
            0,
            `${role} without ${module}`,
          );
        }
      }
    } finally {
      Deno.removeSync(map);
    }
  },
});
