/**
 * Lane: one event loop as seen by the thread that started it: ask it something, get a reply. A native lane is a
 * worker that is spoken to through a pipe, or, for the sake of memory, a loop on this very thread that lets others
 * have it now and then; the portable lane is always on this thread.
 */
import { encodePlan } from "../../routing/plan_codec.ts";
import type { Plan } from "../../routing/plan.ts";
import type { LogEvent, ProxyConfig, ProxyTls } from "../config.ts";
import { ARENA_BYTES } from "../loop/arena.ts";
import { encodeFrame } from "./control.ts";
import type { Command, Replies, SharedStart, WorkerMessage, WorkerStart } from "./control.ts";
import type { ExplainQuery } from "./explain_query.ts";
import { Engine } from "./engine.ts";
import { EpollIo } from "../io/epoll.ts";
import { Pipe } from "../io/pipe.ts";
import { AGAIN, IoError } from "../io/io.ts";
import { PortableIo } from "../io/portable.ts";
import { RuntimeTurn } from "../io/runtime_turn.ts";
import { LOOP_STOP_MS } from "../limits.ts";
import { allAnswer } from "./liveness.ts";
import { ReportGate } from "./report_gate.ts";
import type { LoopSnapshot } from "../observe/exposition.ts";
import type { TapDemand } from "../observe/tap.ts";
import type { FinishedSpan, RequestRecord } from "../observe/request_record.ts";

export interface LanePorts {
  readonly outbound: readonly number[];
  readonly inbound: readonly number[];
}

export interface Lane {
  readonly ports: LanePorts;
  /** Takes a plan into force; rejects, and keeps the last good one, where it cannot be executed. */
  apply(plan: Plan): Promise<void>;
  /** Uses other certificates from the next handshake on; rejects where they are of no use. */
  replaceCertificates(tls: ProxyTls): Promise<void>;
  explain(query: ExplainQuery): Promise<Replies["explain"]>;
  snapshot(): Promise<LoopSnapshot>;
  /** Resolves once the loop has come to it; rejects where it has ended. */
  ping(): Promise<void>;
  /** Reports requests also where the configuration does not ask for it, or no longer. */
  report(demand: TapDemand): Promise<void>;
  /** Begins to drain, but goes on accepting connections. */
  discourage(): Promise<void>;
  /** Accepts no more; resolves once the last exchange has ended or was cut. */
  drain(): Promise<void>;
  stop(): Promise<void>;
}

export interface LaneHooks {
  onRecords(records: RequestRecord[]): void;
  onSpans(spans: FinishedSpan[]): void;
  onLog(event: LogEvent): void;
  /** The addresses of a name; none where it has none. Never rejects. */
  lookUp(name: string): Promise<readonly string[]>;
  /** The loop has ended by itself: a defect. */
  onFailure(message: string): void;
}

export function startPortableLane(config: ProxyConfig, plan: Plan, hooks: LaneHooks): Lane {
  const io = new PortableIo({ arenaBytes: ARENA_BYTES });
  const engine = new Engine(io, config, plan, {
    onRecords: (records) => hooks.onRecords(records),
    onSpans: (spans) => hooks.onSpans(spans),
    onLog: (event) => hooks.onLog(event),
    lookUp(name) {
      hooks.lookUp(name).then((addresses) => engine.resolved(name, addresses));
    },
  });
  let ports: LanePorts;
  try {
    ports = engine.listen();
  } catch (error) {
    io.stop();
    throw error;
  }
  return localLane(ports, engine, () => io.stop(), async () => {
    io.stop();
    // The last answers may still be on their way out of this process.
    await io.flushed();
  });
}

/**
 * Starts a native loop on this thread, which must have little else to do: a plan that takes long to build, or an
 * admin request, holds up requests. It saves the memory of a second isolate.
 * @throws {IoError} a listener's address cannot be had, or the driver does not work here
 */
