/**
 * YAML with the place of every field, read as kubectl reads it: YAML 1.2 syntax, with the scalars of YAML 1.1
 * (`on` and `yes` are booleans, 0777 is octal) and merge keys, both of which kubectl's parser still has. Dates stay text.
 *
 * Positions follow anchors: a field that came through an alias stands where the anchor has it.
 */
import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type ParsedNode,
  Parser,
  type ScalarTag,
  Schema,
} from "yaml";
import { DocumentError, duplicateKey, type MarkedValue, nestedTooDeep } from "./document.ts";
import { MANIFEST_LIMITS } from "./limits.ts";
import { type Mark, moveMark } from "./positions.ts";

/** Reads the documents of a piece of text; `onError` gets one error a broken document. */
export function readYaml(
  text: string,
  start: number,
  end: number,
  onError: (error: DocumentError) => void,
): MarkedValue[] {
  const values: MarkedValue[] = [];
  for (const document of withoutEnvironment(() => compose(text.slice(start, end), start))) {
    try {
      const problem = document.errors[0];
      if (problem !== undefined) throw syntaxError(problem, start);
      if (document.contents === null) continue;
      const { value, mark } = new Converter(start).convert(document.contents, 1);
      values.push({ value, mark });
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error;
      onError(error);
    }
  }
  return values;
}

/**
 * Runs `work` with an empty `process.env`. The parser looks up a debugging variable at every token, which would
 * cost every command that reads manifests a permission, and half of the parsing time. A browser has neither.
 */
function withoutEnvironment<Result>(work: () => Result): Result {
  const { process } = globalThis as { process?: { env: unknown } };
  if (process === undefined) return work();
  const environment = process.env;
  process.env = {};
  try {
    return work();
  } finally {
    process.env = environment;
  }
}

function compose(text: string, start: number): Document.Parsed[] {
  const tokens = [...new Parser().parse(text)];
  for (const token of tokens) checkNesting(token, start);
  const composer = new Composer({
    schema: SCHEMA,
    // Checked while converting, where it takes no time that grows with the square of the keys.
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: "silent",
  });
  return [...composer.compose(tokens)];
}

/** Scalars of YAML 1.1 that kubectl's parser resolves and YAML 1.2 does not. */
const KUBECTL_SCALARS: ScalarTag[] = [
  {
    tag: "tag:yaml.org,2002:bool",
    default: true,
    test: /^(?:y|Y|yes|Yes|YES|on|On|ON)$/,
    resolve: () => true,
  },
  {
    tag: "tag:yaml.org,2002:bool",
    default: true,
    test: /^(?:n|N|no|No|NO|off|Off|OFF)$/,
    resolve: () => false,
  },
  {
    tag: "tag:yaml.org,2002:int",
    default: true,
    test: /^[-+]?0[0-7_]+$/,
    resolve: (text) => parseInt(text.replaceAll("_", ""), 8),
  },
  {
    tag: "tag:yaml.org,2002:int",
    default: true,
    test: /^[-+]?0b[01_]+$/,
    resolve: (text) => parseInt(text.replace("0b", "").replaceAll("_", ""), 2),
  },
  {
    tag: "tag:yaml.org,2002:int",
    default: true,
    test: /^[-+]?[1-9][0-9]*(?:_[0-9]+)+$/,
    resolve: (text) => Number(text.replaceAll("_", "")),
  },
];

const SCHEMA = new Schema({
  schema: "core",
  customTags: (tags) => [...KUBECTL_SCALARS, ...tags],
  merge: false,
});

/** Measured on the token tree, before anything that recurses sees it. */
function checkNesting(token: CST.Token, start: number): void {
  const pending: { token: CST.Token; depth: number }[] = [{ token, depth: 0 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { token, depth } = next;
    if (depth > MANIFEST_LIMITS.nestingMax) throw nestedTooDeep(token.offset + start);
    if (token.type === "document") {
      if (token.value !== undefined) pending.push({ token: token.value, depth: 1 });
    } else if ("items" in token) {
      for (const item of token.items) {
        if (item.key) pending.push({ token: item.key, depth: depth + 1 });
        if (item.value) pending.push({ token: item.value, depth: depth + 1 });
      }
    }
  }
}

const SYNTAX_HINTS: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "Indent with spaces; YAML does not allow tabs",
  BAD_INDENT: "Line the key up with the others of its map, with spaces",
  MULTILINE_IMPLICIT_KEY: "Check the line above: a key needs a colon and a space after it",
  BLOCK_AS_IMPLICIT_KEY: "Put the nested map on its own line, or quote the value that has a colon",
  MISSING_CHAR: "Close the quote or bracket, or add the missing character",
  BAD_ALIAS: "Write a name after the * or &, or quote the value",
};

function syntaxError(
  problem: { code: string; message: string; pos: [number, number] },
  start: number,
): DocumentError {
  return new DocumentError(
    "yaml-syntax",
    problem.pos[0] + start,
    problem.message,
    SYNTAX_HINTS[problem.code] ??
      "Correct the YAML at this place; the rest of the document is not read",
  );
}

/** A value with its mark, the number of nodes it consists of, and how deep it is. */
interface Converted extends MarkedValue {
  readonly size: number;
  readonly height: number;
}

/** Turns the nodes of one document into values, following aliases within the stated limits. */
class Converter {
  readonly #start: number;
  readonly #anchors = new Map<string, Converted>();
  #aliasNodes = 0;

  constructor(start: number) {
    this.#start = start;
  }

