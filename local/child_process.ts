/**
 * One command that plays a pod: started in a process group of its own, watched until it accepts connections, started
 * again when it dies, and ended with everything it started. Knows nothing of manifests or plans.
 */
import { causeText } from "../base/text.ts";
import type { HostPort } from "../console/values.ts";
import { isAccepting } from "./places.ts";
import {
  CHILD_STOP_MS,
  LINE_LENGTH_MAX,
  PROBE_INTERVAL_MS,
  RESTART_DELAYS_MS,
  STEADY_MS,
} from "./limits.ts";

/** What to run. */
interface ChildSpec {
  /** A line for the system's shell. */
  readonly command: string;
  readonly directory: string | undefined;
  /** Added to weft's own variables. */
  readonly env: Readonly<Record<string, string>>;
  /** Where it is expected to listen. */
  readonly place: HostPort;
  /** False: it listens nowhere (a client) and counts as ready while it runs. */
  readonly isServer: boolean;
}

/** What a child tells. Called in order, never after `stop` has resolved. */
export interface ChildHooks {
  /** A line of its standard output or standard error. */
  onOutput(line: string): void;
  /** It accepts connections, or no longer does. */
  onReady(isReady: boolean): void;
  /** It ended by itself and starts again after `delayMs`. */
  onExit(reason: string, delayMs: number): void;
}

/** `{host}` and `{port}` replaced, for the command line. */
function substitutePlace(command: string, { address, port }: HostPort): string {
  return command.replaceAll("{host}", address).replaceAll("{port}", String(port));
}

/** Runs until it is stopped. */
export class ChildRunner {
  readonly #spec: ChildSpec;
  readonly #hooks: ChildHooks;
  readonly #stopping = Promise.withResolvers<void>();
  readonly #ended: Promise<void>;
  #isStopping = false;
  #child: Deno.ChildProcess | null = null;

  /** Starts at once. */
  constructor(spec: ChildSpec, hooks: ChildHooks) {
    this.#spec = spec;
    this.#hooks = hooks;
    this.#ended = this.#run();
  }

  /** Ends the process group: SIGTERM, and SIGKILL after `graceMs`. Resolves when it is gone; safe to call twice. */
  async stop(graceMs = CHILD_STOP_MS): Promise<void> {
    this.#isStopping = true;
    this.#stopping.resolve();
    this.#signal("SIGTERM");
    const timer = setTimeout(() => this.#signal("SIGKILL"), graceMs);
    await this.#ended;
    clearTimeout(timer);
  }

  /** For the last moment of the process, when nothing can be waited for. */
  kill(): void {
    this.#isStopping = true;
    this.#signal("SIGKILL");
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#isStopping) {
      const startedAt = performance.now();
      const reason = await this.#runOnce();
      if (this.#isStopping) return;
      if (performance.now() - startedAt >= STEADY_MS) failures = 0;
      const delayMs = RESTART_DELAYS_MS[Math.min(failures, RESTART_DELAYS_MS.length - 1)];
      failures++;
      this.#hooks.onExit(reason, delayMs);
      await this.#pause(delayMs);
    }
  }

  /** Runs the command to its end and says how it ended. */
  async #runOnce(): Promise<string> {
    let child: Deno.ChildProcess;
    try {
      child = spawn(this.#spec);
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) throw error;
      return causeText(error);
    }
    this.#child = child;
    const outputs = [
      forEachLine(child.stdout, (line) => this.#hooks.onOutput(line)),
      forEachLine(child.stderr, (line) => this.#hooks.onOutput(line)),
    ];
    let hasEnded = false;
    const probing = this.#probe(() => hasEnded || this.#isStopping);
    const status = await child.status;
    hasEnded = true;
    // It may have been the shell of a server that is still ending, and holds the pipes open; `stop` bounds that.
    if (this.#isStopping) await Promise.all(outputs);
    // What it started and left behind holds the pipes open, and perhaps the port.
    this.#signal("SIGKILL");
    this.#child = null;
    if (await probing) this.#hooks.onReady(false);
    await Promise.all(outputs);
    return status.signal === null ? `exit code ${status.code}` : status.signal;
  }

  /** Resolves to true once it accepted a connection, to false if `isOver` first. */
  async #probe(isOver: () => boolean): Promise<boolean> {
    while (!isOver()) {
      if (!this.#spec.isServer || await isAccepting(this.#spec.place)) {
        if (isOver()) return false;
        this.#hooks.onReady(true);
        return true;
      }
      await this.#pause(PROBE_INTERVAL_MS);
    }
    return false;
  }

  /** Waits, but not for longer than until `stop`. */
  async #pause(delayMs: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const elapsed = new Promise<void>((resolve) => timer = setTimeout(resolve, delayMs));
    await Promise.race([elapsed, this.#stopping.promise]);
    clearTimeout(timer);
  }

  #signal(signal: Deno.Signal): void {
    if (this.#child === null) return;
    try {
      // The child leads a process group of its own, named by its number made negative.
      if (Deno.build.os === "windows") this.#child.kill(signal);
      else Deno.kill(-this.#child.pid, signal);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof TypeError) return;
      throw error;
    }
  }
}

function spawn(spec: ChildSpec): Deno.ChildProcess {
  const command = substitutePlace(spec.command, spec.place);
  const [shell, flag] = Deno.build.os === "windows" ? ["cmd", "/c"] : ["/bin/sh", "-c"];
  return new Deno.Command(shell, {
    args: [flag, command],
    ...(spec.directory === undefined ? {} : { cwd: spec.directory }),
    env: spec.env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: Deno.build.os !== "windows",
  }).spawn();
}

async function forEachLine(
  stream: ReadableStream<Uint8Array>,
  onLine: (line: string) => void,
): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split(/\r?\n/);
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
    if (rest.length > LINE_LENGTH_MAX) {
      onLine(rest);
      rest = "";
    }
  }
  if (rest !== "") onLine(rest);
}
