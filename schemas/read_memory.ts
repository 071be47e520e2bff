/**
 * ReadMemory: what an earlier reading made of each file, so that a file whose text is the same again costs little, and gives the very same
 * resources: what is made of them needs no second look either.
 */
import type { Finding } from "../base/finding.ts";
import type { DocumentError, SourceDocument } from "./document.ts";
import { readDocuments } from "./documents.ts";
import { type IdentifiedObject, identify, type PassedOver } from "./identify.ts";
import { emptyLists, type SnapshotLists } from "./kinds.ts";
import { type SourceOrigin, SourceText } from "./positions.ts";
import { readObject } from "./read_object.ts";

/** A file and its documents. */
interface ReadFile {
  readonly text: string;
  readonly source: SourceText;
  readonly documents: readonly SourceDocument[];
  readonly errors: readonly DocumentError[];
}

/** What came of a step, and what there was to say about it. */
interface Result<T> {
  readonly value: T;
  readonly findings: readonly Finding[];
}

export class ReadMemory {
  /** Of the reading before, and of the one under way. */
  #before = new Map<string, ReadFile>();
  #files = new Map<string, ReadFile>();
  readonly #identified = new WeakMap<object, Result<IdentifiedObject | PassedOver | undefined>>();
  readonly #read = new WeakMap<IdentifiedObject, Result<SnapshotLists>>();

  /** Another reading begins. Files that the one before did not have are forgotten. */
  begin(): void {
    this.#before = this.#files;
    this.#files = new Map();
  }

  fileOf(name: string, text: string): ReadFile {
    const known = this.#before.get(name);
    const file = known?.text === text ? known : parsed(name, text);
    this.#files.set(name, file);
    return file;
  }

  /** As `identify`. */
  identify(
    value: unknown,
    origin: SourceOrigin,
    defaultNamespace: string,
    findings: Finding[],
  ): IdentifiedObject | PassedOver | undefined {
    if (typeof value !== "object" || value === null) {
      return identify(value, origin, defaultNamespace, findings);
    }
    return remembered(
      this.#identified,
      value,
      findings,
      (own) => identify(value, origin, defaultNamespace, own),
    );
  }

  /** As `readObject`. */
  readObject(object: IdentifiedObject, lists: SnapshotLists, findings: Finding[]): void {
    const made = remembered(this.#read, object, findings, (own) => {
      const one = emptyLists();
      readObject(object, one, own);
      return one;
    });
    for (const kind of Object.keys(made) as (keyof SnapshotLists)[]) {
      if (made[kind].length > 0) (lists[kind] as unknown[]).push(...made[kind]);
    }
  }
}

function parsed(name: string, text: string): ReadFile {
  // Offsets count from after a byte order mark, which editors do not count either.
  const source = new SourceText(name, text.startsWith("\ufeff") ? text.slice(1) : text);
  const errors: DocumentError[] = [];
  const documents = readDocuments(source, (error) => void errors.push(error));
  return { text, source, documents, errors };
}

function remembered<Key extends object, T>(
  memory: WeakMap<Key, Result<T>>,
  key: Key,
  findings: Finding[],
  make: (findings: Finding[]) => T,
): T {
  let result = memory.get(key);
  if (result === undefined) {
    const own: Finding[] = [];
    result = { value: make(own), findings: own };
    memory.set(key, result);
  }
  findings.push(...result.findings);
  return result.value;
}
