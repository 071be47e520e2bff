/**
 * MeshParts: all parts of a mesh as a source holds them, with what hosts and addresses mean in it. `MeshSession` is one proxy's connection: it
 * knows what the proxy asked and has been told, and says what it has to be told next.
 */
import { canonicalJson } from "../../base/canonical_json.ts";
import { isSameData } from "../../base/same_data.ts";
import {
  accessKey,
  hashPart,
  type Part,
  type PartKey,
  partsOf,
  type PlanHeader,
  planHeaderOf,
} from "../parts.ts";
import type { Plan } from "../plan.ts";
import { type ChangedNames, MeshNames } from "./mesh_names.ts";
import { UPDATE_ANSWERS_MAX } from "../limits.ts";
import type { Answer, HashedPart, PlanQuestion, SourceRequest, SourceUpdate } from "./messages.ts";
import { NeededParts } from "./needed_parts.ts";

/** All parts of a mesh, wherever they are kept. */
export interface MeshContents {
  readonly header: PlanHeader;
  readonly names: MeshNames;
  at(key: PartKey): Part | undefined;
  hashed(key: PartKey): HashedPart | null;
}

/** Parts that are kept in memory. */
class MemoryContents implements MeshContents {
  readonly header: PlanHeader;
  readonly names: MeshNames;
  readonly parts: Map<PartKey, Part>;
  /** Hashes of parts that were sent. */
  readonly #hashes = new WeakMap<Part, string>();

  constructor(header: PlanHeader, parts: Map<PartKey, Part>) {
    this.header = header;
    this.parts = parts;
    this.names = new MeshNames(this);
    for (const [key, part] of parts) this.names.change(key, undefined, part);
  }

  get clusterDomain(): string {
    return this.header.clusterDomain;
  }

  at(key: PartKey): Part | undefined {
    return this.parts.get(key);
  }

  hashed(key: PartKey): HashedPart | null {
    const part = this.parts.get(key);
    if (part === undefined) return null;
    let hash = this.#hashes.get(part);
    if (hash === undefined) this.#hashes.set(part, hash = hashPart(part));
    return { hash, part };
  }
}

export class MeshParts {
  #contents: MeshContents;
  /** The same, unless they were replaced. */
  #memory: MemoryContents;
  readonly #sessions = new Set<MeshSession>();

  constructor(header: PlanHeader) {
    this.#memory = new MemoryContents(header, new Map());
    this.#contents = this.#memory;
  }

  get header(): PlanHeader {
    return this.#contents.header;
  }

  /** Takes changes together, so that every proxy is told of them at once; undefined: the part is gone. */
  change(changes: Iterable<readonly [PartKey, Part | undefined]>, header = this.header): void {
    const { parts, names } = this.#memory;
    const changed = new Set<PartKey>();
    let others: ChangedNames = "none";
    for (const [key, part] of changes) {
      const before = parts.get(key);
      if (before === part) continue;
      if (part === undefined) parts.delete(key);
      else parts.set(key, part);
      const other = names.change(key, before, part);
      if (others === "none" || other === "all") others = other;
      changed.add(key);
    }
    const isOther = !isSameHeader(header, this.header);
    if (isOther) this.#memory = new MemoryContents(header, parts);
    this.#contents = this.#memory;
    this.#tell(changed, others, isOther);
  }

