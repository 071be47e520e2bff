/** The request line, its target in every form, and what a request's headers must hold (RFC 9112 3). */
import { CONNECT, METHOD_OTHER, METHODS, RequestHead } from "../../../routing/request.ts";
import { FORWARDS_MAX, HOPS_MAX, REQUEST_LINE_BYTES_MAX } from "../../limits.ts";
import {
  BAD_FRAMING,
  BAD_HEADER,
  BAD_HOST,
  BAD_LINE,
  BAD_VERSION,
  COMPLETE,
  Head,
  INCOMPLETE,
  TARGET_TOO_LONG,
  TOO_MANY_HEADERS,
  UNKNOWN_EXPECTATION,
} from "./head.ts";
import {
  COLON,
  COMMA,
  CR,
  equalsIgnoreCase,
  IS_AUTHORITY,
  IS_TARGET,
  IS_TOKEN,
  LF,
  numberOf,
  SP,
} from "./lexical.ts";

const SLASH = 47;
const QUESTION = 63;
const ASTERISK = 42;

const OPTIONS = METHODS.indexOf("OPTIONS") + 1;
const TRACE = METHODS.indexOf("TRACE") + 1;
const GET = METHODS.indexOf("GET") + 1;
const HEAD = METHODS.indexOf("HEAD") + 1;
/** Methods that may be sent again when nothing is known of the first try (RFC 9110 9.2.2). */
const IDEMPOTENT = new Set(
  ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"].map((name) =>
    METHODS.indexOf(name as typeof METHODS[number]) + 1
  ),
);

/** Text beside the head. */
interface TextSlice {
  readonly offset: number;
  readonly length: number;
}

/** A parsed request; `routed` is the part of it that routing sees. */
export class Request extends Head {
  readonly routed: RequestHead;
  /** The target as sent. */
  targetStart = 0;
  targetEnd = 0;
  /** Path and query, without scheme and authority. Empty for CONNECT and for `http://host`. */
  originStart = 0;
  originEnd = 0;
  isAbsolute = false;
  /** What is sent before the rest of the target, which begins at `originStart`: a path that a route has put in; empty: nothing. */
  pathTextStart = 0;
  pathTextEnd = 0;
  /** Where the origin and the authority were before `rewrite`. */
  #written:
    | { originStart: number; authority: readonly [number, number]; isAbsolute: boolean }
    | null = null;
  /** Its scheme asks for TLS to the origin. */
  isForTls = false;
  expectsContinue = false;
  /** The client takes trailers (RFC 9110 10.1.4). */
  takesTrailers = false;
  /** `Max-Forwards` of a method that it is meant for; -1: none (RFC 9110 7.6.2). */
  forwardsLeft = -1;
  /** What proxies of the mesh have counted on its way, in `x-weft-hops`, two a hop; 0: nothing. */
  hops = 0;
  /** Indexes of these headers, or -1. */
  hostHeader = -1;
  forwardedForHeader = -1;
  forwardedProtoHeader = -1;
  grpcTimeoutHeader = -1;

  constructor() {
    const routed = new RequestHead();
    super(routed.headers);
    this.routed = routed;
  }

  protected override grow(): void {
    super.grow();
    this.routed.headers = this.headers;
  }

  get isConnect(): boolean {
    return this.routed.method === CONNECT;
  }

  get isGet(): boolean {
    return this.routed.method === GET;
  }

  get isHead(): boolean {
    return this.routed.method === HEAD;
  }

  get isIdempotent(): boolean {
    return IDEMPOTENT.has(this.routed.method);
  }

  /** `OPTIONS http://host` means `OPTIONS *` to the origin (RFC 9112 3.2.4). */
  get isServerWide(): boolean {
    return this.isAbsolute && this.routed.method === OPTIONS &&
      this.originStart === this.originEnd && this.pathTextStart === this.pathTextEnd;
  }

