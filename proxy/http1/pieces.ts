/** Pieces: a head in the making, as pieces of the arena that one gathered write sends without copying. */
import type { Head } from "../protocol/http1/head.ts";
import type { PeerTexts, Piece, Texts } from "../loop/arena.ts";
import type { Request } from "../protocol/http1/request.ts";
import type { Response } from "../protocol/http1/response.ts";

const QUESTION = 63;
/** 40 dropped headers cut a head into 41 pieces, and the lines that are rewritten add 12. */
const PIECES_MAX = 56;

export class Pieces {
  readonly offsets = new Int32Array(PIECES_MAX);
  readonly lengths = new Int32Array(PIECES_MAX);
  count = 0;
  /** Sum of the lengths. */
  bytes = 0;

  clear(): void {
    this.count = 0;
    this.bytes = 0;
  }

  add(offset: number, length: number): void {
    if (length === 0) return;
    this.offsets[this.count] = offset;
    this.lengths[this.count] = length;
    this.count++;
    this.bytes += length;
  }

  addText(piece: Piece): void {
    this.add(piece.offset, piece.length);
  }

  /** All pieces of `bytes` as text of its own. */
  join(bytes: Uint8Array): Uint8Array {
    const text = new Uint8Array(this.bytes);
    let at = 0;
    for (let i = 0; i < this.count; i++) {
      text.set(bytes.subarray(this.offsets[i], this.offsets[i] + this.lengths[i]), at);
      at += this.lengths[i];
    }
    return text;
  }

  /** Adds the lines from `from` to the empty line, without it and without dropped headers, and then the added ones. */
  #addLines(head: Head, from: number): void {
    let at = from;
    for (let i = 0; i < head.droppedCount; i++) {
      const index = head.dropped[i];
      this.add(at, head.headers[4 * index] - at);
      at = head.lineEnd(index);
    }
    this.add(at, head.headersEnd - at);
    this.add(head.addedStart, head.addedEnd - head.addedStart);
  }

  /**
   * The head that goes upstream: origin form, HTTP/1.1, the target's authority as Host (RFC 9112 3.2.2), no
   * hop-by-hop headers, and the client named in `x-forwarded-for`. False: too many headers are dropped.
   */
  setRequest(bytes: Uint8Array, request: Request, texts: Texts, peer: PeerTexts): boolean {
    this.clear();
    const isUpgrade = request.wantsUpgrade(bytes);
    if (!isUpgrade && !dropUpgrades(bytes, request)) return false;
    let forwardedFor = request.forwardedForHeader;
    if (forwardedFor >= 0 && !request.drop(forwardedFor)) return false;
    if (isEmpty(request, forwardedFor)) forwardedFor = -1;
    if (request.isAbsolute || request.minorVersion !== 1) {
      if (!this.#rewriteRequestLine(bytes, request, texts)) return false;
    } else this.#addLines(request, request.start);
    if (isUpgrade) this.addText(texts.upgrade);
    // A tunnel has no trailers, and some servers take no second word beside `upgrade`.
    else if (request.takesTrailers) this.addText(texts.te);
    if (forwardedFor < 0 && request.forwardedProtoHeader < 0) {
      this.addText(peer.all);
      return true;
    }
    if (forwardedFor < 0) this.addText(peer.forwardedFor);
    else {
      this.addText(texts.forwardedFor);
      const start = request.headers[4 * forwardedFor + 2];
      this.add(start, request.headers[4 * forwardedFor + 3] - start);
      this.addText(peer.appended);
    }
    if (request.forwardedProtoHeader < 0) this.addText(peer.forwardedProto);
    this.addText(texts.lineEnd);
    return true;
  }

  #rewriteRequestLine(bytes: Uint8Array, request: Request, texts: Texts): boolean {
    const routed = request.routed;
    this.add(routed.methodStart, routed.methodEnd + 1 - routed.methodStart);
    if (request.isServerWide) this.addText(texts.asterisk);
    else if (request.originStart === request.originEnd || bytes[request.originStart] === QUESTION) {
      this.addText(texts.slash);
    }
    this.add(request.originStart, request.originEnd - request.originStart);
    this.addText(texts.versionLine);
    if (request.isAbsolute && !this.#hasSameHost(bytes, request)) {
      if (request.hostHeader >= 0 && !request.drop(request.hostHeader)) return false;
      this.addText(texts.host);
      this.add(routed.authorityStart, routed.authorityEnd - routed.authorityStart);
      this.addText(texts.lineEnd);
    } else if (request.hostHeader < 0) this.addText(texts.emptyHost);
    this.#addLines(request, request.headersStart);
    return true;
  }

  #hasSameHost(bytes: Uint8Array, request: Request): boolean {
    if (request.hostHeader < 0) return false;
    const { authorityStart, authorityEnd } = request.routed;
    const hostStart = request.headers[4 * request.hostHeader + 2];
    const length = authorityEnd - authorityStart;
    if (request.headers[4 * request.hostHeader + 3] - hostStart !== length) return false;
    for (let i = 0; i < length; i++) {
      if (bytes[hostStart + i] !== bytes[authorityStart + i]) return false;
    }
    return true;
  }

  /**
   * The head that goes to the client. `connection` is the line that says what becomes of the connection;
   * `isChunked`: the body is framed here, and the head has to say so.
   */
  setResponse(
    response: Response,
    texts: Texts,
    connection: Piece | null,
    isChunked = false,
  ): void {
    this.clear();
    if (response.minorVersion !== 1) {
      this.addText(texts.version);
      this.#addLines(response, response.start + texts.version.length);
    } else this.#addLines(response, response.start);
    if (isChunked) this.addText(texts.chunked);
    if (connection !== null) this.addText(connection);
    this.addText(texts.lineEnd);
  }
}

/** Whether a header is there, but says nothing. */
function isEmpty(head: Head, index: number): boolean {
  return index >= 0 && head.headers[4 * index + 2] === head.headers[4 * index + 3];
}

/** Drops every `Upgrade`: it is for this hop, and goes on only where it is taken up. */
export function dropUpgrades(bytes: Uint8Array, head: Head): boolean {
  return head.upgradeCount === 0 || head.dropNamed(bytes, "upgrade");
}
