/**
 * Where each field of a document stands in its file. Marks mirror the shape of the value they were read with;
 * lines and columns are worked out only when they are asked for. Knows nothing of YAML or of Kubernetes.
 */
import type { FieldPath, Position } from "../base/finding.ts";
import type { Origin } from "./resources.ts";

/** An offset into the file; a map or list also has the marks of what is in it. */
export type Mark = number | MarkedCollection;

interface MarkedCollection {
  readonly offset: number;
  readonly children: ReadonlyMap<string, Mark> | readonly Mark[];
}

/** A field is where its key is, with its parts where they are. */
export function moveMark(mark: Mark, offset: number): Mark {
  return typeof mark === "number" ? offset : { offset, children: mark.children };
}

/** The text of one file and, once asked for, where its lines begin. */
export class SourceText {
  readonly file: string;
  readonly text: string;
  #lineStarts: number[] | undefined;

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
  }

  /** The position of an offset, in UTF-16 code units from the start of the text. */
  positionAt(offset: number): Position {
    this.#lineStarts ??= lineStartsOf(this.text);
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { file: this.file, line: low + 1, column: offset - (this.#lineStarts[low] ?? 0) + 1 };
  }
}

function lineStartsOf(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

/** Where one object of a file came from. */
export class SourceOrigin implements Origin {
  readonly #source: SourceText;
  readonly #mark: Mark;

  constructor(source: SourceText, mark: Mark) {
    this.#source = source;
    this.#mark = mark;
  }

  /** As positions name it, without working one out. */
  get file(): string {
    return this.#source.file;
  }

  /** The origin of an object within this one, such as an item of a List. */
  within(path: FieldPath): SourceOrigin {
    return new SourceOrigin(this.#source, nearestMark(this.#mark, path));
  }

  /** The fields that stand in the text and have no value, of an object that was read as `value`. */
  emptyFields(value: unknown): FieldPath[] {
    return emptyFields(this.#mark, value, []);
  }

  /** The position of a map's key or a list's item; of the nearest present ancestor where there is no such field. */
  locate(path: FieldPath): Position {
    const mark = nearestMark(this.#mark, path);
    return this.#source.positionAt(typeof mark === "number" ? mark : mark.offset);
  }
}

/** A field without a value has a mark and is not in the object. */
function emptyFields(mark: Mark, value: unknown, path: FieldPath): FieldPath[] {
  if (typeof mark === "number" || typeof value !== "object" || value === null) return [];
  return [...mark.children.entries()].flatMap(([key, child]) => {
    const at = [...path, key];
    return Object.hasOwn(value, key)
      ? emptyFields(child, Object.getOwnPropertyDescriptor(value, key)?.value, at)
      : [at];
  });
}

function nearestMark(root: Mark, path: FieldPath): Mark {
  let mark = root;
  for (const key of path) {
    const child = childMark(mark, key);
    if (child === undefined) return mark;
    mark = child;
  }
  return mark;
}

function childMark(mark: Mark, key: string | number): Mark | undefined {
  if (typeof mark === "number") return undefined;
  if (mark.children instanceof Map) return mark.children.get(String(key));
  return typeof key === "number" ? (mark.children as readonly Mark[])[key] : undefined;
}