  /** The plan is what the mesh is now. A part that is equal stays the same object, and so is no change. */
  set(plan: Plan): void {
    const parts = partsOf(plan);
    const changes = new Map<PartKey, Part | undefined>();
    for (const key of this.#memory.parts.keys()) if (!parts.has(key)) changes.set(key, undefined);
    for (const [key, part] of parts) {
      if (!isSameData(this.#memory.at(key), part)) changes.set(key, part);
    }
    this.change(changes, planHeaderOf(plan));
  }

  /** Serves other contents from now on, in which these parts are different. */
  replace(contents: MeshContents, changed: ReadonlySet<PartKey>): void {
    const isOther = !isSameHeader(contents.header, this.header);
    this.#contents = contents;
    this.#tell(changed, "all", isOther);
  }

  #tell(changed: ReadonlySet<PartKey>, names: ChangedNames, isOtherHeader: boolean): void {
    if (!isOtherHeader && changed.size === 0) return;
    for (const session of this.#sessions) {
      session.meshChanged(changed, isOtherHeader ? "all" : names, isOtherHeader);
    }
  }

  at(key: PartKey): Part | undefined {
    return this.#contents.at(key);
  }

  hashed(key: PartKey): HashedPart | null {
    return this.#contents.hashed(key);
  }

  answer(question: PlanQuestion): Answer {
    const { names } = this.#contents;
    const [kind, subject, host = ""] = question.split(" ");
    switch (kind) {
      case "host":
        return names.host(subject, host);
      case "address":
        return names.address(subject);
      default:
        return [accessKey(subject)];
    }
  }

  /** @param onNews there is something to be told: call `next`, now or later */
  open(onNews: () => void): MeshSession {
    const session = new MeshSession(this, onNews, () => this.#sessions.delete(session));
    this.#sessions.add(session);
    return session;
  }
}

function isSameHeader(a: PlanHeader, b: PlanHeader): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

export class MeshSession {
  readonly #mesh: MeshParts;
  readonly #onNews: () => void;
  readonly #onClose: () => void;
  readonly #answers = new Map<PlanQuestion, Answer>();
  #needed: NeededParts;
  /** What the proxy has, by hash, and the update in which it was told. */
  readonly #sent = new Map<PartKey, { readonly hash: string; readonly update: number }>();
  /** Updates that it has been told, and those of them that it has in force: each is acknowledged, in order. */
  #updates = 0;
  #acknowledged = 0;
  /** What it had before this connection: counts where the first questions need it. */
  #claimed: ReadonlyMap<string, string> = new Map();
  /** To be looked at by `next`. */
  #isHeaderDue = true;
  readonly #dueAnswers = new Set<PlanQuestion>();
  readonly #dropped = new Set<PlanQuestion>();
  readonly #dueParts = new Set<PartKey>();

  constructor(mesh: MeshParts, onNews: () => void, onClose: () => void) {
    this.#mesh = mesh;
    this.#onNews = onNews;
    this.#onClose = onClose;
    this.#needed = this.#newNeeded();
  }

  close(): void {
    this.#onClose();
  }

  take({ ask, drop, held }: SourceRequest): void {
    if (held !== undefined) this.#claimed = new Map(Object.entries(held));
    for (const question of drop) {
      this.#dueAnswers.delete(question);
      if (this.#answers.has(question)) this.#dropped.add(question);
    }
    for (const question of ask) {
      this.#dropped.delete(question);
      if (!this.#answers.has(question)) this.#answers.set(question, []);
      this.#dueAnswers.add(question);
    }
    if (this.#hasNews) this.#onNews();
  }

  /** How many the proxy has asked and not dropped. */
  get questions(): number {
    return this.#answers.size;
  }

  /** The proxy has the next of its updates in force. */
  acknowledge(): void {
    if (this.#acknowledged < this.#updates) this.#acknowledged++;
  }

  /** The hash of a part as the proxy has it in force; empty: it has not yet. Undefined: it does not use the part. */
  inForce(key: PartKey): string | undefined {
    if (!this.#needed.has(key)) return undefined;
    const sent = this.#sent.get(key);
    return sent === undefined || sent.update > this.#acknowledged ? "" : sent.hash;
  }

  meshChanged(changed: ReadonlySet<PartKey>, names: ChangedNames, isOtherHeader: boolean): void {
    if (isOtherHeader) this.#isHeaderDue = true;
    for (const key of changed) if (this.#needed.has(key)) this.#dueParts.add(key);
    for (const [question, answer] of names === "none" ? [] : this.#answers) {
      if (this.#dropped.has(question)) continue;
      if (names === "addresses" && !question.startsWith("address ")) continue;
      if (!isSame(this.#mesh.answer(question), answer)) this.#dueAnswers.add(question);
    }
    if (this.#hasNews) this.#onNews();
  }

  get #hasNews(): boolean {
    return this.#isHeaderDue || this.#dueAnswers.size > 0 || this.#dropped.size > 0 ||
      this.#dueParts.size > 0;
  }

  /** What the proxy is to be told now, a little at a time; null: nothing new. Counts as told from now on. */
  next(): SourceUpdate | null {
    if (!this.#hasNews) return null;
    const header = this.#isHeaderDue ? { header: this.#mesh.header } : {};
    const answers: [PlanQuestion, Answer | null][] = [];
    // Each is a word, and what it lets go of is forgotten at this point by both sides.
    for (const question of this.#dropped) answers.push([question, null]);
    // What a proxy held before counts for its first questions, all of them at once: it lets go of the rest then.
    const most = this.#claimed.size > 0 ? Infinity : UPDATE_ANSWERS_MAX;
    for (const question of this.#dueAnswers) {
      if (answers.length >= most) break;
      answers.push([question, this.#mesh.answer(question)]);
    }
    // Who may call counts only where targets are enforced, so another header may need other parts.
    if (this.#isHeaderDue) this.#needAnew();
    for (const [question, answer] of answers) {
      this.#dueAnswers.delete(question);
      this.#needed.move(this.#answers.get(question) ?? [], answer ?? []);
      if (answer === null) this.#answers.delete(question);
      else this.#answers.set(question, answer);
    }
    for (const key of this.#dueParts) this.#needed.changed(key);
    const { came, went } = this.#needed.take();
    const parts = [...this.#different(new Set([...came, ...this.#dueParts]))];
    for (const key of went) this.#sent.delete(key);
    this.#claimed = new Map();
    this.#isHeaderDue = false;
    this.#dropped.clear();
    this.#dueParts.clear();
    if (this.#isEmpty(header, answers, parts)) return null;
    this.#updates++;
    return { ...header, answers, parts };
  }

  #isEmpty(header: object, answers: readonly unknown[], parts: readonly unknown[]): boolean {
    return !("header" in header) && answers.length === 0 && parts.length === 0;
  }

  *#different(keys: Iterable<PartKey>): Iterable<readonly [PartKey, HashedPart | null]> {
    for (const key of keys) {
      if (!this.#needed.has(key)) continue;
      const sent = this.#sent.get(key);
      const before = sent?.hash ?? this.#claimed.get(key);
      const now = this.#mesh.hashed(key);
      if (now === null) this.#sent.delete(key);
      else if (sent?.hash !== now.hash) {
        this.#sent.set(key, { hash: now.hash, update: this.#updates + 1 });
      }
      if (before !== now?.hash) yield [key, now];
    }
  }

  #needAnew(): void {
    this.#needed = this.#newNeeded(this.#needed.keys);
    for (const answer of this.#answers.values()) this.#needed.move([], answer);
  }

  #newNeeded(before: Iterable<PartKey> = []): NeededParts {
    return new NeededParts(this.#mesh.header, (key) => this.#mesh.at(key), before);
  }
}

function isSame(some: Answer, others: Answer): boolean {
  return some.length === others.length && some.every((key, i) => key === others[i]);
}
