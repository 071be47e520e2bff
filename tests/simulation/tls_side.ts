/**
 * TlsSide: a simulated connection with simulated TLS on it: a handshake, records that are unlike any plain byte, and an
 * end that is either meant (close_notify) or cut off. Both ends of a connection have one; neither knows any cipher.
 */
import type { TlsContext, TlsFailure, TlsInfo, TlsSettings } from "../../proxy/io/tls.ts";
import { concatenate } from "./exchange.ts";
import { Side } from "./network.ts";
import type { Network } from "./network.ts";

/** What comes of a handshake at one end that does not mean well. */
export type HandshakeFault = "none" | "silent" | "alert" | "identity" | "plaintext" | "close";

export interface TlsEnd {
  readonly isServer: boolean;
  /** Protocols by preference; empty: none. */
  readonly alpn: readonly string[];
  /** The URI of the own certificate, and those of which the other must have one; empty: any. */
  readonly uri: string;
  readonly trusted: readonly string[];
  readonly fault: HandshakeFault;
}

/** What one end says first. */
interface Hello {
  readonly alpn: readonly string[];
  readonly uri: string;
}

/** Types of records; every other first byte is no record. */
const HELLO = 0xf1;
const DATA = 0xf2;
const CLOSE_NOTIFY = 0xf3;
const ALERT = 0xf4;
/** Plain bytes never look like this. */
const MASK = 0xa5;
const HEADER_BYTES = 3;
const RECORD_BYTES_MAX = 4_096;
/** Read ahead of the reader of the plain bytes. */
const PLAIN_BYTES_MAX = 16_384;

/** The certificates of one role, made ready. */
export class SimulatedTls implements TlsContext {
  settings: TlsSettings;

  constructor(settings: TlsSettings) {
    this.settings = settings;
  }

  prepare(settings: TlsSettings) {
    return { use: () => void (this.settings = settings), drop() {} };
  }

  close(): void {}
}

export class TlsSide extends Side {
  /** The handshake is done; `info` says what came of it. */
  isSecured = false;
  info: TlsInfo | null = null;
  /** There is no TLS with the other end, and why. */
  failure: TlsFailure | null = null;
  readonly #network: Network;
  readonly #inner: Side;
  readonly #end: TlsEnd;
  #out: Uint8Array[] = [];
  #in: Uint8Array = new Uint8Array();
  #plain: Uint8Array = new Uint8Array();
  #isClosing = false;
  #hasBegun = false;

  constructor(network: Network, inner: Side, end: TlsEnd) {
    super(network);
    this.#network = network;
    this.#inner = inner;
    this.#end = end;
    inner.onChange = () => this.#pump();
  }

  /** Begins, once its owner listens. */
  start(): void {
    this.#pump();
  }

