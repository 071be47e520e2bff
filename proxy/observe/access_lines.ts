/**
 * AccessLines: the access log of one event loop, a line for each answered request, written as bytes at once: in the formats that log
 * collectors know. What is the same from line to line is made once. Lines are handed over after each batch of events, in order.
 */
import {
  ACCESS_BATCH_BYTES,
  ACCESS_CHARACTER_BYTES_MAX,
  ACCESS_LINE_BYTES_BESIDES,
  ACCESS_PLACES_MAX,
  ACCESS_ROUTES_PER_PLACE_MAX,
} from "../limits.ts";
import type { AccessLogFormat } from "../config.ts";
import { AccessText } from "./access_text.ts";
import type { RecordFacts } from "./request_record.ts";
import type { RequestText } from "./request_text.ts";

/** Bytes that are the same in all lines of requests that went one way. */
interface Way
  extends Readonly<Pick<RecordFacts, "service" | "rule" | "split" | "backend" | "pod">> {
  readonly bytes: Uint8Array;
}

/** How a line is written. */
interface LineFormat {
  /** What is said of the way: with a place between what is before and behind it. */
  way(facts: RecordFacts): string;
  line(
    out: AccessText,
    facts: RecordFacts,
    text: RequestText,
    way: Uint8Array,
    timeMs: number,
  ): void;
}

/** Takes lines, each with its end, and their count. The bytes are valid until it returns. */
type TakeLines = (lines: Uint8Array, count: number) => void;

export class AccessLines {
  readonly #format: LineFormat;
  readonly #take: TakeLines;
  readonly #now: () => number;
  readonly #out = new AccessText(ACCESS_BATCH_BYTES);
  /** By address and port. */
  readonly #ways = new Map<string, Way[]>();
  #count = 0;
  /** When the batch had its first line, since 1970. */
  #timeMs = 0;

  /** @param now milliseconds since 1970 */
  constructor(format: AccessLogFormat, take: TakeLines, now = Date.now) {
    this.#format = format === "json" ? JSON_LINE : COMMON_LINE;
    this.#take = take;
    this.#now = now;
  }

