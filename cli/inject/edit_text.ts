/**
 * The text of one document after the operations of a patch. Of YAML, comments stay, and every value is written as it was; so it is read as
 * text alone, without looking at what values mean.
 */
import {
  type Document,
  isMap,
  isSeq,
  type ParsedNode,
  parseDocument,
  stringify,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { applyPatch, type PatchOperation, stepsOf } from "../../controller/inject/patch.ts";

interface DocumentEdit {
  /** What the document says, as kubectl reads it. */
  readonly value: unknown;
  readonly operations: readonly PatchOperation[];
}

/** @param edits of the documents in `text`, which is nearly always one */
export function editText(text: string, edits: readonly DocumentEdit[]): string {
  const after = () => edits.map(({ value, operations }) => applyPatch(value, operations));
  if (isJson(text)) return `${JSON.stringify(after()[0], null, 2)}\n`;
  const document = parseDocument(text, { schema: "failsafe", keepSourceTokens: false });
  // What stands in one place for several cannot be changed in one of them, and of several documents there is no one text.
  if (edits.length > 1 || hasAliases(document)) return after().map(write).join("---\n");
  for (const operation of edits[0].operations) apply(document, operation);
  return document.toString({
    lineWidth: 0,
    indentSeq: !/^( *)[^\s#-][^\n]*:[ \t]*(#.*)?\r?\n\1- /m.test(text),
    flowCollectionPadding: !/[[{][^\s\]}]/.test(text),
  });
}

/** What kubectl, which reads YAML 1.1, would take for something else than a text is quoted: `yes`, `010`. */
function write(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false, compat: "yaml-1.1" });
}

/** kubectl tells them apart in the same way. */
function isJson(text: string): boolean {
  if (!/^\s*\{/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function hasAliases(document: Document): boolean {
  let isFound = false;
  visit(document, {
    Alias() {
      isFound = true;
      return visit.BREAK;
    },
  });
  return isFound;
}

/** As {@link applyPatch} does. */
function apply(document: Document, operation: PatchOperation): void {
  const steps = stepsOf(operation.path);
  const last = steps.pop() ?? "";
  const parent = steps.length === 0 ? document.contents : document.getIn(steps.map(keyOf), true);
  if (isSeq(parent)) return applyToList(parent, last, operation);
  if (!isMap(parent)) throw new Error(`Nothing can be put at ${operation.path}`);
  if (operation.op === "remove") parent.delete(last);
  else setKey(parent, last, nodeOf(operation.value));
}

function setKey(map: YAMLMap, key: string, node: unknown): void {
  // Of a text that has been read without meaning every key is a text.
  map.set(key, node);
}

function applyToList(list: YAMLSeq, at: string, operation: PatchOperation): void {
  const index = at === "-" ? list.items.length : Number(at);
  if (operation.op === "remove") list.items.splice(index, 1);
  else list.items.splice(index, operation.op === "add" ? 0 : 1, nodeOf(operation.value));
}

function keyOf(step: string): string | number {
  return /^\d+$/.test(step) ? Number(step) : step;
}

/** Written with its meaning, and read without it, as the document is. */
function nodeOf(value: unknown): ParsedNode | null {
  return parseDocument(write(value), { schema: "failsafe" }).contents;
}
