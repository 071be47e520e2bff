/**
 * A running weft for end-to-end tests: started as a user does, watched through what it prints. `WEFT_EXECUTABLE` names a
 * compiled file to test instead of the source.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { runCommand } from "../support/commands.ts";
import { until } from "../support/until.ts";

const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));

/**
 * What starts weft with these arguments.
 * @param executable a compiled file; left out: the one under test, if there is one
 */
export function weftCommandLine(
  args: readonly string[],
  executable = Deno.env.get("WEFT_EXECUTABLE"),
): string[] {
  if (executable !== undefined && executable !== "") return [executable, ...args];
  return [Deno.execPath(), "run", "--no-check", "-A", `${REPOSITORY}main.ts`, ...args];
}

/** Weft with these arguments, to be started in whatever way. */
export function weftCommand(
  args: readonly string[],
  options: Deno.CommandOptions,
  executable?: string,
): Deno.Command {
  const [command, ...rest] = weftCommandLine(args, executable);
  return new Deno.Command(command, { ...options, args: rest });
}

/** Runs weft to its end. */
export async function runWeft(
  args: readonly string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  const [command, ...rest] = weftCommandLine(args);
  return await runCommand(command, rest, "", { cwd: REPOSITORY });
}

/** A `weft` that runs until it is stopped. */
export class WeftProcess {
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;
  #output = "";

  constructor(args: readonly string[], executable?: string) {
    const options = { cwd: REPOSITORY, stdin: "null", stdout: "piped", stderr: "piped" } as const;
    this.#child = weftCommand(args, options, executable).spawn();
    this.#reading = Promise.all([this.#read(this.#child.stdout), this.#read(this.#child.stderr)]);
  }

  /** All it has printed so far. */
  get output(): string {
    return this.#output;
  }

  /** Waits for something it prints after position `from`; resolves with the match and the position after it. */
  async printed(pattern: RegExp, from = 0): Promise<{ match: RegExpExecArray; end: number }> {
    const look = () => pattern.exec(this.#output.slice(from));
    try {
      const match = await until(`it printed ${pattern}`, look, (found) => found !== null);
      assert.ok(match !== null);
      return { match, end: from + match.index + match[0].length };
    } catch (error) {
      throw new Error(`${String(error)}\n--- printed:\n${this.#output}`);
    }
  }

  /** Sends the signal and waits for the end; resolves with the exit code. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended already.
    }
    const { code } = await this.#child.status;
    await this.#reading;
    return code;
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) this.#output += text;
  }
}

/** A mesh of `weft up` on free ports. */
export interface UpMesh {
  readonly weft: WeftProcess;
  /** Listener by client namespace, `127.0.0.1:PORT`. */
  readonly sidecars: ReadonlyMap<string, string>;
}

/** Starts `weft up` and waits until it says how to reach it. */
export async function startUp(args: readonly string[]): Promise<UpMesh> {
  const weft = new WeftProcess(["up", "--port", "0", "--admin", "off", ...args]);
  try {
    await weft.printed(/Ctrl-C ends/);
  } catch (error) {
    await weft.stop("SIGKILL");
    throw error;
  }
  const lines = weft.output.matchAll(/^ {2}(\S+) +http:\/\/(127\.0\.0\.1:\d+)$/gm);
  const sidecars = new Map([...lines].map(([, namespace, place]) => [namespace, place]));
  return { weft, sidecars };
}

/** Sends GET requests through a sidecar with real curl, all in one call as the guide does; the bodies. */
export async function curl(
  proxy: string,
  urls: readonly string[],
  args: readonly string[] = [],
): Promise<string> {
  const env = { http_proxy: `http://${proxy}`, no_proxy: "", NO_PROXY: "" };
  const { code, stdout, stderr } = await runCommand("curl", ["-sS", ...args, ...urls], "", { env });
  assert.equal(code, 0, stderr);
  return stdout;
}
