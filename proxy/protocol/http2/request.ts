/** What a valid request is (RFC 9113 8.3.1, RFC 8441 4), and what routing and relaying see of it. */
import { CONNECT, METHODS, RequestHead } from "../../../routing/request.ts";
import { IS_TARGET_LIKE, IS_TOKEN } from "../http1/lexical.ts";
import { hasPort, isAuthority, methodOf } from "../http1/request.ts";
import { MALFORMED } from "./hpack/field_list.ts";
import type { FieldList } from "./hpack/field_list.ts";
import {
  NAME_AUTHORITY,
  NAME_CONTENT_LENGTH,
  NAME_COOKIE,
  NAME_EXPECT,
  NAME_HOST,
  NAME_METHOD,
  NAME_PATH,
  NAME_PROTOCOL,
  NAME_SCHEME,
} from "./hpack/names.ts";
import { NAME_OFFSETS } from "./hpack/static_table.ts";
import {
  isPseudo,
  MALFORMED_MESSAGE,
  mayStand,
  Message,
  TOO_LARGE_MESSAGE,
  VALID,
} from "./message.ts";
import { HEADERS_MAX } from "../../../routing/limits.ts";

const SLASH = 47;
const QUESTION = 63;
const ASTERISK = 42;
const SEMICOLON_SPACE = "; ";
const OPTIONS = METHODS.indexOf("OPTIONS") + 1;
const HEAD = METHODS.indexOf("HEAD") + 1;

/** A request; all offsets are into the arena, and hold until the next head is received. */
export class Http2Request extends Message {
  /** What routing sees. Its headers are the regular ones, and `host` first, also where only `:authority` came. */
  readonly routed: RequestHead;
  /** Path and query. Empty for CONNECT, except an extended one. */
  originStart = 0;
  originEnd = 0;
  schemeStart = 0;
  schemeEnd = 0;
  /** `:protocol` of an extended CONNECT; empty otherwise. */
  protocolStart = 0;
  protocolEnd = 0;
  expectsContinue = false;
  /** Index in `headers`, or -1. */
  hostHeader = -1;

  readonly #pseudo = new Int32Array(16);
  #cookieCount = 0;

  constructor() {
    const routed = new RequestHead(HEADERS_MAX);
    super(routed.headers);
    this.routed = routed;
  }

  get isConnect(): boolean {
    return this.routed.method === CONNECT;
  }

  /** CONNECT that asks for a protocol, such as `websocket`. */
  get isExtendedConnect(): boolean {
    return this.protocolEnd > this.protocolStart;
  }

  get isHead(): boolean {
    return this.routed.method === HEAD;
  }

