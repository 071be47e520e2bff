/**
 * Affinity: keeps a caller on one backend of a split while the shares stay what the weights ask for. A caller's key
 * is a point on a line of 2^32, the backends are lengths of it in proportion to their weights, and the point
 * decides: 25 to 30 percent moves just the callers between the two, 5 points one way.
 */
import { assert } from "../../base/assert.ts";
import { fnv1a32 } from "../../base/hash.ts";
import type { SessionAffinity } from "../../base/policy.ts";
import type { RequestHead } from "../request.ts";
import { NO_KEY, RequestKeyReader } from "./request_key.ts";

const LINE = 2 ** 32;

/** What a cookie that the proxy gives out begins with; the point follows as 8 hex digits. */
const AFFINITY_COOKIE_PREFIX = "weft-";
const PREFIX = new TextEncoder().encode(AFFINITY_COOKIE_PREFIX);
const DIGITS = 8;

/** What is shared out among callers. */
interface Share {
  /** `namespace/service`. */
  readonly key: string;
  /** Above zero. */
  readonly weight: number;
}

export class Affinity<Backend extends Share> {
  readonly isCookie: boolean;
  readonly #reader: RequestKeyReader;
  /** Two Services split their callers independently of each other; the rules of one Service do not. */
  readonly #seed: number;
  /** By key, so that the order in which they are written moves no caller. */
  readonly #backends: readonly Backend[];
  /** Where the length of each backend ends. */
  readonly #ends: Float64Array;

  /** @param backends at least one */
  constructor(key: SessionAffinity["key"], service: string, backends: readonly Backend[]) {
    assert(backends.length > 0, "Callers are kept on one of the backends");
    this.isCookie = key.source === "cookie";
    this.#reader = new RequestKeyReader(key);
    this.#seed = fnv1a32(service);
    this.#backends = [...backends].sort((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
    this.#ends = new Float64Array(backends.length);
    const total = backends.reduce((sum, { weight }) => sum + weight, 0);
    let sum = 0;
    for (const [i, { weight }] of this.#backends.entries()) {
      sum += weight;
      this.#ends[i] = sum / total * LINE;
    }
  }

  /** The caller's point, from 0 to 2^32 - 1, or `NO_KEY`: the request does not say who calls. */
  pointOf(head: RequestHead): number {
    const reader = this.#reader;
    if (!reader.find(head)) return NO_KEY;
    const given = this.isCookie ? pointOfCookie(head.bytes, reader.start, reader.end) : NO_KEY;
    return given === NO_KEY ? reader.hash(head, this.#seed) : given;
  }

  /** The backend whose length holds the point. */
  backendAt(point: number): Backend {
    let place = 0;
    while (place < this.#ends.length - 1 && point >= this.#ends[place]) place++;
    return this.#backends[place];
  }

  /** A point of the backend's length, uniform where `random`, 0 to 2^32 - 1, is: for a caller who has none yet. */
  pointIn(backend: Backend, random: number): number {
    const place = this.#backends.indexOf(backend);
    assert(place >= 0, "The backend is one of the affinity's");
    const start = place === 0 ? 0 : Math.ceil(this.#ends[place - 1]);
    const end = Math.ceil(this.#ends[place]);
    // A length below one point holds none; the nearest one will do.
    return Math.min(start + Math.floor(random / LINE * (end - start)), LINE - 1);
  }
}

/** The value of the cookie that gives a caller this point. */
export function affinityCookie(point: number): string {
  return AFFINITY_COOKIE_PREFIX + point.toString(16).padStart(DIGITS, "0");
}

/** `NO_KEY` where the proxy did not give it out. */
function pointOfCookie(bytes: Uint8Array, start: number, end: number): number {
  if (end - start !== PREFIX.length + DIGITS) return NO_KEY;
  for (let i = 0; i < PREFIX.length; i++) if (bytes[start + i] !== PREFIX[i]) return NO_KEY;
  let point = 0;
  for (let at = start + PREFIX.length; at < end; at++) {
    const digit = hexDigit(bytes[at]);
    if (digit < 0) return NO_KEY;
    point = point * 16 + digit;
  }
  return point;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  return byte >= 0x61 && byte <= 0x66 ? byte - 0x61 + 10 : -1;
}
