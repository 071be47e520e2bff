/** EventLoop: one event loop of a proxy as the thread that started it sees it, wherever the loop runs. */
import type { LogEvent } from "../config.ts";
import type { FinishedSpan, RequestRecord } from "../observe/request_record.ts";
import type { PlanChange } from "../../routing/source/held_parts.ts";
import type { PlanQuestion } from "../../routing/source/messages.ts";
import type { CommandInput, CommandKind, CommandReply } from "./commands.ts";

/** Where its listeners ended up. */
export interface ListenerPorts {
  readonly outbound: readonly number[];
  readonly inbound: readonly number[];
}

export interface EventLoop {
  readonly ports: ListenerPorts;
  /** Resolves once the loop has ended, whatever ended it. */
  readonly ended: Promise<void>;
  /** Resolves with the answer to a command; rejects where it fails, or gets no answer. */
  ask<Kind extends CommandKind>(
    kind: Kind,
    ...given: CommandInput<Kind>
  ): Promise<CommandReply<Kind>>;
  /**
   * As the command, at once. Left out: the loop runs on another thread.
   * @throws {Error} the plan cannot be executed
   */
  update?(change: PlanChange): void;
  /** Ends the loop at once. Safe to call twice. */
  stop(): Promise<void>;
}

/** What a loop tells. */
export interface LoopHooks {
  onRecords(records: RequestRecord[]): void;
  /** The bytes are valid until it returns. */
  onAccessLines(lines: Uint8Array, count: number): void;
  onSpans(spans: FinishedSpan[]): void;
  onLog(event: LogEvent): void;
  /** The addresses of a name; none if it has none. Never rejects. */
  lookUp(name: string): Promise<readonly string[]>;
  /** Asks the source of the plan. Left out: plans are of the whole mesh. */
  readonly ask?: ((question: PlanQuestion) => void) | undefined;
  /** As of `ProxyHooks`. */
  readonly isWorking?: (() => boolean) | undefined;
  /** As of `ProxyHooks`. */
  readonly onIdle?: (() => void) | undefined;
  /** The loop has ended by itself: a defect. */
  onFailure(message: string): void;
}
