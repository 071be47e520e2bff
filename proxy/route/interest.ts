/**
 * Interest: what this event loop has asked the source of its plan, and who waits for an answer. A question is asked once, however many
 * requests wait for it, and none waits longer than its deadline: then it is decided as if the mesh had nothing of it.
 */
import type { Answer, PlanQuestion } from "../../routing/source/messages.ts";
import { PLAN_ANSWER_MS, QUESTION_LIFE_MS, QUESTIONS_MAX } from "../limits.ts";
import { Timer, type Timers } from "../loop/timers.ts";
import type { Io } from "../io/io.ts";
import type { Telemetry } from "../observe/telemetry.ts";
import { type Destination, PendingDecision } from "./destination.ts";

interface Entry {
  isAnswered: boolean;
  /** Until then an answer is waited for. */
  readonly dueMs: number;
  usedMs: number;
  /** Services that the answer is about, as `namespace/name`. */
  services: readonly string[];
  readonly waiting: Set<() => void>;
  /** Runs while something waits. */
  readonly timer: Timer;
}

interface InterestParts {
  readonly io: Pick<Io, "nowMs">;
  readonly timers: Timers;
  readonly telemetry: Telemetry;
  /** Asks the source; `answered` is called later, or before it returns. Null: there is none, and the plan is the whole mesh. */
  readonly ask: ((question: PlanQuestion) => void) | null;
  /** Something waited for an answer, and none came in time. */
  readonly onUnanswered: (question: PlanQuestion) => void;
}

export class Interest {
  readonly #parts: InterestParts;
  readonly #entries = new Map<PlanQuestion, Entry>();
  /** Services that requests went to since this was last looked at, as `namespace/name`. */
  #used = new Set<string>();
  /** Questions that something waits for. */
  #waitingCount = 0;
  /** Nothing is waited for while the source is away. */
  isSourceAway = false;

  constructor(parts: InterestParts) {
    this.#parts = parts;
  }

  /** False: the plan is the whole mesh, and there is nothing to ask. */
  get isAsking(): boolean {
    return this.#parts.ask !== null;
  }

  get isWaiting(): boolean {
    return this.#waitingCount > 0;
  }

  /** Requests go to the Service (`namespace/name`): what was asked about it is of use. */
  use(service: string): void {
    if (this.isAsking) this.#used.add(service);
  }

  /** @param decide now, or once there is an answer, or none has come in time */
  ask(question: PlanQuestion, decide: () => Destination): Destination | PendingDecision {
    const entry = this.#asked(question);
    if (entry === null) return decide();
    const { io, telemetry } = this.#parts;
    const sinceMs = io.nowMs;
    telemetry.counts.planWaits++;
    const pending = new PendingDecision(() => this.#forget(entry, tell));
    const tell = () =>
      pending.onDecided(() => {
        const decided = decide();
        return { ...decided, facts: { ...decided.facts, planWaitMs: io.nowMs - sinceMs } };
      });
    this.#wait(entry, tell);
    return pending;
  }

  /** As `ask`, for what is no decision yet. */
  whenAnswered(question: PlanQuestion, tell: () => void): void {
    const entry = this.#asked(question);
    if (entry === null) tell();
    else this.#wait(entry, tell);
  }

  /** Asks, unless that was done before. Null: there is nothing to wait for. */
  #asked(question: PlanQuestion): Entry | null {
    const { ask, io, telemetry } = this.#parts;
    if (ask === null) return null;
    let entry = this.#entries.get(question);
    if (entry === undefined) {
      // One that cannot be asked is decided as without a source.
      if (this.#entries.size >= QUESTIONS_MAX) return this.#unanswered();
      entry = this.#newEntry(question);
      this.#entries.set(question, entry);
      telemetry.counts.planQuestions++;
      ask(question);
    }
    entry.usedMs = io.nowMs;
    if (entry.isAnswered) return null;
    return this.isSourceAway || io.nowMs >= entry.dueMs ? this.#unanswered() : entry;
  }

  #unanswered(): null {
    this.#parts.telemetry.counts.planUnanswered++;
    return null;
  }

  #wait(entry: Entry, tell: () => void): void {
    const { io, timers } = this.#parts;
    if (entry.waiting.size === 0) {
      this.#waitingCount++;
      timers.start(entry.timer, entry.dueMs - io.nowMs);
    }
    entry.waiting.add(tell);
  }

  #forget(entry: Entry, tell: () => void): void {
    if (entry.waiting.delete(tell) && entry.waiting.size === 0) this.#end(entry);
  }

  /** These have an answer in the plan that is in force now. */
  answered(answers: readonly (readonly [PlanQuestion, Answer])[]): void {
    for (const [question, answer] of answers) {
      const entry = this.#entries.get(question) ?? this.#newEntry(question);
      // What another event loop has asked is known here too.
      this.#entries.set(question, entry);
      entry.isAnswered = true;
      entry.services = answer.map((key) => key.slice(key.indexOf(" ") + 1));
      this.#tell(entry);
    }
  }

  /** These have none any more. One that waits is told by its deadline at the latest. */
  forgotten(questions: readonly PlanQuestion[]): void {
    for (const question of questions) {
      const entry = this.#entries.get(question);
      if (entry?.isAnswered === true) this.#entries.delete(question);
    }
  }

  /** Those that were of no use for a while: nothing has asked, and nothing went to what they are about. */
  takeUnused(): PlanQuestion[] {
    const { nowMs } = this.#parts.io;
    const used = this.#used;
    this.#used = new Set();
    const unused: PlanQuestion[] = [];
    for (const [question, entry] of this.#entries) {
      if (entry.services.some((service) => used.has(service))) entry.usedMs = nowMs;
      else if (entry.isAnswered && nowMs - entry.usedMs >= QUESTION_LIFE_MS) {
        unused.push(question);
      }
    }
    return unused;
  }

  #newEntry(question: PlanQuestion): Entry {
    const { io, telemetry } = this.#parts;
    const entry: Entry = {
      isAnswered: false,
      dueMs: io.nowMs + PLAN_ANSWER_MS,
      usedMs: io.nowMs,
      services: [],
      waiting: new Set(),
      timer: new Timer(() => {
        telemetry.counts.planUnanswered += entry.waiting.size;
        this.#parts.onUnanswered(question);
        this.#tell(entry);
      }, { abort: () => this.#entries.delete(question) }),
    };
    return entry;
  }

  #tell(entry: Entry): void {
    // One that is told may end others that wait, as when a connection ends with all its streams: those are told nothing.
    for (const tell of entry.waiting) {
      entry.waiting.delete(tell);
      if (entry.waiting.size === 0) this.#end(entry);
      tell();
    }
  }

  /** Nothing waits any more. */
  #end(entry: Entry): void {
    this.#waitingCount--;
    this.#parts.timers.stop(entry.timer);
  }
}

/** What comes of a decision that may not have been made yet. */
export function afterDecision(
  decided: Destination | PendingDecision,
  next: (destination: Destination) => Destination | PendingDecision,
): Destination | PendingDecision {
  if (!(decided instanceof PendingDecision)) return next(decided);
  const whole = new PendingDecision(() => cancel());
  let cancel = decided.cancel;
  decided.onDecided = (decide) => {
    const result = next(decide());
    if (!(result instanceof PendingDecision)) return whole.onDecided(() => result);
    cancel = result.cancel;
    result.onDecided = (later) => whole.onDecided(later);
  };
  return whole;
}
