/**
 * Messages between a proxy and the source of its plan as lines of JSON: decoding that lets nothing past which the other side could not
 * have written. A part comes with its hash, which is checked, so that both know what the proxy holds.
 */
import { hashPart, type PartKey, type PlanHeader } from "../parts.ts";
import { checkPart, isHash, isPlanHeader } from "../plan_check.ts";
import { headerProblem } from "../plan_codec.ts";
import { type Check, fail, list, optional, record, shape, ShapeError } from "../plan_shape.ts";
import { UPDATE_TEXT_MAX } from "../limits.ts";
import type { Answer, HashedPart, PlanQuestion, SourceRequest, SourceUpdate } from "./messages.ts";

type Decoded<T> =
  | { readonly ok: true; readonly message: T }
  | { readonly ok: false; readonly problem: string };

/** What a source has written with `JSON.stringify`. Never throws; `problem` is one line. */
export function decodeUpdate(text: string): Decoded<SourceUpdate> {
  return decode(text, updateOf);
}

/** What a proxy has written. */
export function decodeRequest(text: string): Decoded<SourceRequest> {
  return decode(text, requestOf);
}

function decode<T>(text: string, check: Check<T>): Decoded<T> {
  if (text.length > UPDATE_TEXT_MAX) {
    return { ok: false, problem: `The message has more than ${UPDATE_TEXT_MAX} characters` };
  }
  try {
    return { ok: true, message: check(JSON.parse(text), "") };
  } catch (error) {
    if (error instanceof ShapeError) return { ok: false, problem: error.message };
    if (error instanceof SyntaxError) return { ok: false, problem: "The message is not JSON" };
    throw error;
  }
}

const QUESTION = /^(host [^\s/]+|address|access) \S+$/;
const KEY = /^(route|group|access) [^\s/]+\/\S+$/;

const question: Check<PlanQuestion> = (value, path) => {
  if (typeof value !== "string" || !QUESTION.test(value)) fail(path, "a question");
  return value as PlanQuestion;
};

const key: Check<PartKey> = (value, path) => {
  if (typeof value !== "string" || !KEY.test(value)) fail(path, "the key of a part");
  return value as PartKey;
};

function pair<First, Second>(
  first: Check<First>,
  second: (value: unknown, path: string, of: First) => Second,
): Check<readonly [First, Second]> {
  return (value, path) => {
    if (!Array.isArray(value) || value.length !== 2) fail(path, "a pair");
    const [a, b] = value;
    const checked = first(a, `${path}[0]`);
    return [checked, second(b, `${path}[1]`, checked)];
  };
}

const hashed = shape<HashedPart>({ hash: isHash, part: (value) => value as HashedPart["part"] });

/** A part that is not what its hash says would be taken for another one. */
function hashedPart(value: unknown, path: string, of: PartKey): HashedPart | null {
  if (value === null) return null;
  const { hash, part } = hashed(value, path);
  checkPart(of, part, `${path}.part`);
  if (hashPart(part) !== hash) fail(`${path}.hash`, "that of the part");
  return { hash, part };
}

const answer: Check<Answer> = list(key);

/** Before anything is looked at whose meaning may be another one. */
const header: Check<PlanHeader> = (value, path) => {
  const problem = headerProblem(value);
  if (problem !== null) throw new ShapeError(problem);
  return isPlanHeader(value, path);
};

const updateOf = shape<SourceUpdate>({
  header: optional(header),
  answers: list(pair(question, (value, path) => value === null ? null : answer(value, path))),
  parts: list(pair(key, hashedPart)),
});

const heldHashes = record(isHash) as Check<Readonly<Record<PartKey, string>>>;

const requestOf = shape<SourceRequest>({
  ask: list(question),
  drop: list(question),
  held: optional(heldHashes),
});