  add(facts: RecordFacts, text: RequestText): void {
    const way = this.#wayOf(facts);
    const { peer, source, reason, plan, protocol } = facts;
    const characters = text.traceEnd + peer.length + source.length + reason.length + plan.length +
      protocol.length;
    const bytesMax = way.length + ACCESS_CHARACTER_BYTES_MAX * characters +
      ACCESS_LINE_BYTES_BESIDES;
    if (!this.#out.hasRoom(bytesMax)) {
      this.hand();
      this.#out.makeRoom(bytesMax);
    }
    if (this.#count++ === 0) this.#timeMs = this.#now();
    this.#format.line(this.#out, facts, text, way, this.#timeMs);
  }

  /** Hands over the lines since the last time, where there are any. */
  hand(): void {
    if (this.#count === 0) return;
    const count = this.#count;
    this.#count = 0;
    this.#take(this.#out.written, count);
    this.#out.clear();
  }

  #wayOf(facts: RecordFacts): Uint8Array {
    const known = this.#ways.get(facts.endpoint);
    if (known !== undefined) {
      for (const way of known) if (isSame(way, facts)) return way.bytes;
    }
    return this.#newWay(facts, known);
  }

  #newWay(facts: RecordFacts, known: Way[] | undefined): Uint8Array {
    const { service, rule, split, backend, pod } = facts;
    const bytes = new TextEncoder().encode(this.#format.way(facts));
    const way = { service, rule, split, backend, pod, bytes };
    if (known !== undefined && known.length < ACCESS_ROUTES_PER_PLACE_MAX) known.push(way);
    else {
      if (this.#ways.size >= ACCESS_PLACES_MAX) this.#ways.clear();
      this.#ways.set(facts.endpoint, [way]);
    }
    return bytes;
  }
}

function isSame(way: Way, facts: RecordFacts): boolean {
  return way.service === facts.service && way.rule === facts.rule && way.split === facts.split &&
    way.backend === facts.backend && way.pod === facts.pod;
}

/** One JSON object with everything that is known. */
const JSON_LINE: LineFormat = {
  way({ service, rule, split, backend, pod, endpoint }) {
    return `,${JSON.stringify({ service, rule, split, backend, pod, endpoint }).slice(1, -1)},`;
  },
  line(out, facts, text, way, timeMs) {
    out.add('{"time":"');
    out.isoTime(timeMs);
    out.add('","peer":');
    out.json(facts.peer);
    out.add(',"source":');
    out.json(facts.source);
    out.add(',"protocol":');
    out.json(facts.protocol);
    out.add(',"method":"');
    out.jsonBytes(text.bytes, 0, text.methodEnd);
    out.add('","authority":"');
    out.jsonBytes(text.bytes, text.methodEnd, text.authorityEnd);
    out.add('","path":"');
    out.jsonBytes(text.bytes, text.authorityEnd, text.pathEnd);
    out.add('","status":');
    out.whole(facts.status);
    out.add(',"reason":');
    out.json(facts.reason);
    out.add(',"requestBytes":');
    out.wholeOr(facts.requestBytes, "null");
    out.add(',"responseBytes":');
    out.wholeOr(facts.responseBytes, "null");
    out.add(',"grpcStatus":');
    out.wholeOr(facts.grpcStatus, "null");
    out.bytes(way);
    out.add('"attempts":');
    out.whole(facts.attempts);
    out.add(',"trace":"');
    out.jsonBytes(text.bytes, text.pathEnd, text.traceEnd);
    out.add('","durationMs":');
    out.thousandths(facts.durationMs);
    out.add(',"planWaitMs":');
    out.thousandths(facts.planWaitMs);
    out.add(',"plan":');
    out.json(facts.plan);
    out.add("}\n");
  },
};

/**
 * Common Log Format. The endpoint stands in the place of the user, which a sidecar does not have; what the format has no
 * place for follows it, by name.
 */
const COMMON_LINE: LineFormat = {
  way(facts) {
    const { service, rule, split, backend, pod } = facts;
    return Object.entries({ service, rule, split, backend, pod })
      .map(([name, value]) => ` ${name}=${value || "-"}`).join("");
  },
  line(out, facts, text, way, timeMs) {
    out.plain(facts.peer);
    out.add(" - ");
    out.plain(facts.endpoint);
    out.add(" [");
    out.commonTime(timeMs);
    out.add(' +0000] "');
    requestLine(out, facts, text);
    out.add('" ');
    out.whole(facts.status);
    out.add(" ");
    out.wholeOr(facts.responseBytes, "-");
    out.add(" source=");
    out.plain(facts.source);
    out.bytes(way);
    out.add(" reason=");
    out.plain(facts.reason);
    out.add(" plan=");
    out.plain(facts.plan);
    out.add(" trace=");
    if (text.traceEnd === text.pathEnd) out.add("-");
    else out.quotedBytes(text.bytes, text.pathEnd, text.traceEnd);
    out.add(" attempts=");
    out.whole(facts.attempts);
    out.add(" request_bytes=");
    out.wholeOr(facts.requestBytes, "-");
    out.add(" grpc=");
    out.wholeOr(facts.grpcStatus, "-");
    out.add(" ms=");
    out.tenths(facts.durationMs);
    out.add("\n");
  },
};

/** As the client's proxy would have been sent it; `-` where the head could not be read. */
function requestLine(out: AccessText, { protocol }: RecordFacts, text: RequestText): void {
  if (protocol === "") return out.add("-");
  const { bytes, methodEnd, authorityEnd, pathEnd } = text;
  // A connection that is relayed, or asked for, has an address and no path.
  const hasAddress = isNamed(text, "TCP") || isNamed(text, "CONNECT");
  out.quotedBytes(bytes, 0, methodEnd);
  out.add(hasAddress ? " " : " http://");
  out.quotedBytes(bytes, methodEnd, authorityEnd);
  if (!hasAddress) out.quotedBytes(bytes, authorityEnd, pathEnd);
  out.add(" ");
  out.plain(protocol);
}

function isNamed({ bytes, methodEnd }: RequestText, method: string): boolean {
  if (methodEnd !== method.length) return false;
  for (let i = 0; i < methodEnd; i++) if (bytes[i] !== method.charCodeAt(i)) return false;
  return true;
}
