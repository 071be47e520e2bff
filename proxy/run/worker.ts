/**
 * The thread of one native event loop. It takes its start message, builds an engine and then stays in the loop:
 * commands arrive through a pipe that the loop watches.
 */
import { LOCAL_STATE } from "../../base/state_store.ts";
import type { StateStore } from "../../base/state_store.ts";
import { EpollIo } from "../io/epoll.ts";
import { BUFFER_BYTES } from "../limits.ts";
import { ARENA_BYTES } from "../loop/arena.ts";
import { SharedStore } from "../state/shared_store.ts";
import type { CommandHandlers, CommandKind } from "./commands.ts";
import { commandsOf } from "./commands.ts";
import { Engine } from "./engine.ts";
import type { CommandFrame, SharedStart, WorkerMessage, WorkerStart } from "./worker_messages.ts";
import { CommandReader, ReportGate } from "./worker_messages.ts";

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
    scope.postMessage({ kind: "ended" });
  } catch (error) {
    scope.postMessage(failure(error));
  }
  scope.close();
};

function serve(start: WorkerStart): void {
  // The last buffer's room of the arena is for what comes down the pipe.
  const arenaBytes = ARENA_BYTES + BUFFER_BYTES;
  const io = new EpollIo({ arenaBytes, reusePort: start.config.workers > 1 });
  try {
    // First, so that the pipe is closed with the rest whatever comes of the start.
    watchPipe(io, start.pipe, (frame) => obey(commands, frame));
    const engine = createEngine(io, start);
    const commands = commandsOf(engine, () => io.stop());
    scope.postMessage({ kind: "started", ...engine.listen() });
  } catch (error) {
    io.stop();
    io.end();
    throw error;
  }
  io.run();
}

function watchPipe(io: EpollIo, pipe: number, onCommand: (frame: CommandFrame) => void): void {
  const reader = new CommandReader();
  io.watchQuietly(pipe, {
    onReadable() {
      const count = io.read(pipe, ARENA_BYTES, BUFFER_BYTES);
      if (count === 0) return io.stop();
      if (count < 0) return;
      const bytes = io.arena.subarray(ARENA_BYTES, ARENA_BYTES + count);
      for (const frame of reader.push(bytes)) onCommand(frame);
    },
    onWritable() {},
    onHangup() {
      io.stop();
    },
    onFault(error) {
      scope.postMessage(failure(error));
      io.stop();
    },
  });
}

function createEngine(io: EpollIo, start: WorkerStart): Engine {
  const { config, first, isAsking, shared, reports } = start;
  const gate = new ReportGate(reports);
  const report = (message: WorkerMessage, count: number) => {
    if (gate.enter(count)) scope.postMessage(message);
    else engine.lostReports(count);
  };
  const engine = new Engine(io, config, first, {
    onRecords: (records) => report({ kind: "records", records }, records.length),
    onAccessLines: (lines, count) =>
      report({ kind: "accessLines", lines: lines.slice(), count }, count),
    onSpans: (spans) => report({ kind: "spans", spans }, spans.length),
    onLog: (event) => scope.postMessage({ kind: "log", event }),
    lookUp: (name) => scope.postMessage({ kind: "lookUp", name }),
    ...(isAsking ? { ask: (question) => scope.postMessage({ kind: "ask", question }) } : {}),
  }, shared === null ? LOCAL_STATE : openShared(shared));
  return engine;
}

function obey<Kind extends CommandKind>(
  commands: CommandHandlers,
  { id, kind, given }: CommandFrame<Kind>,
): void {
  try {
    scope.postMessage({ kind: "answer", id, value: commands[kind](...given) });
  } catch (error) {
    scope.postMessage({ kind: "refusal", id, message: messageOf(error) });
  }
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

function failure(error: unknown): WorkerMessage {
  const name = error instanceof Error ? error.name : "";
  return { kind: "failed", name, message: messageOf(error) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