  convert(node: unknown, depth: number): Converted {
    if (node === null || node === undefined) return scalar(null, this.#start);
    const parsed = node as ParsedNode;
    const offset = this.#offsetOf(parsed);
    if (isAlias(parsed)) return this.#convertAlias(parsed.source, offset, depth);
    const converted = isMap(parsed)
      ? this.#convertMap(parsed.items, offset, depth)
      : isSeq(parsed)
      ? this.#convertList(parsed.items, offset, depth)
      : scalar(isScalar(parsed) ? jsonScalar(parsed.value) : null, offset);
    if (parsed.anchor !== undefined) this.#anchors.set(parsed.anchor, converted);
    return converted;
  }

  #convertAlias(anchor: string, offset: number, depth: number): Converted {
    const target = this.#anchors.get(anchor);
    if (target === undefined) {
      throw new DocumentError(
        "yaml-syntax",
        offset,
        `Alias "*${anchor}" has no anchor before it`,
        `Put "&${anchor}" before the value that it stands for, or quote the text`,
      );
    }
    this.#aliasNodes += target.size;
    if (this.#aliasNodes > MANIFEST_LIMITS.aliasNodesMax) {
      throw new DocumentError(
        "limit-exceeded",
        offset,
        `Aliases stand for more than ${MANIFEST_LIMITS.aliasNodesMax} values`,
        "Write the values out, in several documents if need be",
      );
    }
    if (depth + target.height > MANIFEST_LIMITS.nestingMax) throw nestedTooDeep(offset);
    return { ...target, mark: moveMark(target.mark, offset) };
  }

  #convertList(items: readonly unknown[], offset: number, depth: number): Converted {
    const values: unknown[] = [];
    const marks: Mark[] = [];
    let size = 1;
    let height = 0;
    for (const item of items) {
      // `[a: b]` is a list with a map of one pair.
      const converted = isPair(item)
        ? this.#convertMap([item], this.#offsetOf(item.key as ParsedNode), depth + 1)
        : this.convert(item, depth + 1);
      values.push(converted.value);
      marks.push(converted.mark);
      size += converted.size;
      height = Math.max(height, converted.height);
    }
    return { value: values, mark: { offset, children: marks }, size, height: height + 1 };
  }

  #convertMap(pairs: readonly unknown[], offset: number, depth: number): Converted {
    const fields = new Map<string, unknown>();
    const marks = new Map<string, Mark>();
    const merges: Converted[] = [];
    let size = 1;
    let height = 0;
    for (const pair of pairs) {
      if (!isPair(pair)) continue;
      const keyOffset = this.#offsetOf(pair.key as ParsedNode);
      const isMerge = isScalar(pair.key) && pair.key.value === "<<" && pair.key.type === "PLAIN";
      const key = isMerge ? "<<" : this.#keyOf(pair.key, keyOffset, depth);
      const converted = this.convert(pair.value, depth + 1);
      size += converted.size;
      height = Math.max(height, converted.height);
      if (isMerge) {
        merges.push({ ...converted, mark: moveMark(converted.mark, keyOffset) });
        continue;
      }
      if (marks.has(key)) throw duplicateKey(key, keyOffset);
      // The API server treats a null field as one that is not there.
      if (converted.value !== null) fields.set(key, converted.value);
      marks.set(key, moveMark(converted.mark, keyOffset));
    }
    for (const merge of merges) mergeInto(fields, marks, merge);
    return {
      value: Object.fromEntries(fields),
      mark: { offset, children: marks },
      size,
      height: height + 1,
    };
  }

  #keyOf(key: unknown, offset: number, depth: number): string {
    const { value } = this.convert(key, depth + 1);
    if (typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    throw new DocumentError(
      "yaml-syntax",
      offset,
      "A key of a map is not text",
      "Write the key as text; Kubernetes has no other keys",
    );
  }

  #offsetOf(node: ParsedNode | null): number {
    return (node?.range?.[0] ?? 0) + this.#start;
  }
}

function scalar(value: unknown, offset: number): Converted {
  return { value, mark: offset, size: 1, height: 0 };
}

/** A scalar as JSON has it; a tag such as `!!binary` may have made it something else. */
function jsonScalar(value: unknown): unknown {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
      return value;
    case "bigint":
      return Number(value);
    default:
      return null;
  }
}

/** `<<: *anchor` or `<<: [*a, *b]`: the map's own keys win, then the earlier of the merged maps. */
function mergeInto(fields: Map<string, unknown>, marks: Map<string, Mark>, merge: Converted): void {
  const { value, mark } = merge;
  const offset = typeof mark === "number" ? mark : mark.offset;
  if (Array.isArray(value)) {
    const children = typeof mark === "number" ? [] : [...mark.children.values()] as Mark[];
    for (const [index, item] of value.entries()) {
      mergeInto(fields, marks, { ...merge, value: item, mark: children[index] ?? offset });
    }
    return;
  }
  if (typeof value !== "object" || value === null) {
    throw new DocumentError(
      "yaml-syntax",
      offset,
      "A merge key does not name a map",
      "Write << with an alias of a map, or with a list of such aliases",
    );
  }
  if (typeof mark === "number" || !(mark.children instanceof Map)) return;
  for (const [key, child] of mark.children as ReadonlyMap<string, Mark>) {
    if (marks.has(key)) continue;
    marks.set(key, child);
    const merged = Object.getOwnPropertyDescriptor(value, key)?.value;
    if (merged !== undefined) fields.set(key, merged);
  }
}
