/**
 * JSON with the place of every field. JSON is YAML, too. But `kubectl get -o json` writes megabytes of it, several objects may
 * follow each other without `---`, and tabs may indent it. None of that suits the YAML reader.
 */
import { duplicateKey, type MarkedValue, nestedTooDeep } from "./document.ts";
import { MANIFEST_LIMITS } from "./limits.ts";
import { type Mark, moveMark } from "./positions.ts";

/**
 * Reads the objects or lists that a piece of text consists of. Undefined if it is not JSON: the YAML reader
 * then reads it, or says what is wrong with it.
 *
 * @throws {DocumentError} where it is JSON, but a key stands twice or the nesting is too deep
 */
export function readJson(text: string, start: number, end: number): MarkedValue[] | undefined {
  const reader = new JsonReader(text, start, end);
  const values: MarkedValue[] = [];
  try {
    while (!reader.isAtEnd()) values.push(reader.readCollection());
  } catch (error) {
    if (error instanceof NotJson) return undefined;
    throw error;
  }
  return values.length === 0 ? undefined : values;
}

class NotJson extends Error {}

function parseScalar(token: string): unknown {
  try {
    return JSON.parse(token);
  } catch {
    throw new NotJson();
  }
}

const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
const LITERAL = /true|false|null/y;

class JsonReader {
  readonly #text: string;
  readonly #end: number;
  #at: number;

  constructor(text: string, start: number, end: number) {
    this.#text = text;
    this.#at = start;
    this.#end = end;
  }

  isAtEnd(): boolean {
    this.#take(SPACE);
    return this.#at >= this.#end;
  }

  /** An object or a list: a lone scalar is left to YAML. */
  readCollection(): MarkedValue {
    const first = this.#text[this.#at];
    if (first !== "{" && first !== "[") throw new NotJson();
    return this.#readValue(1);
  }

  #readValue(depth: number): MarkedValue {
    if (depth > MANIFEST_LIMITS.nestingMax) {
      throw nestedTooDeep(this.#at);
    }
    const offset = this.#at;
    switch (this.#text[offset]) {
      case "{":
        return this.#readObject(depth);
      case "[":
        return this.#readList(depth);
      case '"':
        return { value: this.#readString(), mark: offset };
      default:
        return { value: this.#readScalar(), mark: offset };
    }
  }

  #readObject(depth: number): MarkedValue {
    const offset = this.#at;
    const fields = new Map<string, unknown>();
    const marks = new Map<string, Mark>();
    this.#expect("{");
    if (!this.#skip("}")) {
      do {
        this.#take(SPACE);
        const keyOffset = this.#at;
        const key = this.#readString();
        if (marks.has(key)) throw duplicateKey(key, keyOffset);
        this.#expect(":");
        this.#take(SPACE);
        const { value, mark } = this.#readValue(depth + 1);
        // The API server treats a null field as one that is not there.
        if (value !== null) fields.set(key, value);
        marks.set(key, moveMark(mark, keyOffset));
      } while (this.#skip(","));
      this.#expect("}");
    }
    return { value: Object.fromEntries(fields), mark: { offset, children: marks } };
  }

  #readList(depth: number): MarkedValue {
    const offset = this.#at;
    const items: unknown[] = [];
    const marks: Mark[] = [];
    this.#expect("[");
    if (!this.#skip("]")) {
      do {
        this.#take(SPACE);
        const { value, mark } = this.#readValue(depth + 1);
        items.push(value);
        marks.push(mark);
      } while (this.#skip(","));
      this.#expect("]");
    }
    return { value: items, mark: { offset, children: marks } };
  }

  #readString(): string {
    const start = this.#at;
    if (this.#text[start] !== '"') throw new NotJson();
    let close = start;
    do {
      close = this.#text.indexOf('"', close + 1);
      if (close < 0 || close >= this.#end) throw new NotJson();
    } while (this.#isEscaped(close));
    this.#at = close + 1;
    return parseScalar(this.#text.slice(start, close + 1)) as string;
  }

  /** Whether an odd number of backslashes stands before. */
  #isEscaped(offset: number): boolean {
    let first = offset;
    while (this.#text[first - 1] === "\\") first--;
    return (offset - first) % 2 === 1;
  }

  #readScalar(): unknown {
    const token = this.#take(NUMBER) || this.#take(LITERAL);
    if (token === "") throw new NotJson();
    return parseScalar(token);
  }

  #expect(character: string): void {
    if (!this.#skip(character)) throw new NotJson();
  }

  #skip(character: string): boolean {
    this.#take(SPACE);
    if (this.#text[this.#at] !== character || this.#at >= this.#end) return false;
    this.#at++;
    return true;
  }

  /** The text that a sticky pattern matches here, which may be empty. */
  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const token = pattern.exec(this.#text)?.[0] ?? "";
    if (this.#at + token.length > this.#end) throw new NotJson();
    this.#at += token.length;
    return token;
  }
}
