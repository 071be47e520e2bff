/**
 * PlanClient: a proxy's end of the connection to the source of its plan. It asks what the event loops want to know, gives them what comes,
 * and asks again where the connection was lost. Whatever becomes of the source, the proxy serves what it holds.
 */
import { Backoff } from "../base/backoff.ts";
import type { Log } from "../base/log.ts";
import type { Proxy, ProxyConfig } from "../proxy/config.ts";
import { PLAN_ANSWER_MS, QUESTIONS_LOOK_MS } from "../proxy/limits.ts";
import type { ExplainQuery } from "../proxy/run/explain_query.ts";
import { HeldParts } from "../routing/source/held_parts.ts";
import { hashPart, type PartKey, partsOf, planHeaderOf } from "../routing/parts.ts";
import type { Plan } from "../routing/plan.ts";
import {
  accessQuestion,
  hostQuestion,
  type PlanQuestion,
  type PlanSource,
  type SourceConnection,
  type SourceUpdate,
} from "../routing/source/messages.ts";
import type { PlanInquiry } from "../routing/table/explanation.ts";
import { RECONNECT_MS_MAX, RECONNECT_MS_MIN, UPDATES_WAITING_MAX } from "./limits.ts";

/** What takes plans, of a proxy. */
export type PlanTaker = Pick<Proxy, "update" | "sourceIsAway" | "unusedQuestions">;

interface PlanClientParts {
  readonly source: PlanSource;
  readonly proxy: PlanTaker;
  /** Asked from the start, and never dropped. */
  readonly always: readonly PlanQuestion[];
  readonly log: Log;
  /** What is held is another now, and in force; `isNews`: by an update of the connection that there is. */
  readonly onChange: (held: HeldParts, isNews: boolean) => void;
  /** The source is away, or what it told cannot be served. */
  readonly onTrouble?: (error: unknown) => void;
}

export class PlanClient {
  readonly held = new HeldParts();
  readonly #parts: PlanClientParts;
  readonly #wanted: Set<PlanQuestion>;
  #connection: SourceConnection | null = null;
  /** No update has come since it was last connected. */
  #isAway = true;
  /** What the event loops believe; null: they have not been told since they run. */
  #toldAway: boolean | null = null;
  /** Updates that the event loops have not been given yet. */
  readonly #updates: { readonly update: SourceUpdate; readonly by: SourceConnection | null }[] = [];
  #isTaking = false;
  #taken: Promise<void> = Promise.resolve();
  readonly #waiting = new Map<PlanQuestion, Set<() => void>>();
  readonly #backoff = new Backoff(RECONNECT_MS_MIN, RECONNECT_MS_MAX);
  #retry: ReturnType<typeof setTimeout> | undefined;
  #look: ReturnType<typeof setInterval> | undefined;
  /** Why the last update was refused; it is said once. */
  #told = "";
  /** Why the source is away, as it was said; empty: it is not. */
  #lost = "";
  #isStopped = false;

  constructor(parts: PlanClientParts) {
    this.#parts = parts;
    this.#wanted = new Set(parts.always);
  }