  /**
   * Another host, and another path, go out than came, until `undoEdits`. Null: as it came.
   * @param originStart where of the target as it came the rest begins
   */
  rewrite(host: TextSlice | null, path: TextSlice | null, originStart: number): void {
    const { routed } = this;
    this.#written ??= {
      originStart: this.originStart,
      authority: [routed.authorityStart, routed.authorityEnd],
      isAbsolute: this.isAbsolute,
    };
    // As for a target that names its host, the line and the Host header are made anew.
    this.isAbsolute = true;
    if (host !== null) {
      routed.authorityStart = host.offset;
      routed.authorityEnd = host.offset + host.length;
    }
    if (path === null) return;
    this.pathTextStart = path.offset;
    this.pathTextEnd = path.offset + path.length;
    this.originStart = originStart;
  }

  /** Another host or path than came goes out. */
  get isRewritten(): boolean {
    return this.#written !== null;
  }

  override undoEdits(): void {
    super.undoEdits();
    const written = this.#written;
    if (written === null) return;
    this.#written = null;
    this.pathTextStart = this.pathTextEnd = 0;
    this.originStart = written.originStart;
    this.isAbsolute = written.isAbsolute;
    [this.routed.authorityStart, this.routed.authorityEnd] = written.authority;
  }

  /**
   * Whether this asks for one other protocol, to be tunnelled. `h2c` is not passed on (`protocol/http2/upgrade.ts`): through
   * a tunnel of it, requests would go by that are not routed. Nor is a choice of protocols, which may hold it.
   */
  wantsUpgrade(bytes: Uint8Array): boolean {
    if (!this.saysUpgrade || this.upgradeCount !== 1 || this.minorVersion === 0) return false;
    const start = this.headers[4 * this.upgradeHeader + 2];
    const end = this.headers[4 * this.upgradeHeader + 3];
    for (let i = start; i < end; i++) if (bytes[i] === COMMA) return false;
    return end > start && !equalsIgnoreCase(bytes, start, end, "h2c");
  }

  /**
   * Parses the head that starts at `start`, of which bytes up to `end` have arrived: `INCOMPLETE`, `COMPLETE`
   * or a refusal. May be called again with more bytes.
   */
  parse(bytes: Uint8Array, start: number, end: number): number {
    // Empty lines before a request are passed over (RFC 9112 2.2).
    while (start < end && bytes[start] === CR) {
      if (start + 1 >= end) return INCOMPLETE;
      if (bytes[start + 1] !== LF) return BAD_LINE;
      start += 2;
    }
    this.reset(start);
    const line = this.#parseLine(bytes, start, end);
    if (line < 0) return -line;
    if (line === 0) return INCOMPLETE;
    this.expectsContinue = false;
    this.takesTrailers = false;
    this.forwardsLeft = -1;
    this.hops = 0;
    this.hostHeader = -1;
    this.forwardedForHeader = -1;
    this.forwardedProtoHeader = -1;
    this.grpcTimeoutHeader = -1;
    const result = this.parseHeaders(bytes, line, end);
    if (result !== COMPLETE) return result;
    return this.#finishRequest(bytes);
  }

  /** The byte after the request line; 0: incomplete; below zero: a refusal, negated. */
  #parseLine(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && IS_TOKEN[bytes[at]] === 1) at++;
    if (at >= end) return 0;
    if (bytes[at] !== SP || at === start) return -BAD_LINE;
    const methodEnd = at++;
    const targetStart = at;
    while (at < end && IS_TARGET[bytes[at]] === 1) at++;
    if (at - start > REQUEST_LINE_BYTES_MAX) return -TARGET_TOO_LONG;
    if (at >= end) return 0;
    if (bytes[at] !== SP || at === targetStart) return -BAD_LINE;
    const targetEnd = at++;
    if (at + 10 > end) return versionSoFar(bytes, at, end) ? 0 : -BAD_LINE;
    if (!versionSoFar(bytes, at, at + 5) || bytes[at + 6] !== 46) return -BAD_LINE;
    const major = bytes[at + 5] - 48;
    const minor = bytes[at + 7] - 48;
    if (major < 0 || major > 9 || minor < 0 || minor > 9) return -BAD_LINE;
    if (bytes[at + 8] !== CR || bytes[at + 9] !== LF) return -BAD_LINE;
    if (major !== 1) return -BAD_VERSION;
    this.minorVersion = minor;
    const routed = this.routed;
    routed.bytes = bytes;
    routed.methodStart = start;
    routed.methodEnd = methodEnd;
    routed.method = methodOf(bytes, start, methodEnd);
    this.targetStart = targetStart;
    this.targetEnd = targetEnd;
    return this.#parseTarget(bytes) ? at + 10 : -BAD_LINE;
  }

  #parseTarget(bytes: Uint8Array): boolean {
    const start = this.targetStart;
    const end = this.targetEnd;
    const routed = this.routed;
    this.isAbsolute = false;
    this.isForTls = false;
    this.#written = null;
    this.pathTextStart = this.pathTextEnd = 0;
    this.originStart = start;
    this.originEnd = end;
    routed.authorityStart = 0;
    routed.authorityEnd = 0;
    if (routed.method === CONNECT) {
      routed.authorityStart = start;
      routed.authorityEnd = end;
      this.originStart = end;
      if (!isAuthority(bytes, start, end) || !hasPort(bytes, start, end)) return false;
    } else if (bytes[start] === SLASH) {
      // The common form; its authority is the Host header.
    } else if (bytes[start] === ASTERISK) {
      if (end - start !== 1 || routed.method !== OPTIONS) return false;
    } else if (!this.#parseAbsolute(bytes)) return false;
    let at = this.originStart;
    while (at < end && bytes[at] !== QUESTION) at++;
    const hasPath = at > this.originStart || !this.isAbsolute || this.isServerWide;
    // `http://host` means the path `/` (RFC 9110 4.2.3), of which the slash before the host is a copy.
    routed.pathStart = hasPath ? this.originStart : routed.authorityStart - 1;
    routed.pathEnd = hasPath ? at : routed.authorityStart;
    routed.queryStart = at < end ? at + 1 : end;
    routed.queryEnd = end;
    return true;
  }

  #parseAbsolute(bytes: Uint8Array): boolean {
    const start = this.targetStart;
    const end = this.targetEnd;
    let at = start;
    if (equalsIgnoreCase(bytes, start, Math.min(start + 7, end), "http://")) at += 7;
    else if (equalsIgnoreCase(bytes, start, Math.min(start + 8, end), "https://")) {
      at += 8;
      this.isForTls = true;
    } else return false;
    const authority = at;
    while (at < end && bytes[at] !== SLASH && bytes[at] !== QUESTION) at++;
    if (at === authority || !isAuthority(bytes, authority, at)) return false;
    this.isAbsolute = true;
    this.routed.authorityStart = authority;
    this.routed.authorityEnd = at;
    this.originStart = at;
    return true;
  }

  #finishRequest(bytes: Uint8Array): number {
    const routed = this.routed;
    routed.headerCount = this.headerCount;
    // What follows a CONNECT is the tunnel's; someone else could take it for a body (RFC 9110 9.3.6).
    if (this.isConnect && (this.isChunked || this.contentLength > 0)) return BAD_FRAMING;
    if (this.hostHeader < 0) {
      if (this.minorVersion > 0) return BAD_HOST;
    } else {
      const start = this.headers[4 * this.hostHeader + 2];
      const end = this.headers[4 * this.hostHeader + 3];
      if (!isAuthority(bytes, start, end)) return BAD_HOST;
      if (!this.isAbsolute && !this.isConnect) {
        routed.authorityStart = start;
        routed.authorityEnd = end;
      }
    }
    return COMPLETE;
  }

  protected override note(bytes: Uint8Array, index: number, nameLength: number): number {
    switch (nameLength) {
      case 2:
        return this.isNamed(bytes, index, "te") ? this.#noteTe(bytes, index) : COMPLETE;
      case 4:
        if (this.isNamed(bytes, index, "host")) {
          if (this.hostHeader >= 0) return BAD_HOST;
          this.hostHeader = index;
        }
        return COMPLETE;
      case 6:
        return this.isNamed(bytes, index, "expect") ? this.#noteExpect(bytes, index) : COMPLETE;
      case 11:
        return this.isNamed(bytes, index, "x-weft-hops") ? this.#noteHops(bytes, index) : COMPLETE;
      case 12:
        if (this.isNamed(bytes, index, "grpc-timeout")) this.grpcTimeoutHeader = index;
        return this.isNamed(bytes, index, "max-forwards")
          ? this.#noteForwards(bytes, index)
          : COMPLETE;
      case 14:
        // Meant for this hop, whatever becomes of it (RFC 7540 3.2.1).
        if (this.isNamed(bytes, index, "http2-settings")) {
          return this.drop(index) ? COMPLETE : TOO_MANY_HEADERS;
        }
        return super.note(bytes, index, nameLength);
      case 15:
        if (this.isNamed(bytes, index, "x-forwarded-for")) {
          // Only the last is extended; earlier ones go before it unchanged.
          this.forwardedForHeader = index;
        }
        return COMPLETE;
      case 17:
        if (this.isNamed(bytes, index, "x-forwarded-proto")) {
          this.forwardedProtoHeader = index;
          return COMPLETE;
        }
        return super.note(bytes, index, nameLength);
      case 19:
        // Meant for this hop; credentials do not go further (RFC 9110 11.7.2).
        if (this.isNamed(bytes, index, "proxy-authorization") && !this.drop(index)) {
          return TOO_MANY_HEADERS;
        }
        return COMPLETE;
      default:
        return super.note(bytes, index, nameLength);
    }
  }

  /** `TE` is for this hop only; what it says of trailers is said anew to the next (RFC 9110 10.1.4). */
  #noteTe(bytes: Uint8Array, index: number): number {
    const end = this.headers[4 * index + 3];
    for (let at = this.headers[4 * index + 2]; at <= end;) {
      at = this.readElement(bytes, at, end);
      if (this.minorVersion > 0 && this.isElement(bytes, "trailers")) this.takesTrailers = true;
    }
    return this.drop(index) ? COMPLETE : TOO_MANY_HEADERS;
  }

  #noteExpect(bytes: Uint8Array, index: number): number {
    const end = this.headers[4 * index + 3];
    for (let at = this.headers[4 * index + 2]; at <= end;) {
      at = this.readElement(bytes, at, end);
      if (!this.isElement(bytes, "100-continue")) return UNKNOWN_EXPECTATION;
    }
    this.expectsContinue = true;
    return COMPLETE;
  }

  /** The count is set anew for the next hop. Of several the largest counts: an application may have added to one. */
  #noteHops(bytes: Uint8Array, index: number): number {
    const end = this.headers[4 * index + 3];
    for (let at = this.headers[4 * index + 2]; at <= end;) {
      at = this.readElement(bytes, at, end);
      const hops = numberOf(bytes, this.elementStart, this.elementEnd);
      this.hops = Math.min(Math.max(this.hops, hops), 2 * HOPS_MAX + 2);
    }
    return this.drop(index) ? COMPLETE : TOO_MANY_HEADERS;
  }

  /** Only OPTIONS and TRACE have a use for it, and for others it need not even be well-formed (RFC 9110 7.6.2). */
  #noteForwards(bytes: Uint8Array, index: number): number {
    const { method } = this.routed;
    if (method !== OPTIONS && method !== TRACE) return COMPLETE;
    const value = numberOf(bytes, this.headers[4 * index + 2], this.headers[4 * index + 3]);
    if (value < 0 || this.forwardsLeft >= 0) return BAD_HEADER;
    this.forwardsLeft = Math.min(value, FORWARDS_MAX);
    return COMPLETE;
  }
}

const HTTP = [72, 84, 84, 80, SLASH];

/** Whether the bytes can be the beginning of `HTTP/`. */
function versionSoFar(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = 0; i < HTTP.length && start + i < end; i++) {
    if (bytes[start + i] !== HTTP[i]) return false;
  }
  return true;
}

/** Whether the bytes are a `host[:port]`, as far as single bytes tell. */
export function isAuthority(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (IS_AUTHORITY[bytes[i]] === 0) return false;
  return true;
}

/** Whether an authority ends in a port that is not empty. */
export function hasPort(bytes: Uint8Array, start: number, end: number): boolean {
  let at = end;
  while (at > start && bytes[at - 1] >= 48 && bytes[at - 1] <= 57) at--;
  return at < end && at - 1 > start && bytes[at - 1] === COLON;
}

/** The method's id; METHOD_OTHER for one that no rule can name. Methods are case-sensitive. */
export function methodOf(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  for (let id = 1; id <= METHODS.length; id++) {
    const name = METHODS[id - 1];
    if (name.length !== length || name.charCodeAt(0) !== bytes[start]) continue;
    let at = 1;
    while (at < length && name.charCodeAt(at) === bytes[start + at]) at++;
    if (at === length) return id;
  }
  return METHOD_OTHER;
}