  /**
   * Reads a list: `VALID`, `MALFORMED_MESSAGE` or `TOO_LARGE_MESSAGE`.
   * `takesProtocol`: SETTINGS_ENABLE_CONNECT_PROTOCOL was sent.
   */
  read(list: FieldList, isEnd: boolean, takesProtocol: boolean): number {
    this.#pseudo.fill(-1);
    const regular = this.#readPseudo(list);
    if (regular < 0) return MALFORMED_MESSAGE;
    this.routed.bytes = list.bytes;
    if (!this.#readTarget(list, takesProtocol)) return MALFORMED_MESSAGE;
    const result = this.#readHeaders(list, regular);
    if (result !== VALID) return result;
    const { routed } = this;
    // Nothing says whom it is for; HTTP/1.1 answers 400.
    if (routed.authorityStart === routed.authorityEnd) return MALFORMED_MESSAGE;
    if (isEnd && this.contentLength > 0) return MALFORMED_MESSAGE;
    // What follows is the tunnel's; someone else could take it for a body (RFC 9110 9.3.6).
    if (this.isConnect && this.contentLength >= 0) return MALFORMED_MESSAGE;
    if (this.#cookieCount > 1 && !this.#joinCookies(list)) return TOO_LARGE_MESSAGE;
    routed.headerCount = this.headerCount;
    return VALID;
  }

  /** Notes the pseudo-headers; returns the index of the first regular field, or -1. */
  #readPseudo(list: FieldList): number {
    let index = 0;
    for (; index < list.count && isPseudo(list.names[index]); index++) {
      const slot = pseudoSlot(list.names[index]);
      if (slot < 0 || this.#pseudo[slot] >= 0) return -1;
      if ((list.flags[index] & MALFORMED) !== 0) return -1;
      this.#pseudo[slot] = list.offsets[4 * index + 2];
      this.#pseudo[slot + 1] = list.offsets[4 * index + 3];
    }
    return index;
  }

  #readTarget(list: FieldList, takesProtocol: boolean): boolean {
    const { bytes } = list;
    const { routed } = this;
    const pseudo = this.#pseudo;
    const hasScheme = pseudo[SCHEME] >= 0;
    const hasPath = pseudo[PATH] >= 0;
    const hasProtocol = pseudo[PROTOCOL] >= 0;
    routed.methodStart = pseudo[METHOD];
    routed.methodEnd = pseudo[METHOD + 1];
    if (!isToken(bytes, routed.methodStart, routed.methodEnd)) return false;
    routed.method = methodOf(bytes, routed.methodStart, routed.methodEnd);
    routed.authorityStart = Math.max(0, pseudo[AUTHORITY]);
    routed.authorityEnd = Math.max(0, pseudo[AUTHORITY + 1]);
    if (!isAuthority(bytes, routed.authorityStart, routed.authorityEnd)) return false;
    this.schemeStart = Math.max(0, pseudo[SCHEME]);
    this.schemeEnd = Math.max(0, pseudo[SCHEME + 1]);
    this.originStart = Math.max(0, pseudo[PATH]);
    this.originEnd = Math.max(0, pseudo[PATH + 1]);
    this.protocolStart = Math.max(0, pseudo[PROTOCOL]);
    this.protocolEnd = Math.max(0, pseudo[PROTOCOL + 1]);
    routed.pathStart = this.originStart;
    routed.pathEnd = this.originStart;
    routed.queryStart = this.originStart;
    routed.queryEnd = this.originStart;
    if (hasProtocol) {
      if (!takesProtocol || routed.method !== CONNECT) return false;
      if (!isToken(bytes, this.protocolStart, this.protocolEnd)) return false;
    } else if (routed.method === CONNECT) {
      // Only the authority says where to, with its port (RFC 9113 8.5).
      const { authorityStart, authorityEnd } = routed;
      return !hasScheme && !hasPath && hasPort(bytes, authorityStart, authorityEnd);
    }
    if (!hasScheme || !isScheme(bytes, this.schemeStart, this.schemeEnd)) return false;
    return hasPath && this.#readPath(bytes);
  }

  #readPath(bytes: Uint8Array): boolean {
    const { routed, originStart, originEnd } = this;
    const isServerWide = originEnd - originStart === 1 && bytes[originStart] === ASTERISK &&
      routed.method === OPTIONS;
    if (originStart === originEnd || (bytes[originStart] !== SLASH && !isServerWide)) return false;
    let query = originEnd;
    for (let at = originEnd - 1; at >= originStart; at--) {
      if (IS_TARGET_LIKE[bytes[at]] === 0) return false;
      if (bytes[at] === QUESTION) query = at;
    }
    routed.pathEnd = query;
    routed.queryStart = Math.min(query + 1, originEnd);
    routed.queryEnd = originEnd;
    return true;
  }

  #readHeaders(list: FieldList, regular: number): number {
    this.headerCount = 0;
    this.contentLength = -1;
    this.expectsContinue = false;
    this.hostHeader = -1;
    this.#cookieCount = 0;
    if (this.#pseudo[AUTHORITY] >= 0) this.#addHost(list);
    for (let index = regular; index < list.count; index++) {
      const name = list.names[index];
      if (isPseudo(name) || !mayStand(list, index)) return MALFORMED_MESSAGE;
      switch (name) {
        case NAME_HOST: {
          const isFirst = this.hostHeader < 0;
          if (!this.#noteHost(list, index)) return MALFORMED_MESSAGE;
          if (!isFirst) continue;
          break;
        }
        case NAME_CONTENT_LENGTH:
          if (!this.noteLength(list, index)) return MALFORMED_MESSAGE;
          break;
        case NAME_COOKIE:
          this.#cookieCount++;
          break;
        case NAME_EXPECT:
          this.expectsContinue = true;
          break;
      }
      if (!this.take(list, index)) return TOO_LARGE_MESSAGE;
    }
    return VALID;
  }

  /** `:authority` as a `host` header: rules for that header, and HTTP/1.1, know no other. */
  #addHost(list: FieldList): void {
    this.headers[0] = list.areaStart + NAME_OFFSETS[2 * NAME_HOST];
    this.headers[1] = list.areaStart + NAME_OFFSETS[2 * NAME_HOST + 1];
    this.headers[2] = this.routed.authorityStart;
    this.headers[3] = this.routed.authorityEnd;
    this.names[0] = NAME_HOST;
    this.flags[0] = 0;
    this.hostHeader = 0;
    this.headerCount = 1;
  }

