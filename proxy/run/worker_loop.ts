/** WorkerLoop: a native event loop on a thread of its own, which is spoken to through a pipe. */
import { withDeadline } from "../../base/deadline.ts";
import type { ProxyConfig } from "../config.ts";
import { AGAIN, IoError } from "../io/io.ts";
import { Pipe } from "../io/pipe.ts";
import { LOOP_COMMAND_MS, LOOP_STOP_MS } from "../limits.ts";
import type { CommandInput, CommandKind, CommandReply } from "./commands.ts";
import type { FirstPlan } from "./engine.ts";
import type { EventLoop, ListenerPorts, LoopHooks } from "./event_loop.ts";
import { encodeCommand, ReportGate } from "./worker_messages.ts";
import type { SharedStart, WorkerMessage } from "./worker_messages.ts";

/**
 * @param shared what it shares with other workers; null: it is alone
 * @throws {Error} the plan cannot be executed
 * @throws {IoError} an address cannot be had, or the driver does not work here
 */
export function startWorkerLoop(
  config: ProxyConfig,
  first: FirstPlan,
  shared: SharedStart | null,
  hooks: LoopHooks,
): Promise<EventLoop> {
  return new WorkerLoop(hooks).start(config, first, shared);
}

/** A command that has not been answered. */
interface Asked {
  readonly atMs: number;
  resolve(value: CommandReply<CommandKind>): void;
  reject(error: Error): void;
}

class WorkerLoop implements EventLoop {
  ports: ListenerPorts = { outbound: [], inbound: [] };
  readonly #worker: Worker;
  readonly #pipe = new Pipe();
  readonly #reports = ReportGate.allocate();
  readonly #gate = new ReportGate(this.#reports);
  readonly #hooks: LoopHooks;
  readonly #started = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  /** In the order in which they were asked. */
  readonly #asked = new Map<number, Asked>();
  #nextId = 1;
  /** Frames that the pipe has not taken yet; they go out one after another. */
  #sending: Promise<void> = Promise.resolve();
  #hasStarted = false;
  #isClosed = false;
  #hasEnded = false;

  constructor(hooks: LoopHooks) {
    this.#hooks = hooks;
    this.#worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(new IoError(event.message));
    };
    this.#worker.onmessage = ({ data }: MessageEvent<WorkerMessage>) => this.#hear(data);
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  async start(
    config: ProxyConfig,
    first: FirstPlan,
    shared: SharedStart | null,
  ): Promise<EventLoop> {
    const reports = this.#reports;
    const isAsking = this.#hooks.ask !== undefined;
    const pipe = this.#pipe.readEnd;
    this.#worker.postMessage({ config, first, isAsking, pipe, shared, reports });
    await this.#started.promise;
    return this;
  }

  ask<Kind extends CommandKind>(
    kind: Kind,
    ...given: CommandInput<Kind>
  ): Promise<CommandReply<Kind>> {
    if (this.#isClosed) return Promise.reject(new Error("The event loop has ended"));
    // What waits for a loop that is stuck must not become more and more.
    if (this.#isStuck) return Promise.reject(noAnswer());
    const id = this.#nextId++;
    const answer = new Promise<CommandReply<Kind>>((resolve, reject) => {
      this.#asked.set(id, {
        atMs: performance.now(),
        resolve: resolve as Asked["resolve"],
        reject,
      });
    });
    const bytes = encodeCommand({ id, kind, given });
    this.#sending = this.#sending.then(() => this.#send(bytes));
    return withDeadline(answer, LOOP_COMMAND_MS, () => {
      throw noAnswer();
    });
  }

  async stop(): Promise<void> {
    this.#closePipe();
    // A loop that is stuck does not notice.
    await withDeadline(this.ended, LOOP_STOP_MS, () => {});
    this.#end("The event loop has been stopped");
  }

  get #isStuck(): boolean {
    for (const { atMs } of this.#asked.values()) return performance.now() - atMs > LOOP_COMMAND_MS;
    return false;
  }

  #hear(message: WorkerMessage): void {
    switch (message.kind) {
      case "started":
        this.ports = message;
        this.#hasStarted = true;
        return this.#started.resolve();
      case "failed":
        return this.#fail(
          message.name === "IoError" ? new IoError(message.message) : new Error(message.message),
        );
      case "ended":
        return this.#end("The event loop has ended");
      case "answer":
        return this.#taken(message.id)?.resolve(message.value);
      case "refusal":
        return this.#taken(message.id)?.reject(new Error(message.message));
      case "records":
        this.#hooks.onRecords(message.records);
        return this.#gate.leave(message.records.length);
      case "accessLines":
        this.#hooks.onAccessLines(message.lines, message.count);
        return this.#gate.leave(message.count);
      case "spans":
        this.#hooks.onSpans(message.spans);
        return this.#gate.leave(message.spans.length);
      case "log":
        return this.#hooks.onLog(message.event);
      case "ask":
        return this.#hooks.ask?.(message.question);
      case "lookUp":
        return void this.#lookUp(message.name);
    }
  }

  async #lookUp(name: string): Promise<void> {
    const addresses = await this.#hooks.lookUp(name);
    // A loop that has ended meanwhile has no use for them.
    await this.ask("resolved", name, addresses).catch(() => {});
  }

  /** The pipe takes 64 KiB at a time, and the loop empties it between two batches of events. */
  async #send(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    for (let at = 0; at < bytes.length && !this.#isClosed;) {
      const count = this.#pipe.write(bytes.subarray(at));
      if (count !== AGAIN) at += count;
      else await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  #taken(id: number): Asked | undefined {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    return asked;
  }

  #fail(error: Error): void {
    if (this.#hasEnded) return;
    this.#end(error.message);
    if (this.#hasStarted) this.#hooks.onFailure(error.message);
    else this.#started.reject(error);
  }

  /** The loop's sign to end. */
  #closePipe(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#pipe.close();
  }

  #end(message: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#closePipe();
    for (const { reject } of this.#asked.values()) reject(new Error(message));
    this.#asked.clear();
    this.#worker.terminate();
    this.#ended.resolve();
  }
}

function noAnswer(): Error {
  return new Error("An event loop does not answer");
}
