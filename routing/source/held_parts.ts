/**
 * HeldParts: what a proxy holds of a mesh: the answers to what it asked, and the parts that they need. It takes a source's updates whole or
 * not at all. `HeldPlan` (`held_plan.ts`) is the same for an event loop, which is told the differences.
 */
import { Lazy } from "../../base/lazy.ts";
import { composePlan, type Part, type PartKey, PlanDigest, type PlanHeader } from "../parts.ts";
import type { Plan } from "../plan.ts";
import type { Answer, HashedPart, PlanQuestion, SourceUpdate } from "./messages.ts";
import { NeededParts } from "./needed_parts.ts";

/** What is different for an event loop; it can cross threads. */
export interface PlanChange {
  readonly header: PlanHeader;
  readonly parts: readonly (readonly [PartKey, Part | null])[];
  /** Have this answer now, and have none any more. */
  readonly answered: readonly (readonly [PlanQuestion, Answer])[];
  readonly forgotten: readonly PlanQuestion[];
  /** Of the plan that comes of it. It is worked out when it is read, which requests that wait need not wait for. */
  readonly hash: string;
}

export class HeldParts {
  #header: PlanHeader | null = null;
  readonly #answers = new Map<PlanQuestion, Answer>();
  readonly #parts = new Map<PartKey, HashedPart>();
  readonly #digest = new PlanDigest();
  #hash = new Lazy(() => "");
  #needed: NeededParts | null = null;
  /** Of the update that is being taken. */
  #staged: ReadonlyMap<PartKey, HashedPart | null> = new Map();

  /** Null: nothing has been taken yet. Composed anew each time. */
  get plan(): Plan | null {
    return this.#header === null ? null : composePlan(this.#header, this.#entries(), this.hash);
  }

  /** Of the plan; empty: there is none. */
  get hash(): string {
    return this.#hash.value;
  }

  /** Of each part, for the source: what it need not send again. */
  get hashes(): Readonly<Record<PartKey, string>> {
    return Object.fromEntries([...this.#parts].map(([key, { hash }]) => [key, hash]));
  }

  get answers(): ReadonlyMap<PlanQuestion, Answer> {
    return this.#answers;
  }

  get parts(): ReadonlyMap<PartKey, HashedPart> {
    return this.#parts;
  }

  /**
   * @returns what is different, and how to take it back
   * @throws {Error} one line says what is wrong with the update; nothing has changed
   */
  take(update: SourceUpdate): { readonly change: PlanChange; readonly undo: () => void } {
    const header = update.header ?? this.#header;
    if (header === null) throw new Error("The source has not said which mesh it speaks of");
    const before = { header: this.#header, answers: new Map<PlanQuestion, Answer | undefined>() };
    const touched = new Map<PartKey, HashedPart | undefined>();
    for (const [question] of update.answers) {
      before.answers.set(question, this.#answers.get(question));
    }
    const change = this.#take(header, update, touched);
    const undo = () => this.#restore(before.header, before.answers, touched);
    const missing = this.#missing(update);
    if (missing === undefined) return { change, undo };
    undo();
    throw new Error(`The source names a part that it has not sent: "${missing}"`);
  }

  /** Forgets what was answered to all but these, without being told: the connection was lost. */
  retain(questions: ReadonlySet<PlanQuestion>): PlanChange | null {
    const header = this.#header;
    const gone = [...this.#answers.keys()].filter((question) => !questions.has(question));
    if (header === null || gone.length === 0) return null;
    const answers = gone.map((question) => [question, null] as const);
    return this.#take(header, { answers, parts: [] }, new Map());
  }

  #take(
    header: PlanHeader,
    { answers, parts }: SourceUpdate,
    touched: Map<PartKey, HashedPart | undefined>,
  ): PlanChange {
    // The one before is of what is still here.
    this.#hash.value;
    this.#staged = new Map(parts);
    const needed = this.#neededUnder(header);
    for (const [question, answer] of answers) {
      needed.move(this.#answers.get(question) ?? [], answer ?? []);
      if (answer === null) this.#answers.delete(question);
      else this.#answers.set(question, answer);
    }
    for (const key of this.#staged.keys()) needed.changed(key);
    const { went } = needed.take();
    for (const [key, part] of this.#staged) if (needed.has(key)) this.#set(key, part, touched);
    for (const key of went) this.#set(key, null, touched);
    this.#staged = new Map();
    const hash = this.#hash = new Lazy(() => this.#digest.hash(header));
    return {
      header,
      parts: [...touched.keys()].map((key) => [key, this.#parts.get(key)?.part ?? null] as const),
      answered: answers.flatMap(([question, answer]) =>
        answer === null ? [] : [[question, answer]]
      ),
      forgotten: answers.flatMap(([question, answer]) => answer === null ? [question] : []),
      get hash() {
        return hash.value;
      },
    };
  }

  /** Another header may need other parts. */
  #neededUnder(header: PlanHeader): NeededParts {
    if (this.#needed !== null && header === this.#header) return this.#needed;
    this.#needed = new NeededParts(header, (key) => this.#partAt(key), this.#needed?.keys);
    for (const answer of this.#answers.values()) this.#needed.move([], answer);
    this.#header = header;
    return this.#needed;
  }

  #partAt(key: PartKey): Part | undefined {
    const staged = this.#staged.get(key);
    return staged === undefined ? this.#parts.get(key)?.part : staged?.part;
  }

  #set(
    key: PartKey,
    part: HashedPart | null,
    touched: Map<PartKey, HashedPart | undefined>,
  ): void {
    const before = this.#parts.get(key);
    if (before?.hash === part?.hash) return;
    if (!touched.has(key)) touched.set(key, before);
    if (part === null) this.#parts.delete(key);
    else this.#parts.set(key, part);
    this.#digest.set(key, part?.hash);
  }

  #missing({ answers }: SourceUpdate): PartKey | undefined {
    return answers.flatMap(([, answer]) => answer ?? [])
      .find((key) => key.startsWith("route ") && !this.#parts.has(key));
  }

  #restore(
    header: PlanHeader | null,
    answers: ReadonlyMap<PlanQuestion, Answer | undefined>,
    touched: ReadonlyMap<PartKey, HashedPart | undefined>,
  ): void {
    this.#hash.value;
    for (const [question, answer] of answers) {
      if (answer === undefined) this.#answers.delete(question);
      else this.#answers.set(question, answer);
    }
    for (const [key, part] of touched) {
      if (part === undefined) this.#parts.delete(key);
      else this.#parts.set(key, part);
      this.#digest.set(key, part?.hash);
    }
    this.#header = null;
    this.#needed = null;
    this.#hash = new Lazy(() => header === null ? "" : this.#digest.hash(header));
    if (header !== null) this.#neededUnder(header).take();
  }

  *#entries(): Iterable<readonly [PartKey, Part]> {
    for (const [key, { part }] of this.#parts) yield [key, part];
  }
}
