/**
 * Incremental computation: values that are derived from others and kept until one of those changes. Whatever a value reads while it is
 * computed is what it depends on, so nothing has to declare that, and nothing is computed anew for a change that it never read. A
 * value that comes out as it was changes nothing further on (early cut-off, as in Salsa and Adapton).
 *
 * Values may report Findings while they are computed; those of a value stand for as long as it does.
 */
import type { Finding } from "../../base/finding.ts";
import { type Few, hasItem, itemsOf, withItem, withoutItem } from "./few.ts";

/** `maybe`: something further back has changed, and may come out as it was. */
type State = "current" | "maybe" | "outdated";

/** Another may have taken its place while something was computed that no longer read it. */
function forget<Each>(nodes: Map<string, Each>, key: string, node: Each): void {
  if (nodes.get(key) === node) nodes.delete(key);
}

/** One value and what it depends on. */
abstract class Node {
  /** The revision in which the value last changed. */
  changedAt = 0;
  /** Some have thousands. */
  #dependents: Few<Node> = null;

  get hasDependents(): boolean {
    return this.#dependents !== null;
  }

  /** False: it was one already. */
  addDependent(node: Node): boolean {
    if (hasItem(this.#dependents, node)) return false;
    this.#dependents = withItem(this.#dependents, node);
    return true;
  }

  /** Follow it by `forgetIfUnused`, once it is clear what depends on this from now on. */
  removeDependent(node: Node): void {
    this.#dependents = withoutItem(this.#dependents, node);
  }

  forgetIfUnused(): void {
    if (this.#dependents === null) this.forgotten();
  }

  protected dependentsAre(state: "maybe" | "outdated"): void {
    for (const each of itemsOf(this.#dependents)) each.becomes(state);
  }

  /** Makes sure that the value is what it would be now. */
  abstract refresh(): void;
  /** Something that it read is not, or may not be, what it was. */
  abstract becomes(state: "maybe" | "outdated"): void;
  /** Nothing reads it any more. */
  protected abstract forgotten(): void;
}

/** Findings by their texts; null: there are none. */
type Texts = Map<string, Finding> | null;

/** What has been reported: the same by two values counts once. */
interface Reported {
  readonly finding: Finding;
  count: number;
}

/** What one set of changes came to. */
interface FindingChanges {
  readonly came: readonly Finding[];
  readonly went: readonly Finding[];
}

/** The values of one compilation, which may read each other. */
export class Incremental {
  revision = 1;
  #reader: DerivedNode | null = null;
  /** By the value that is being computed. */
  #reporting: Texts = null;
  /** Kept values that may not be current. */
  readonly #due = new Set<DerivedNode>();
  readonly #reported = new Map<string, Reported>();
  /** As they were before the changes since `takeFindingChanges`. */
  #before = new Map<string, Finding | null>();

  /** The value that is being computed reads this one. */
  read(node: Node): void {
    this.#reader?.reads(node);
  }

  /** Has `compute` run for a value; what it reads becomes what that depends on. */
  compute<T>(node: DerivedNode, compute: () => T): { readonly value: T; readonly reported: Texts } {
    const [outer, outerReported] = [this.#reader, this.#reporting];
    this.#reader = node;
    this.#reporting = null;
    try {
      const value = compute();
      return { value, reported: this.#reporting };
    } finally {
      this.#reader = outer;
      this.#reporting = outerReported;
    }
  }

  /** Adds a Finding of the value that is being computed. */
  report(finding: Finding): void {
    if (this.#reader === null) throw new Error("A Finding is of a derived value");
    this.#reporting ??= new Map();
    this.#reporting.set(JSON.stringify(finding), finding);
  }

  /** A kept value may not be current. */
  addDue(node: DerivedNode): void {
    this.#due.add(node);
  }

  removeDue(node: DerivedNode): void {
    this.#due.delete(node);
  }

  /** Brings every kept value up to date. */
  refresh(): void {
    for (const node of this.#due) {
      this.#due.delete(node);
      node.refresh();
    }
  }

  count(text: string, finding: Finding, by: 1 | -1): void {
    const known = this.#reported.get(text);
    if (!this.#before.has(text)) this.#before.set(text, known?.finding ?? null);
    if (known === undefined) this.#reported.set(text, { finding, count: 1 });
    else if ((known.count += by) === 0) this.#reported.delete(text);
  }

  /** Each once, in no order, with its text. */
  *findings(): Iterable<readonly [text: string, finding: Finding]> {
    for (const [text, { finding }] of this.#reported) yield [text, finding];
  }

  /** The Findings that `change` makes come and go; `undo` takes it back, and no trace is left. */
  tried(change: () => void, undo: () => void): FindingChanges {
    this.refresh();
    const before = this.#before;
    this.#before = new Map();
    try {
      change();
      this.refresh();
      return this.takeFindingChanges();
    } finally {
      undo();
      this.refresh();
      this.#before = before;
    }
  }

  takeFindingChanges(): FindingChanges {
    const came: Finding[] = [];
    const went: Finding[] = [];
    for (const [text, before] of this.#before) {
      const now = this.#reported.get(text)?.finding ?? null;
      if (before === null && now !== null) came.push(now);
      if (before !== null && now === null) went.push(before);
    }
    this.#before.clear();
    return { came, went };
  }
}

/** Values that come from outside, by key. */
export class Inputs<T> {
  readonly #incremental: Incremental;
  /** Also of what something reads, where there is no value. */
  readonly #nodes = new Map<string, InputNode<T>>();

  constructor(incremental: Incremental) {
    this.#incremental = incremental;
  }

  get(key: string): T | undefined {
    const node = this.#nodes.get(key) ?? this.#add(key);
    this.#incremental.read(node);
    node.forgetIfUnused();
    return node.value;
  }

  /** As `get`, where nothing is derived from it. */
  peek(key: string): T | undefined {
    return this.#nodes.get(key)?.value;
  }

  /** @param value undefined: there is none any more */
  set(key: string, value: T | undefined): void {
    if (this.peek(key) === value) return;
    const node = this.#nodes.get(key) ?? this.#add(key);
    node.value = value;
    node.changed(++this.#incremental.revision);
    node.forgetIfUnused();
  }

  #add(key: string): InputNode<T> {
    const node = new InputNode<T>(this.#nodes, key);
    this.#nodes.set(key, node);
    return node;
  }

  /** What the value at this key consists of has changed. */
  changed(key: string): void {
    this.#nodes.get(key)?.changed(++this.#incremental.revision);
  }
}

class InputNode<T> extends Node {
  /** Undefined: there is none. */
  value: T | undefined;
  readonly #nodes: Map<string, InputNode<T>>;
  readonly #key: string;

  constructor(nodes: Map<string, InputNode<T>>, key: string) {
    super();
    this.#nodes = nodes;
    this.#key = key;
  }

  changed(revision: number): void {
    this.changedAt = revision;
    this.dependentsAre("outdated");
  }

  override refresh(): void {}
  override becomes(): void {}

  protected override forgotten(): void {
    if (this.value === undefined) forget(this.#nodes, this.#key, this);
  }
}

interface DerivedOptions<T> {
  /** Whether two values are the same to whatever reads them. */
  readonly isSame?: (before: T, after: T) => boolean;
  /** Told of each change of a value that is kept; undefined: there is none any more. */
  readonly onChange?: (key: string, value: T | undefined) => void;
}

/** Values that are computed from others, by key. They are there while something reads them, or while they are kept. */
export class Derived<T> {
  readonly #rule: Rule<T>;
  readonly #nodes = new Map<string, ValueNode<T>>();

  constructor(
    incremental: Incremental,
    compute: (key: string) => T,
    { isSame = Object.is, onChange = () => {} }: DerivedOptions<T> = {},
  ) {
    this.#rule = { incremental, compute, isSame, onChange, nodes: this.#nodes };
  }

  get(key: string): T {
    const node = this.#nodeOf(key);
    this.#rule.incremental.read(node);
    node.refresh();
    return node.current;
  }

  /** Has the next `refresh` compute it, and each later one if it may have changed. */
  keep(key: string): void {
    this.#nodeOf(key).keep();
  }

  /** It is needed no longer, except by what reads it. */
  release(key: string): void {
    this.#nodes.get(key)?.release();
  }

  #nodeOf(key: string): ValueNode<T> {
    let node = this.#nodes.get(key);
    if (node === undefined) {
      node = new ValueNode(this.#rule, key);
      this.#nodes.set(key, node);
    }
    return node;
  }
}

/** What an `Incremental` knows of a derived value. */
interface DerivedNode extends Node {
  reads(node: Node): void;
}

/** What all values of one kind share. */
interface Rule<T> extends Required<DerivedOptions<T>> {
  readonly incremental: Incremental;
  readonly compute: (key: string) => T;
  readonly nodes: Map<string, ValueNode<T>>;
}

const NO_FINDINGS: readonly (readonly [text: string, finding: Finding])[] = [];

/** In place of a value that has not been computed yet. */
const UNKNOWN = Symbol("unknown");

class ValueNode<T> extends Node implements DerivedNode {
  readonly #rule: Rule<T>;
  readonly #key: string;
  #state: State = "outdated";
  #value: T | typeof UNKNOWN = UNKNOWN;
  #isKept = false;
  /** The revision in which it was last known to be current. */
  #checkedAt = 0;
  /** What it read, in the order of its reading. */
  #sources: Node[] = [];
  #findings = NO_FINDINGS;

  constructor(rule: Rule<T>, key: string) {
    super();
    this.#rule = rule;
    this.#key = key;
  }

  get current(): T {
    if (this.#value === UNKNOWN) throw new Error("A value is read while it is computed");
    return this.#value;
  }

  keep(): void {
    if (this.#isKept) return;
    this.#isKept = true;
    this.#rule.incremental.addDue(this);
    if (this.#value !== UNKNOWN) this.#rule.onChange(this.#key, this.#value);
  }

  release(): void {
    if (!this.#isKept) return;
    this.#isKept = false;
    this.#rule.incremental.removeDue(this);
    if (this.#value !== UNKNOWN) this.#rule.onChange(this.#key, undefined);
    this.forgetIfUnused();
  }

  reads(node: Node): void {
    if (node.addDependent(this)) this.#sources.push(node);
  }

  override becomes(state: "maybe" | "outdated"): void {
    const isNews = this.#state === "current";
    if (state === "outdated" || isNews) this.#state = state;
    if (!isNews) return;
    if (this.#isKept) this.#rule.incremental.addDue(this);
    this.dependentsAre("maybe");
  }

  override refresh(): void {
    if (this.#state === "current") return;
    if (this.#state === "maybe" && !this.#hasChangedSource()) this.#state = "current";
    else this.#computeAnew();
    this.#checkedAt = this.#rule.incremental.revision;
  }

  /** Looks in the order of reading: what was read later may have been read only because of what came before. */
  #hasChangedSource(): boolean {
    for (const source of this.#sources) {
      source.refresh();
      if (source.changedAt > this.#checkedAt) return true;
    }
    return false;
  }

  #computeAnew(): void {
    const before = this.#sources;
    for (const source of before) source.removeDependent(this);
    this.#sources = [];
    const { incremental, compute, isSame, onChange } = this.#rule;
    const { value, reported } = incremental.compute(this, () => compute(this.#key));
    // A copy has no room to grow, and there are many.
    this.#sources = this.#sources.slice();
    this.#state = "current";
    for (const source of before) source.forgetIfUnused();
    this.#replaceFindings(reported);
    const last = this.#value;
    if (last !== UNKNOWN && isSame(last, value)) return;
    this.#value = value;
    this.changedAt = incremental.revision;
    if (this.#isKept) onChange(this.#key, value);
  }

  #replaceFindings(reported: Texts): void {
    const before = this.#findings;
    this.#findings = reported === null ? NO_FINDINGS : [...reported];
    const { incremental } = this.#rule;
    for (const [text, finding] of this.#findings) incremental.count(text, finding, 1);
    for (const [text, finding] of before) incremental.count(text, finding, -1);
  }

  protected override forgotten(): void {
    if (this.#isKept) return;
    const sources = this.#sources;
    this.#sources = [];
    for (const source of sources) {
      source.removeDependent(this);
      source.forgetIfUnused();
    }
    this.#replaceFindings(null);
    forget(this.#rule.nodes, this.#key, this);
  }
}
