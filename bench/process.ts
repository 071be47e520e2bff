/**
 * Processes under measurement: started on one core, waited for, and read from /proc. Linux only. Knows nothing
 * of what the processes do.
 */
import { median } from "./report.ts";

/** Ticks of /proc/PID/stat a second; Linux has shown user space this value on every architecture we run on. */
const TICKS_PER_SECOND = 100;

interface Memory {
  /**
   * Kilobytes of memory behind no file: heap, stacks, buffers. Pages of the executable are left out, since every
   * process that runs it shares them and the kernel can read them back.
   */
  readonly anonymousKb: number;
  readonly residentKb: number;
}

/** This machine lacks what a measurement needs: it is left out, and nothing is wrong. */
export class Unavailable extends Error {}

/** @throws {Unavailable} `command` is not on PATH */
export function requireInstalled(command: string): void {
  if (!isInstalled(command)) throw new Unavailable(`"${command}" is not installed`);
}

/** True if `command` is on PATH. */
export function isInstalled(command: string): boolean {
  const result = new Deno.Command("sh", { args: ["-c", `command -v "$1"`, "sh", command] })
    .outputSync();
  return result.success;
}

/** Both streams of a command that ends by itself, as text; for versions. */
export function outputOf(command: string, args: string[]): string {
  const { stdout, stderr } = new Deno.Command(command, { args }).outputSync();
  const decoder = new TextDecoder();
  return decoder.decode(stdout) + decoder.decode(stderr);
}

/** A process tree on given cores. CPU time and memory are of the process and all its descendants. */
export class PinnedProcess {
  readonly #child: Deno.ChildProcess;
  readonly #logPath: string;
  #hasEnded = false;

  /** `cores` is a list for `taskset`; what the process prints goes to `logPath`. */
  constructor(command: string[], cores: string, logPath: string) {
    this.#logPath = logPath;
    // exec: the shell becomes taskset, which becomes the command, so that the pid is the command's own.
    this.#child = new Deno.Command("sh", {
      args: [
        "-c",
        `cores=$1 log=$2; shift 2; exec taskset -c "$cores" "$@" >"$log" 2>&1`,
        "sh",
        cores,
        logPath,
        ...command,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#child.status.then(() => this.#hasEnded = true);
  }

  /** CPU seconds used so far, user and system, by every thread. */
  cpuSeconds(): number {
    let ticks = 0;
    for (const pid of this.#pids()) {
      const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
      // The name in parentheses may hold spaces; fields 14 and 15 are counted from after it.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      ticks += Number(fields[11]) + Number(fields[12]);
    }
    return ticks / TICKS_PER_SECOND;
  }

  memory(): Memory {
    let anonymousKb = 0;
    let residentKb = 0;
    for (const pid of this.#pids()) {
      const rollup = Deno.readTextFileSync(`/proc/${pid}/smaps_rollup`);
      const kilobytes = (name: string) =>
        Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1] ?? 0);
      anonymousKb += kilobytes("Anonymous");
      residentKb += kilobytes("Rss");
    }
    return { anonymousKb, residentKb };
  }

  /** Polls until `isReady`, and returns the milliseconds that took. Throws with the process's log where it ends. */
  async waitUntil(isReady: () => Promise<boolean>, limitMs = 20_000): Promise<number> {
    const started = performance.now();
    while (!(await isReady())) {
      const waitedMs = performance.now() - started;
      if (this.#hasEnded || waitedMs > limitMs) {
        throw new Error(`It did not become ready: ${Deno.readTextFileSync(this.#logPath).trim()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return performance.now() - started;
  }

  /** Ends it and waits until it is gone. */
  async stop(): Promise<void> {
    if (!this.#hasEnded) this.#child.kill("SIGTERM");
    const forced = setTimeout(() => {
      if (!this.#hasEnded) this.#child.kill("SIGKILL");
    }, 3_000);
    await this.#child.status;
    clearTimeout(forced);
  }

  #pids(): number[] {
    const pids = [this.#child.pid];
    for (const pid of pids) {
      const threads = [...Deno.readDirSync(`/proc/${pid}/task`)].map((entry) => entry.name);
      for (const thread of threads) {
        const children = Deno.readTextFileSync(`/proc/${pid}/task/${thread}/children`).trim();
        if (children !== "") pids.push(...children.split(/\s+/).map(Number));
      }
    }
    return pids;
  }
}

/** Memory once a proxy has done what it does after work: the median of some looks, a tenth of a second apart. */
export async function settledMemory(process: PinnedProcess): Promise<Memory> {
  const looks: Memory[] = [];
  for (let i = 0; i < 15; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    looks.push(process.memory());
  }
  const last = looks.slice(-5);
  return {
    anonymousKb: median(last.map(({ anonymousKb }) => anonymousKb)),
    residentKb: median(last.map(({ residentKb }) => residentKb)),
  };
}

/** True once something accepts connections on the port of 127.0.0.1. */
export async function acceptsConnections(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}