export function startInlineLane(config: ProxyConfig, plan: Plan, hooks: LaneHooks): Lane {
  const io = new EpollIo({ arenaBytes: ARENA_BYTES, reusePort: false });
  const engine = new Engine(io, config, plan, {
    onRecords: (records) => hooks.onRecords(records),
    onSpans: (spans) => hooks.onSpans(spans),
    onLog: (event) => hooks.onLog(event),
    lookUp(name) {
      hooks.lookUp(name).then((addresses) => engine.resolved(name, addresses));
    },
  });
  const ports = engine.listen();
  const ended = share(io).catch((error) => {
    hooks.onFailure(error instanceof Error ? error.message : String(error));
  });
  const stop = () => {
    io.stop();
    return ended;
  };
  return localLane(ports, engine, stop, stop);
}

/**
 * How long a loop that shares its thread keeps it: signals, timers and admin requests wait for as long. A loop with
 * nothing to do changes hands less often, so as not to wake the processor for it.
 */
const TURNS_MS = 20;
const IDLE_TURNS_MS = 100;
/** Turns without an event after which a loop counts as idle. */
const IDLE_AFTER_TURNS = 50;

/** Runs a loop until it is stopped, and gives the thread to others in between. */
async function share(io: EpollIo): Promise<void> {
  const runtime = await RuntimeTurn.open();
  let quietTurns = 0;
  while (io.isRunning) {
    const turnsMs = quietTurns < IDLE_AFTER_TURNS ? TURNS_MS : IDLE_TURNS_MS;
    const untilMs = performance.now() + turnsMs;
    quietTurns++;
    for (let leftMs = turnsMs; io.isRunning && leftMs > 0; leftMs = untilMs - io.nowMs) {
      if (io.turn(Math.ceil(leftMs)) > 0) quietTurns = 0;
    }
    if (runtime !== null) await runtime.take();
    else await new Promise((resolve) => setTimeout(resolve, 0));
  }
  runtime?.close();
  io.end();
}

/** An engine on this thread. */
function localLane(
  ports: LanePorts,
  engine: Engine,
  stop: () => void | Promise<void>,
  stopDrained: () => Promise<void>,
): Lane {
  return {
    ports,
    apply: (next) => Promise.try(() => engine.apply(next)),
    replaceCertificates: (tls) => Promise.try(() => engine.replaceCertificates(tls)),
    explain: (query) => Promise.try(() => engine.explain(query)),
    snapshot: () => Promise.try(() => engine.snapshot()),
    // Whoever asks is on the loop's own thread.
    ping: () => Promise.resolve(),
    report: (demand) => Promise.try(() => engine.report(demand)),
    discourage: () => Promise.try(() => engine.discourage()),
    async drain() {
      const { promise, resolve } = Promise.withResolvers<void>();
      engine.drain(resolve);
      await promise;
      await stopDrained();
    },
    stop: () => Promise.try(stop),
  };
}

type Waiting = { resolve(value: unknown): void; reject(error: Error): void };

/**
 * Starts a worker with an event loop of its own.
 * @param shared what it shares with other workers; null: it is alone
 * @throws {IoError} a listener's address cannot be had, or the driver does not work here
 */
export function startNativeLane(
  config: ProxyConfig,
  plan: Plan,
  shared: SharedStart | null,
  hooks: LaneHooks,
): Promise<Lane> {
  const pipe = new Pipe();
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  const reports = ReportGate.allocate();
  const gate = new ReportGate(reports);
  const gated: LaneHooks = {
    ...hooks,
    onRecords(records) {
      hooks.onRecords(records);
      gate.leave(records.length);
    },
    onSpans(spans) {
      hooks.onSpans(spans);
      gate.leave(spans.length);
    },
  };
  return new Promise((resolve, reject) => {
    const lane = new NativeLane(worker, pipe, gated, resolve, reject);
    lane.start({ config, plan: encodePlan(plan), pipe: pipe.readEnd, shared, reports });
  });
}

