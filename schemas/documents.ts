/**
 * Text of one file to its documents. It is cut as kubectl cuts it, so that a broken document loses only itself. The YAML or the
 * JSON reader gets each part. Knows nothing of Kubernetes.
 */
import { DocumentError, type MarkedValue, type SourceDocument } from "./document.ts";
import { readJson } from "./json.ts";
import { SourceOrigin, type SourceText } from "./positions.ts";
import { readYaml } from "./yaml.ts";

/**
 * Reads every document of a file; those without content are left out. `onError` gets one error a broken document, of which
 * there is what it seems to be called.
 */
export function readDocuments(
  source: SourceText,
  onError: (error: DocumentError) => void,
): SourceDocument[] {
  const documents: SourceDocument[] = [];
  for (const [start, end] of cutDocuments(source.text)) {
    let isBroken = false;
    const values = readPiece(source.text, start, end, (error) => {
      isBroken = true;
      onError(error);
    });
    for (const { value, mark } of values) {
      if (value === null || value === undefined) continue;
      const origin = new SourceOrigin(source, mark);
      documents.push({ value, origin, isBroken: false, piece: [start, end] });
    }
    const value = isBroken ? identityIn(source.text.slice(start, end)) : undefined;
    if (value === undefined) continue;
    const origin = new SourceOrigin(source, start);
    documents.push({ value, origin, isBroken: true, piece: [start, end] });
  }
  return documents;
}

/** What the text of a broken document says that it is, as far as lines of the usual form say it. */
function identityIn(text: string): unknown {
  const find = (key: string, from: string) =>
    new RegExp(`(?:^|[\\s{,"'])${key}["']?:[ \\t]*["']?([-./\\w]+)`).exec(from)?.[1];
  const metadata = /(?:^|[\s{,"'])metadata["']?:([\s\S]*)/.exec(text)?.[1] ?? "";
  const [apiVersion, kind] = [find("apiVersion", text), find("kind", text)];
  const [name, namespace] = [find("name", metadata), find("namespace", metadata)];
  if (apiVersion === undefined || kind === undefined || name === undefined) return undefined;
  return {
    apiVersion,
    kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  };
}

function readPiece(
  text: string,
  start: number,
  end: number,
  onError: (error: DocumentError) => void,
): readonly MarkedValue[] {
  try {
    const control = findControlCharacter(text, start, end);
    if (control !== undefined) throw control;
    return readJson(text, start, end) ?? readYaml(text, start, end, onError);
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    onError(error);
    return [];
  }
}

/** What YAML 1.2 section 5.1 does not allow in a stream, and JSON neither. */
// deno-lint-ignore no-control-regex -- finding them is the point
const CONTROL_CHARACTER = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/;

function findControlCharacter(text: string, start: number, end: number): DocumentError | undefined {
  const index = text.slice(start, end).search(CONTROL_CHARACTER);
  if (index < 0) return undefined;
  const code = text.charCodeAt(start + index).toString(16).padStart(4, "0").toUpperCase();
  return new DocumentError(
    "yaml-syntax",
    start + index,
    `Control character U+${code} is not allowed`,
    "Remove it, or write it as an escape in a quoted string",
  );
}

/**
 * The start and end of each piece between lines that hold only `---` (and a comment), which is how kubectl cuts
 * a stream before it parses any of it. Directives (`%YAML 1.1`) stay with the document after them.
 */
function* cutDocuments(text: string): Generator<readonly [number, number]> {
  let start = 0;
  let lineStart = 0;
  let hasDirective = false;
  let hasContent = false;
  while (lineStart < text.length) {
    const newline = text.indexOf("\n", lineStart);
    const lineEnd = newline < 0 ? text.length : newline;
    const line = text.slice(lineStart, lineEnd);
    if (/^---[ \t]*(#.*)?\r?$/.test(line) && !(hasDirective && !hasContent)) {
      yield [start, lineStart];
      start = lineEnd;
      hasDirective = false;
      hasContent = false;
    } else if (line.startsWith("%") && !hasContent) {
      hasDirective = true;
    } else if (!hasContent && !/^\s*(#|$)/.test(line)) {
      hasContent = true;
    }
    lineStart = lineEnd + 1;
  }
  yield [start, text.length];
}