  /** False: it is no authority, or another than was named before (RFC 9113 8.3.1). */
  #noteHost(list: FieldList, index: number): boolean {
    const { bytes } = list;
    const start = list.offsets[4 * index + 2];
    const end = list.offsets[4 * index + 3];
    const { routed } = this;
    if (!isAuthority(bytes, start, end)) return false;
    if (this.hostHeader >= 0) {
      return isSame(bytes, start, end, routed.authorityStart, routed.authorityEnd);
    }
    this.hostHeader = this.headerCount;
    routed.authorityStart = start;
    routed.authorityEnd = end;
    return true;
  }

  /**
   * Cookies may come one by one, for the sake of compression; anyone else expects them in one header (RFC 9113 8.2.3).
   * False: there is no room for it.
   */
  #joinCookies(list: FieldList): boolean {
    const start = list.textEnd;
    let kept = 0;
    let first = -1;
    for (let index = 0; index < this.headerCount; index++) {
      if (this.names[index] !== NAME_COOKIE) {
        this.#move(index, kept++);
        continue;
      }
      const valueStart = this.headers[4 * index + 2];
      const length = this.headers[4 * index + 3] - valueStart;
      if (first >= 0 && list.writeText(SEMICOLON_SPACE) < 0) return false;
      if (list.textEnd + length > list.areaEnd) return false;
      list.bytes.copyWithin(list.textEnd, valueStart, valueStart + length);
      list.textEnd += length;
      if (first >= 0) continue;
      first = kept;
      this.#move(index, kept++);
    }
    this.headers[4 * first + 2] = start;
    this.headers[4 * first + 3] = list.textEnd;
    this.headerCount = kept;
    return true;
  }

  #move(from: number, to: number): void {
    if (from === to) return;
    this.headers.copyWithin(4 * to, 4 * from, 4 * from + 4);
    this.names[to] = this.names[from];
    this.flags[to] = this.flags[from];
  }
}

/** Places of the pseudo-headers' values in `#pseudo`: start and end; -1 where there is none. */
const METHOD = 0;
const SCHEME = 2;
const AUTHORITY = 4;
const PATH = 6;
const PROTOCOL = 8;

function pseudoSlot(name: number): number {
  switch (name) {
    case NAME_METHOD:
      return METHOD;
    case NAME_SCHEME:
      return SCHEME;
    case NAME_AUTHORITY:
      return AUTHORITY;
    case NAME_PATH:
      return PATH;
    case NAME_PROTOCOL:
      return PROTOCOL;
    default:
      return -1;
  }
}

function isToken(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (IS_TOKEN[bytes[at]] === 0) return false;
  return start >= 0 && end > start;
}

/** A scheme (RFC 3986 3.1) is a token without most of its marks. */
function isScheme(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const lower = bytes[at] | 0x20;
    const isLetter = lower >= 97 && lower <= 122;
    const isOther = (bytes[at] >= 48 && bytes[at] <= 57) || (bytes[at] >= 43 && bytes[at] <= 46);
    if (!isLetter && (at === start || !isOther || bytes[at] === 44)) return false;
  }
  return end > start;
}

/** Whether two authorities are the same, letters in any case. */
function isSame(
  bytes: Uint8Array,
  start: number,
  end: number,
  otherStart: number,
  otherEnd: number,
): boolean {
  if (end - start !== otherEnd - otherStart) return false;
  for (let i = 0; i < end - start; i++) {
    const one = bytes[start + i];
    const other = bytes[otherStart + i];
    if (one !== other && (!isLetter(one) || (one | 0x20) !== (other | 0x20))) return false;
  }
  return true;
}

function isLetter(byte: number): boolean {
  const lower = byte | 0x20;
  return lower >= 97 && lower <= 122;
}
