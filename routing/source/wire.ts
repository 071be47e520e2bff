/**
 * Messages between a proxy and the source of its plan as lines of JSON: decoding that lets nothing past which the other side could not
 * have written. A part comes with its hash, which is checked, so that both know what the proxy holds.
 */
import { hashPart, type PartKey, type PlanHeader } from "../parts.ts";
import { checkPart, isHash, isPlanHeader } from "../plan_check.ts";
import { headerProblem } from "../plan_codec.ts";
import {
  type Check,
  fail,
  list,
  nullable,
  optional,
  record,
  shape,
  ShapeError,
  text,
  whole,
} from "../plan_shape.ts";
import { NAME_LENGTH_MAX } from "../../base/limits.ts";
import { sha256Hex } from "../../base/hash.ts";
import { CHAIN_TEXT_MAX, CSR_TEXT_MAX, ROOTS_MAX, UPDATE_TEXT_MAX } from "../limits.ts";
import type {
  Answer,
  HashedPart,
  IdentityRequest,
  IdentityUpdate,
  PlanQuestion,
  RootSet,
  SourceRequest,
  SourceUpdate,
} from "./messages.ts";

type Decoded<T> =
  | { readonly ok: true; readonly message: T }
  | { readonly ok: false; readonly problem: string };

/** What a source has written with `JSON.stringify`. Never throws; `problem` is one line. */
export function decodeUpdate(text: string): Decoded<SourceUpdate> {
  return decode(text, updateOf);
}

/** What a line of a source tells: of the plan, or of certificates. */
export function decodeTold(
  line: string,
): Decoded<SourceUpdate | { readonly identity: IdentityUpdate }> {
  return line.startsWith('{"identity":') ? decode(line, identityLine) : decodeUpdate(line);
}

/** A proxy that has one of two root sets with equal hashes has both. */
export function hashRoots(roots: readonly string[]): string {
  return sha256Hex(roots.join(""));
}

/** What a proxy has written. */
export function decodeRequest(text: string): Decoded<SourceRequest> {
  return decode(text, requestOf);
}

function decode<T>(message: string, check: Check<T>): Decoded<T> {
  if (message.length > UPDATE_TEXT_MAX) {
    return { ok: false, problem: `The message has more than ${UPDATE_TEXT_MAX} characters` };
  }
  try {
    return { ok: true, message: check(JSON.parse(message), "") };
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

const PEM = /^-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n$/;
const CHAIN = /^(-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n){1,10}$/;
const signer = text(NAME_LENGTH_MAX, /^[^\s]*$/, "the name of who signs");
const hashOrNone = text(64, /^([0-9a-f]{64})?$/, "a hash, or empty");

const rootsOf = shape<RootSet>({
  hash: isHash,
  roots: list(text(CHAIN_TEXT_MAX, PEM, "a certificate in PEM")),
});

/** One that is not what its hash says would be acknowledged as another one. */
const rootSet: Check<RootSet> = (value, path) => {
  const { hash, roots } = rootsOf(value, path);
  if (roots.length > ROOTS_MAX) fail(`${path}.roots`, `a list of at most ${ROOTS_MAX}`);
  if (hashRoots(roots) !== hash) fail(`${path}.hash`, "that of the roots");
  return { hash, roots };
};

const identityLine = shape<{ identity: IdentityUpdate }>({
  identity: shape<IdentityUpdate>({
    roots: nullable(rootSet),
    signer,
    challenge: text(64, /^[0-9a-f]*$/, "hexadecimal digits"),
    chain: optional(text(CHAIN_TEXT_MAX, CHAIN, "a chain of certificates in PEM")),
    problem: optional(text(1_024, /^[^\n]*$/, "a line of text")),
    timeMs: whole(0, Number.MAX_SAFE_INTEGER),
  }),
});

const heldHashes = record(isHash) as Check<Readonly<Record<PartKey, string>>>;

const requestOf = shape<SourceRequest>({
  ask: list(question),
  drop: list(question),
  held: optional(heldHashes),
  identity: optional(shape<IdentityRequest>({
    roots: hashOrNone,
    signer,
    csr: optional(text(CSR_TEXT_MAX, /^[A-Za-z0-9+/=]+$/, "a request in base64")),
  })),
});