  start(): void {
    this.#look = setInterval(() => this.#dropUnused(), QUESTIONS_LOOK_MS);
    this.#connect();
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#look);
    clearTimeout(this.#retry);
    this.#connection?.close();
    this.#connection = null;
  }

  /** Asks from the start what an earlier run has asked, because it will be wanted again. */
  remember(plan: Plan): void {
    for (const [question] of updateOf(plan).answers) this.#wanted.add(question);
  }

  /** An event loop wants to know. */
  ask(question: PlanQuestion): void {
    if (this.#wanted.has(question)) return;
    this.#wanted.add(question);
    this.#connection?.send({ ask: [question], drop: [] });
  }

  /** As `know`, what a request through one of the proxy's listeners depends on. */
  async knowOf(
    { side, url, listener }: ExplainQuery,
    { outbound }: ProxyConfig,
  ): Promise<PlanInquiry | null> {
    const client = outbound[listener];
    const host = URL.parse(url)?.hostname.replace(/^\[|\]$|\.$/g, "") ?? "";
    if (side !== "outbound" || client === undefined || host === "") return null;
    return await this.know(hostQuestion(client.namespace, host));
  }

  /** Asks, and resolves once there is an answer, or none has come in time. Null: there was one. */
  async know(question: PlanQuestion): Promise<PlanInquiry | null> {
    if (this.held.answers.has(question)) return null;
    const sinceMs = performance.now();
    this.ask(question);
    if (!this.held.answers.has(question) && !this.#isAway) await this.#untilTold(question);
    const isAnswered = this.held.answers.has(question);
    const outcome = isAnswered ? "answered" : this.#isAway ? "away" : "late";
    return { question, outcome, waitedMs: performance.now() - sinceMs };
  }

  /** Or until that takes longer than requests wait. */
  async #untilTold(question: PlanQuestion): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(question) ?? new Set();
    this.#waiting.set(question, waiting.add(resolve));
    const timer = setTimeout(resolve, PLAN_ANSWER_MS);
    await promise;
    clearTimeout(timer);
    waiting.delete(resolve);
    if (waiting.size === 0) this.#waiting.delete(question);
  }

  /**
   * Resolves once the event loops have all that has come.
   * @throws {Error} they could not take the last of it
   */
  settled(): Promise<void> {
    return this.#taken;
  }

  /**
   * Serves what an earlier run held, until the source says otherwise.
   * @throws {Error} it cannot be served
   */
  async restore(plan: Plan): Promise<void> {
    this.#connection?.close();
    this.#connection = null;
    const restored = updateOf(plan);
    for (const [question] of restored.answers) this.#wanted.add(question);
    this.#updates.push({ update: restored, by: null });
    try {
      await this.#takeAll();
    } finally {
      this.#connect();
    }
  }

  /** Tries again at once, where it waits for the time to do so. */
  connectNow(): void {
    if (this.#connection === null) this.#connect();
  }

  #connect(): void {
    if (this.#isStopped) return;
    clearTimeout(this.#retry);
    const forgotten = this.held.retain(this.#wanted);
    // An event loop that cannot take it keeps what nothing asks for.
    if (forgotten !== null) Promise.try(() => this.#parts.proxy.update(forgotten)).catch(() => {});
    let isOpen = true;
    const connection = this.#parts.source.connect({
      update: (update) => {
        if (isOpen) this.#hear(update);
      },
      lost: (reason) => {
        if (isOpen) this.#lose(reason);
      },
    });
    this.#connection = {
      send: (request) => connection.send(request),
      close() {
        isOpen = false;
        connection.close();
      },
    };
    connection.send({ ask: [...this.#wanted], drop: [], held: this.held.hashes });
  }

  #hear(update: SourceUpdate): void {
    if (this.#updates.length >= UPDATES_WAITING_MAX) {
      return this.#lose("the source tells more than can be taken");
    }
    this.#updates.push({ update, by: this.#connection });
    if (this.#isTaking) return;
    this.#taken = this.#takeAll();
    this.#taken.catch(() => {});
  }

  /** One update after another; at once, where the event loop runs on this thread. */
  async #takeAll(): Promise<void> {
    this.#isTaking = true;
    try {
      for (let next = this.#updates.shift(); next; next = this.#updates.shift()) {
        const { update, by } = next;
        const { change, undo } = this.held.take(update);
        try {
          const isDone = this.#parts.proxy.update(change);
          if (isDone !== null) await isDone;
        } catch (error) {
          undo();
          throw error;
        }
        this.#accepted(update, by !== null && by === this.#connection);
      }
    } catch (error) {
      this.#refuse(error);
      throw error;
    } finally {
      this.#isTaking = false;
    }
  }

  #accepted({ answers }: SourceUpdate, isNews: boolean): void {
    const { onChange } = this.#parts;
    this.#told = "";
    this.#lost = "";
    this.#backoff.reset();
    this.#setAway(this.#connection === null);
    for (const [question] of answers) {
      for (const tell of this.#waiting.get(question) ?? []) tell();
    }
    onChange(this.held, isNews);
  }

  #setAway(isAway: boolean): void {
    this.#isAway = isAway;
    // There are no event loops before something is held.
    if (isAway === this.#toldAway || this.held.hash === "") return;
    this.#toldAway = isAway;
    this.#parts.proxy.sourceIsAway(isAway).catch(() => {});
  }

  /** What was refused would be again, so what is held stays, and the source is asked anew later. */
  #refuse(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    // Without anything to serve, what runs the proxy says so.
    if (reason !== this.#told && this.held.hash !== "") {
      this.#parts.log.warn("Plan refused", { reason });
    }
    this.#told = reason;
    this.#disconnect();
    this.#parts.onTrouble?.(error);
  }

  #lose(reason: string): void {
    const { log } = this.#parts;
    const message = "The source of the plan is away";
    // Connections end now and then, and the next try finds a source. What goes wrong in the same way again is said once.
    if (!this.#isAway) log.debug(message, { reason });
    else if (reason !== this.#lost) {
      log.warn(message, { reason });
      this.#lost = reason;
    }
    this.#disconnect();
    this.#parts.onTrouble?.(new Error(reason));
  }

  #disconnect(): void {
    this.#connection?.close();
    this.#connection = null;
    // The next connection is told what is held, and answers to that.
    this.#updates.length = 0;
    this.#setAway(true);
    if (this.#isStopped) return;
    this.#retry = setTimeout(() => this.#connect(), this.#backoff.nextMs());
  }

  async #dropUnused(): Promise<void> {
    const unused = await this.#parts.proxy.unusedQuestions().catch(() => []);
    const drop = unused.filter((question) => !this.#parts.always.includes(question));
    for (const question of drop) this.#wanted.delete(question);
    if (drop.length > 0) this.#connection?.send({ ask: [], drop });
  }
}

/** A plan that was held, as if all of it had been asked for by name. */
function updateOf(plan: Plan): SourceUpdate {
  const parts = [...partsOf(plan)];
  const answers = parts.flatMap(([key]): [PlanQuestion, [PartKey]][] => {
    const [kind, id] = key.split(" ");
    const [namespace, name] = id.split("/");
    if (kind === "route") return [[hostQuestion(namespace, `${name}.${namespace}`), [key]]];
    return kind === "access" ? [[accessQuestion(id), [key]]] : [];
  });
  return {
    header: planHeaderOf(plan),
    answers,
    parts: parts.map(([key, part]) => [key, { hash: hashPart(part), part }]),
  };
}
