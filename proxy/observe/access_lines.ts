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

/** Bytes that are the same in all lines of requests that came one way. */
interface Sender extends Readonly<Pick<RecordFacts, "source" | "protocol">> {
  readonly bytes: Uint8Array;
}

/** What one line is of. */
interface Line {
  readonly facts: RecordFacts;
  readonly text: RequestText;
  readonly sender: Uint8Array;
  readonly way: Uint8Array;
  readonly timeMs: number;
}

/** How a line is written. */
interface LineFormat {
  /** What is said of where it came from, and of where it went: made once, and copied. */
  sender(facts: RecordFacts): string;
  way(facts: RecordFacts): string;
  line(out: AccessText, line: Line): void;
}

/** Takes lines, each with its end, and their count. The bytes are valid until it returns. */
type TakeLines = (lines: Uint8Array, count: number) => void;

export class AccessLines {
  readonly #format: LineFormat;
  readonly #take: TakeLines;
  readonly #now: () => number;
  readonly #out = new AccessText(ACCESS_BATCH_BYTES);
  /** By the client's address. */
  readonly #senders = new Map<string, Sender>();
  /** By the endpoint's address and port. */
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
    const sender = this.#senderOf(facts);
    const way = this.#wayOf(facts);
    const { peer, reason, plan, endpoint } = facts;
    const characters = text.traceEnd + peer.length + reason.length + plan.length + endpoint.length;
    const bytesMax = sender.length + way.length + ACCESS_CHARACTER_BYTES_MAX * characters +
      ACCESS_LINE_BYTES_BESIDES;
    if (!this.#out.hasRoom(bytesMax)) {
      this.hand();
      this.#out.makeRoom(bytesMax);
    }
    if (this.#count++ === 0) this.#timeMs = this.#now();
    this.#format.line(this.#out, { facts, text, sender, way, timeMs: this.#timeMs });
  }

  /** Hands over the lines since the last time, where there are any. */
  hand(): void {
    if (this.#count === 0) return;
    const count = this.#count;
    this.#count = 0;
    this.#take(this.#out.written, count);
    this.#out.clear();
  }

  #senderOf(facts: RecordFacts): Uint8Array {
    const { peer, source, protocol } = facts;
    const known = this.#senders.get(peer);
    if (known !== undefined && known.source === source && known.protocol === protocol) {
      return known.bytes;
    }
    const bytes = encode(this.#format.sender(facts));
    if (this.#senders.size >= ACCESS_PLACES_MAX) this.#senders.clear();
    this.#senders.set(peer, { source, protocol, bytes });
    return bytes;
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
    const bytes = encode(this.#format.way(facts));
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
  sender({ peer, source, protocol }) {
    const texts = JSON.stringify({ peer, source, protocol }).slice(1, -1);
    return `Z",${texts},"method":"`;
  },
  way({ service, rule, split, backend, pod, endpoint }) {
    const texts = JSON.stringify({ service, rule, split, backend, pod, endpoint }).slice(1, -1);
    return `,${texts},"attempts":`;
  },
  line(out, { facts, text, sender, way, timeMs }) {
    out.short(TIME);
    out.isoTime(timeMs);
    out.bytes(sender);
    out.jsonBytes(text.bytes, 0, text.methodEnd);
    out.short(AUTHORITY);
    out.jsonBytes(text.bytes, text.methodEnd, text.authorityEnd);
    out.short(PATH);
    out.jsonBytes(text.bytes, text.authorityEnd, text.pathEnd);
    out.short(STATUS);
    out.whole(facts.status);
    out.short(REASON);
    out.json(facts.reason);
    out.short(REQUEST_BYTES);
    out.wholeOr(facts.requestBytes, NULL);
    out.short(RESPONSE_BYTES);
    out.wholeOr(facts.responseBytes, NULL);
    out.short(GRPC_STATUS);
    out.wholeOr(facts.grpcStatus, NULL);
    out.bytes(way);
    out.whole(facts.attempts);
    out.short(TRACE);
    out.jsonBytes(text.bytes, text.pathEnd, text.traceEnd);
    out.short(DURATION);
    out.thousandths(facts.durationMs);
    out.short(PLAN_WAIT);
    out.thousandths(facts.planWaitMs);
    out.short(PLAN);
    out.json(facts.plan);
    out.short(JSON_END);
  },
};

// What stands between the texts of a line of JSON.
const [TIME, AUTHORITY, PATH, STATUS, REASON, REQUEST_BYTES, RESPONSE_BYTES] = [
  ...['{"time":"', '","authority":"', '","path":"', '","status":', ',"reason":'],
  ...[',"requestBytes":', ',"responseBytes":'],
].map(encode);
const [GRPC_STATUS, TRACE, DURATION, PLAN_WAIT, PLAN, JSON_END, NULL, DASH] = [
  ...[',"grpcStatus":', ',"trace":"', '","durationMs":', ',"planWaitMs":', ',"plan":'],
  ...["}\n", "null", "-"],
].map(encode);

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/**
 * Common Log Format. The endpoint stands in the place of the user, which a sidecar does not have; what the format has no
 * place for follows it, by name.
 */
const COMMON_LINE: LineFormat = {
  sender: ({ source }) => ` source=${source || "-"}`,
  way(facts) {
    const { service, rule, split, backend, pod } = facts;
    return Object.entries({ service, rule, split, backend, pod })
      .map(([name, value]) => ` ${name}=${value || "-"}`).join("");
  },
  line(out, { facts, text, sender, way, timeMs }) {
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
    out.wholeOr(facts.responseBytes, DASH);
    out.bytes(sender);
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
    out.wholeOr(facts.requestBytes, DASH);
    out.add(" grpc=");
    out.wholeOr(facts.grpcStatus, DASH);
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
