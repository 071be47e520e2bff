/**
 * The thread of one native event loop. It takes its start message, builds an engine and then stays in the loop:
 * commands arrive through a pipe that the loop watches.
 */
import { LOCAL_STATE } from "../../base/state_store.ts";
import type { StateStore } from "../../base/state_store.ts";
import { decodePlan } from "../../routing/plan_codec.ts";
import type { Plan } from "../../routing/plan.ts";
import { ARENA_BYTES } from "../loop/arena.ts";
import { FrameReader } from "./control.ts";
import type {
  Command,
  Envelope,
  Replies,
  SharedStart,
  WorkerMessage,
  WorkerStart,
} from "./control.ts";
import { Engine } from "./engine.ts";
import { EpollIo } from "../io/epoll.ts";
import { BUFFER_BYTES } from "../limits.ts";
import { ReportGate } from "./report_gate.ts";
import { SharedStore } from "../state/shared_store.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent<WorkerStart>) => void) | null;
  postMessage(message: WorkerMessage): void;
  close(): void;
}

const scope = self as unknown as WorkerScope;

scope.onmessage = (event) => {
  scope.onmessage = null;
  try {
    serve(event.data);
  } catch (error) {
    scope.postMessage({ kind: "failed", message: messageOf(error) });
  }
  scope.close();
};

function serve({ config, plan, pipe, shared, reports }: WorkerStart): void {
  // The last buffer's room of the arena is for what comes down the pipe.
  const pipeOffset = ARENA_BYTES;
  const io = new EpollIo({
    arenaBytes: ARENA_BYTES + BUFFER_BYTES,
    reusePort: config.workers > 1,
  });
  const gate = new ReportGate(reports);
  const report = (message: WorkerMessage, count: number) => {
    if (gate.enter(count)) scope.postMessage(message);
    else engine.lostReports(count);
  };
  const engine = new Engine(io, config, planOf(plan), {
    onRecords: (records) => report({ kind: "records", records }, records.length),
    onSpans: (spans) => report({ kind: "spans", spans }, spans.length),
    onLog: (event) => scope.postMessage({ kind: "log", event }),
    lookUp: (name) => scope.postMessage({ kind: "lookUp", name }),
  }, shared === null ? LOCAL_STATE : openShared(shared));
  const frames = new FrameReader();
  io.watchQuietly(pipe, {
    onReadable() {
      const count = io.read(pipe, pipeOffset, BUFFER_BYTES);
      // The writing end is gone, and with it whoever could ask for anything.
      if (count === 0) return io.stop();
      if (count < 0) return;
      const bytes = io.arena.subarray(pipeOffset, pipeOffset + count);
      for (const frame of frames.push(bytes)) obey(io, engine, frame as Envelope);
    },
    onWritable() {},
    onHangup() {
      io.stop();
    },
    onFault(error) {
      scope.postMessage({ kind: "failed", message: messageOf(error) });
      io.stop();
    },
  });
  scope.postMessage({ kind: "started", ...engine.listen() });
  io.run();
}

function openShared({ memory, clockOriginMs }: SharedStart): StateStore {
  let isTold = false;
  return new SharedStore(memory, performance.timeOrigin - clockOriginMs, () => {
    if (isTold) return;
    isTold = true;
    const message = "Too many splits and limits to share: the rest hold for each worker";
    scope.postMessage({ kind: "log", event: { level: "warn", message, fields: {} } });
  });
}

function obey(io: EpollIo, engine: Engine, { id, command }: Envelope): void {
  const reply = (value: Replies[keyof Replies]) => scope.postMessage({ kind: "reply", id, value });
  try {
    if (command.kind === "drain") {
      engine.drain(() => {
        reply(null);
        io.stop();
      });
    } else reply(answer(io, engine, command));
  } catch (error) {
    scope.postMessage({ kind: "error", id, message: messageOf(error) });
  }
}

function answer(
  io: EpollIo,
  engine: Engine,
  command: Exclude<Command, { kind: "drain" }>,
): Replies[keyof Replies] {
  switch (command.kind) {
    case "apply":
      engine.apply(planOf(command.plan));
      return null;
    case "certificates":
      engine.replaceCertificates(command.tls);
      return null;
    case "resolved":
      engine.resolved(command.name, command.addresses);
      return null;
    case "explain":
      return engine.explain(command.query);
    case "snapshot":
      return engine.snapshot();
    case "ping":
      return null;
    case "report":
      engine.report(command.demand);
      return null;
    case "discourage":
      engine.discourage();
      return null;
    case "stop":
      io.stop();
      return null;
  }
}

function planOf(text: string): Plan {
  const result = decodePlan(text);
  if (!result.ok) throw new Error(result.message);
  return result.plan;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