class NativeLane implements Lane {
  ports: LanePorts = { outbound: [], inbound: [] };
  readonly #worker: Worker;
  readonly #pipe: Pipe;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  /** Frames that the pipe has not taken yet; they go out one after another. */
  #sending: Promise<void> = Promise.resolve();
  #isEnded = false;

  constructor(
    worker: Worker,
    pipe: Pipe,
    hooks: LaneHooks,
    onStarted: (lane: Lane) => void,
    onRefused: (error: Error) => void,
  ) {
    this.#worker = worker;
    this.#pipe = pipe;
    let hasStarted = false;
    const fail = (message: string) => {
      if (this.#isEnded) return;
      this.#end(message);
      if (hasStarted) hooks.onFailure(message);
      else onRefused(new IoError(message));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      fail(event.message);
    };
    worker.onmessage = ({ data }: MessageEvent<WorkerMessage>) => {
      switch (data.kind) {
        case "started":
          hasStarted = true;
          this.ports = { outbound: data.outbound, inbound: data.inbound };
          return onStarted(this);
        case "failed":
          return fail(data.message);
        case "records":
          return hooks.onRecords(data.records);
        case "spans":
          return hooks.onSpans(data.spans);
        case "log":
          return hooks.onLog(data.event);
        case "lookUp":
          return void hooks.lookUp(data.name).then((addresses) => this.#tell(data.name, addresses));
        case "reply":
          return this.#take(data.id)?.resolve(data.value);
        case "error":
          return this.#take(data.id)?.reject(new Error(data.message));
      }
    };
  }

  start(start: WorkerStart): void {
    this.#worker.postMessage(start);
  }

  async apply(plan: Plan): Promise<void> {
    await this.#ask({ kind: "apply", plan: encodePlan(plan) });
  }

  async replaceCertificates(tls: ProxyTls): Promise<void> {
    await this.#ask({ kind: "certificates", tls });
  }

  explain(query: ExplainQuery): Promise<Replies["explain"]> {
    return this.#ask({ kind: "explain", query });
  }

  snapshot(): Promise<LoopSnapshot> {
    return this.#ask({ kind: "snapshot" });
  }

  async ping(): Promise<void> {
    await this.#ask({ kind: "ping" });
  }

  async report(demand: TapDemand): Promise<void> {
    await this.#ask({ kind: "report", demand });
  }

  async discourage(): Promise<void> {
    await this.#ask({ kind: "discourage" });
  }

  async drain(): Promise<void> {
    await this.#ask({ kind: "drain" });
    this.#end("The proxy has drained");
  }

  async stop(): Promise<void> {
    if (this.#isEnded) return;
    // One that is stuck does not obey.
    await allAnswer([this], () => this.#ask({ kind: "stop" }), LOOP_STOP_MS);
    this.#end("The proxy has stopped");
  }

  #ask<Kind extends Command["kind"]>(
    command: Extract<Command, { kind: Kind }>,
  ): Promise<Replies[Kind]> {
    if (this.#isEnded) return Promise.reject(new Error("The proxy has stopped"));
    const id = this.#nextId++;
    const reply = new Promise<Replies[Kind]>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as Waiting["resolve"], reject });
    });
    const frame = encodeFrame({ id, command });
    this.#sending = this.#sending.then(() => this.#send(frame));
    return reply;
  }

  /** The pipe takes 64 KiB at a time, and the loop empties it between two batches of events. */
  async #send(frame: Uint8Array<ArrayBuffer>): Promise<void> {
    for (let at = 0; at < frame.length && !this.#isEnded;) {
      const count = this.#pipe.write(frame.subarray(at));
      if (count !== AGAIN) at += count;
      else await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  #tell(name: string, addresses: readonly string[]): void {
    // A lane that has ended meanwhile has nobody left who waits.
    this.#ask({ kind: "resolved", name, addresses }).catch(() => {});
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #end(message: string): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const { reject } of this.#waiting.values()) reject(new Error(message));
    this.#waiting.clear();
    this.#pipe.close();
    this.#worker.terminate();
  }
}
