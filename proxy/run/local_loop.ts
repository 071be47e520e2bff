/**
 * Event loops on the thread that starts them: the portable one, and the native one, which lets others have the thread now and
 * then. The latter saves the memory of a second isolate.
 */
import type { ProxyConfig } from "../config.ts";
import { EpollIo } from "../io/epoll.ts";
import type { Io } from "../io/io.ts";
import { PortableIo } from "../io/portable.ts";
import { RuntimeTurn } from "../io/runtime_turn.ts";
import { ARENA_BYTES } from "../loop/arena.ts";
import { commandsOf } from "./commands.ts";
import { Engine, type FirstPlan } from "./engine.ts";
import type { EventLoop, LoopHooks } from "./event_loop.ts";
import {
  CALLED_MS,
  LOCAL_IDLE_TURN_MS,
  LOCAL_TURN_MS,
  WAITING_PAUSE_MS,
  WAITING_TURN_MS,
} from "../limits.ts";

/** Turns without an event after which a loop counts as idle. */
const IDLE_AFTER_TURNS = 50;

/** @throws {Error} the plan cannot be executed, or an address cannot be had */
export function startPortableLoop(
  config: ProxyConfig,
  first: FirstPlan,
  hooks: LoopHooks,
): EventLoop {
  const io = new PortableIo({ arenaBytes: ARENA_BYTES });
  const ended = Promise.withResolvers<void>();
  return serve(io, config, first, hooks, {
    ended: ended.promise,
    onDrained() {
      io.stop();
      // The last answers may still be on their way out of this process.
      ended.resolve(io.flushed());
    },
    stop() {
      io.stop();
      ended.resolve();
    },
    abandon: () => io.stop(),
  });
}

/**
 * This thread must have little else to do: a plan that takes long to build, or an admin request, holds up requests.
 * @throws {Error} the plan cannot be executed, an address cannot be had, or the driver does not work here
 */
export function startInlineLoop(
  config: ProxyConfig,
  first: FirstPlan,
  hooks: LoopHooks,
): EventLoop {
  const io = new EpollIo({ arenaBytes: ARENA_BYTES, reusePort: false });
  const ended = Promise.withResolvers<void>();
  const loop = serve(io, config, first, hooks, {
    ended: ended.promise,
    onDrained: () => io.stop(),
    stop: () => io.stop(),
    abandon() {
      io.stop();
      io.end();
    },
  });
  ended.resolve(
    share(io, () => loop.isWaiting || hooks.isWorking?.() === true, hooks.onIdle).catch((error) => {
      hooks.onFailure(error instanceof Error ? error.message : String(error));
    }),
  );
  return loop;
}

interface LocalLoop extends EventLoop {
  /** A request waits for what another part of this thread has to say. */
  readonly isWaiting: boolean;
}

interface LoopEnds {
  readonly ended: Promise<void>;
  onDrained(): void;
  stop(): void;
  /** It has not begun. */
  abandon(): void;
}

function serve(
  io: Io,
  config: ProxyConfig,
  first: FirstPlan,
  hooks: LoopHooks,
  { ended, onDrained, stop, abandon }: LoopEnds,
): LocalLoop {
  try {
    const engine = new Engine(io, config, first, {
      onRecords: (records) => hooks.onRecords(records),
      onAccessLines: (lines, count) => hooks.onAccessLines(lines, count),
      onSpans: (spans) => hooks.onSpans(spans),
      onLog: (event) => hooks.onLog(event),
      lookUp(name) {
        hooks.lookUp(name).then((addresses) => engine.resolved(name, addresses));
      },
      ask: hooks.ask,
    });
    const commands = commandsOf(engine, onDrained);
    return {
      ports: engine.listen(),
      get isWaiting() {
        return engine.isWaiting;
      },
      ended,
      update: (change) => engine.update(change),
      ask: (kind, ...given) => Promise.try(() => commands[kind](...given)),
      stop() {
        stop();
        return ended;
      },
    };
  } catch (error) {
    abandon();
    throw error;
  }
}

/**
 * Runs a loop until it is stopped, and gives the thread to others in between: where something has come for them, and after each turn where
 * something waits for them, without a pause at first, because most of what is waited for comes within a millisecond.
 */
async function share(
  io: EpollIo,
  isWaiting: () => boolean,
  onIdle = () => {},
): Promise<void> {
  const runtime = await RuntimeTurn.open();
  for (const epoll of runtime === null ? [] : RuntimeTurn.epolls()) io.wakeFor(epoll);
  let quietTurns = 0;
  /** Since when something waits. */
  let sinceMs = Infinity;
  let calledMs = -Infinity;
  const isCalled = () => io.nowMs - calledMs < CALLED_MS;
  const turn = (waitMs: number) => {
    if (io.turn(waitMs) > (io.isCalled ? 1 : 0)) quietTurns = 0;
  };
  while (io.isRunning) {
    const turnsMs = quietTurns < IDLE_AFTER_TURNS ? LOCAL_TURN_MS : LOCAL_IDLE_TURN_MS;
    const untilMs = performance.now() + turnsMs;
    if (++quietTurns === IDLE_AFTER_TURNS) onIdle();
    // The runtime's own turn has called by itself.
    turn(0);
    for (let leftMs = turnsMs; io.isRunning && leftMs > 0; leftMs = untilMs - io.nowMs) {
      sinceMs = isWaiting() ? Math.min(sinceMs, io.nowMs) : Infinity;
      const hasWaited = io.nowMs - sinceMs >= WAITING_PAUSE_MS;
      if (sinceMs !== Infinity) turn(hasWaited ? WAITING_TURN_MS : 0);
      else turn(isCalled() ? WAITING_TURN_MS : Math.ceil(leftMs));
      if (io.isCalled) calledMs = io.nowMs;
      if (isWaiting() || isCalled()) break;
    }
    if (runtime !== null) await runtime.take();
    else await new Promise((resolve) => setTimeout(resolve, 0));
  }
  runtime?.close();
  io.end();
}