  override get room(): number {
    if (!this.isSecured || this.#out.length > 0) return 0;
    return Math.max(0, Math.min(this.#inner.room - HEADER_BYTES, RECORD_BYTES_MAX));
  }

  override get isClear(): boolean {
    return this.#out.length === 0 && this.#inner.isClear;
  }

  override get isQuiet(): boolean {
    return this.unread === 0 && this.#in.length === 0 && this.#inner.isQuiet;
  }

  override send(bytes: Uint8Array): void {
    this.#say(DATA, bytes);
    this.#flush();
  }

  override sendEnd(): void {
    if (this.hasSentEnd || this.isReset) return;
    this.hasSentEnd = true;
    this.#say(CLOSE_NOTIFY, new Uint8Array());
    this.#flush();
  }

  override peek(target: Uint8Array, offset: number, max: number): number {
    const part = this.#plain.subarray(0, max);
    target.set(part, offset);
    return part.length;
  }

  override read(target: Uint8Array, offset: number, max: number): number {
    const count = this.peek(target, offset, max);
    this.#plain = this.#plain.subarray(count);
    this.unread = this.#plain.length;
    this.#network.soon(() => this.#pump());
    return count;
  }

  override close(): void {
    if (this.isClosed) return;
    const isUnread = this.unread > 0;
    if (!isUnread) this.sendEnd();
    this.isClosed = true;
    this.#isClosing = true;
    if (isUnread) this.#inner.reset();
    else this.#flush();
  }

  override reset(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#inner.reset();
  }

  /** Closes without a word, as an attacker in between does. */
  truncate(): void {
    this.isClosed = true;
    this.#out = [];
    this.#inner.close();
  }

  #say(type: number, payload: Uint8Array): void {
    const { length } = payload;
    const header = Uint8Array.of(type, length >> 8, length);
    this.#out.push(concatenate([header, payload.map((byte) => byte ^ MASK)]));
  }

  #flush(): void {
    const inner = this.#inner;
    while (this.#out.length > 0 && !inner.isReset && !inner.isClosed && inner.isEstablished) {
      const room = inner.room;
      if (room === 0) return;
      const bytes = this.#out[0];
      inner.send(bytes.subarray(0, room));
      if (bytes.length > room) this.#out[0] = bytes.subarray(room);
      else this.#out.shift();
    }
    if (this.#isClosing && this.#out.length === 0) inner.close();
  }

  /** Takes what has come, and tells the owner. */
  #pump(): void {
    const inner = this.#inner;
    if (inner.isEstablished && !this.#hasBegun) this.#begin();
    this.#flush();
    if (this.isClosed) return;
    const scratch = new Uint8Array(RECORD_BYTES_MAX);
    while (inner.unread > 0 && this.#plain.length < PLAIN_BYTES_MAX && !this.isReset) {
      const count = inner.read(scratch, 0, scratch.length);
      this.#in = concatenate([this.#in, scratch.subarray(0, count)]);
      this.#takeRecords();
      if (this.isClosed) return;
    }
    this.#flush();
    if (inner.isReset && inner.unread === 0) this.#fail("tls-closed");
    // An end that was not announced is no end.
    if (inner.hasEnded && inner.unread === 0 && !this.hasEnded) this.#fail("tls-closed");
    this.onChange();
  }

  #begin(): void {
    this.#hasBegun = true;
    if (!this.#end.isServer) this.#greet(this.#end.alpn);
  }

  #greet(alpn: readonly string[]): void {
    const { fault, uri } = this.#end;
    switch (fault) {
      case "silent":
        return;
      case "alert":
        return this.#say(ALERT, new Uint8Array());
      case "plaintext":
        this.#out.push(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
        return;
      case "close":
        this.#inner.close();
        return this.#fail("tls-closed");
      case "identity":
      case "none": {
        const hello: Hello = { alpn, uri: fault === "identity" ? "spiffe://sim/other" : uri };
        this.#say(HELLO, new TextEncoder().encode(JSON.stringify(hello)));
      }
    }
  }

  #takeRecords(): void {
    while (this.#in.length > 0 && !this.isReset) {
      const [type, high, low] = this.#in;
      if (type < HELLO || type > ALERT) return this.#fail("tls-plaintext");
      if (this.#in.length < HEADER_BYTES) return;
      const end = HEADER_BYTES + high * 256 + low;
      if (this.#in.length < end) return;
      const payload = this.#in.slice(HEADER_BYTES, end).map((byte) => byte ^ MASK);
      this.#in = this.#in.subarray(end);
      this.#take(type, payload);
    }
  }

  #take(type: number, payload: Uint8Array): void {
    switch (type) {
      case HELLO:
        return this.#takeHello(JSON.parse(new TextDecoder().decode(payload)));
      case DATA:
        if (!this.isSecured) return this.#fail("tls-protocol");
        this.#plain = concatenate([this.#plain, payload]);
        this.unread = this.#plain.length;
        return;
      case CLOSE_NOTIFY:
        if (!this.isSecured) return this.#fail("tls-closed");
        this.hasEnded = true;
        return;
      case ALERT:
        return this.#fail("tls-alert");
    }
  }

  #takeHello(hello: Hello): void {
    const { isServer, alpn, trusted } = this.#end;
    if (trusted.length > 0 && !trusted.includes(hello.uri)) {
      this.#say(ALERT, new Uint8Array());
      this.#flush();
      return this.#fail("tls-identity");
    }
    const chosen = isServer ? alpn.find((one) => hello.alpn.includes(one)) : hello.alpn[0];
    if (isServer) this.#greet(chosen === undefined ? [] : [chosen]);
    if (this.#end.fault !== "none") return;
    this.isSecured = true;
    this.isEstablished = true;
    this.info = {
      alpn: chosen ?? "",
      serverName: "",
      peerUriSan: hello.uri,
      peerUriCount: 1,
      version: "TLSv1.3",
      cipher: "simulated",
      isResumed: false,
    };
  }

  #fail(code: TlsFailure["code"]): void {
    if (this.isReset) return;
    this.isReset = true;
    if (!this.isSecured) this.failure ??= { code, detail: "simulated" };
  }
}
