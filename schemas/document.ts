/**
 * What the readers of YAML and JSON hand over. Knows nothing of either syntax.
 */
import { MANIFEST_LIMITS } from "./limits.ts";
import type { Mark, SourceOrigin } from "./positions.ts";

/** One document: a value as JSON has them, without the null entries of maps. */
export interface SourceDocument {
  /** Start and end of the text between the lines that cut documents from each other. */
  readonly piece: readonly [start: number, end: number];
  readonly value: unknown;
  readonly origin: SourceOrigin;
  /** It cannot be read: the value is only what it seems to be called. */
  readonly isBroken: boolean;
}

/** What a reader makes of one piece of text, with offsets into the whole file. */
export interface MarkedValue {
  readonly value: unknown;
  readonly mark: Mark;
}

/** Why a document could not be read. Thrown within schemas/ only; `readDocuments` makes it a `DocumentProblem`. */
export class DocumentError extends Error {
  override readonly name = "DocumentError";
  readonly code: "yaml-syntax" | "limit-exceeded";
  readonly offset: number;
  readonly hint: string;

  constructor(
    code: DocumentError["code"],
    offset: number,
    message: string,
    hint: string,
  ) {
    super(message);
    this.code = code;
    this.offset = offset;
    this.hint = hint;
  }
}

export function duplicateKey(key: string, offset: number): DocumentError {
  return new DocumentError(
    "yaml-syntax",
    offset,
    `Key "${key}" stands twice in one map`,
    "Remove one of the two",
  );
}

export function nestedTooDeep(offset: number): DocumentError {
  return new DocumentError(
    "limit-exceeded",
    offset,
    `Document is nested more than ${MANIFEST_LIMITS.nestingMax} levels deep`,
    "Split the document or remove levels",
  );
}
