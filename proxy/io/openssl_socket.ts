/**
 * OpensslSocket: TLS on one descriptor of the native driver. It stands between the loop and the connection's own
 * handler: it makes the handshake, and then turns what OpenSSL wants into what the loop watches and the other way round.
 *
 * A record that the kernel takes only in part counts as written and is finished by itself, as the kernel's own buffer
 * would be: OpenSSL has encrypted it, and its bytes could not be taken back. A stream that ends without the peer saying
 * so (close_notify) is broken, never ended: an attacker who cuts a connection could cut a message (RFC 8446 6.1).
 *
 * An idle connection has no buffers between records. What it holds is OpenSSL's (3.0.19): 13.9 KB, of which its SSL is 7.4, the two AES-GCM
 * contexts 1.9 and the session 0.9; nothing that its interface could let go of is left. A verified client's certificate is 5 KB
 * more. With ours it comes to 16.0 KB, nginx's to 14.5 (`deno task bench --workload tls-idle`).
 */
import { BUFFER_BYTES, TLS_QUIET_BYTES_MAX } from "../limits.ts";
import { AGAIN, BROKEN, END } from "./io.ts";
import type { Fd, Handler } from "./io.ts";
import * as lib from "./libc_openssl.ts";
import type { Openssl, Pointer } from "./libc_openssl.ts";
import type { OpensslContext } from "./openssl_context.ts";
import { failureOf, isOfExpired, peerUris } from "./openssl_peer.ts";
import type { TlsFailure, TlsInfo, TlsTarget } from "./tls.ts";

/**
 * `connecting`: not yet established. `handshake`. `open`: bytes go both ways. `closing`: the handler is done, the last
 * record is not. `broken`.
 */
type Phase = "connecting" | "handshake" | "open" | "closing" | "broken";

/** The longest plaintext of a record (RFC 8446 5.1). It fits a buffer, so one buffer becomes one record. */
const RECORD_BYTES = BUFFER_BYTES;
/** Reads without data after which what is received is counted. */
const QUIET_READS = 16;

/** What the connections of one loop share. */
export interface SocketTransport {
  readonly openssl: Openssl;
  /** Address of the staging room. */
  readonly staging: Pointer;
  /** False: this turn has made as many handshakes as it may. */
  mayHandshake(): boolean;
  handshakeEnded(socket: OpensslSocket): void;
  /** The connection is closed but for the record under way, which has a while to go out. */
  linger(socket: OpensslSocket): void;
  /** The connection has bytes to read that no event will tell of. */
  enqueue(socket: OpensslSocket): void;
  /** Puts the gathered pieces from `skip` on into the staging room: how many bytes, at most `length`. */
  stage(skip: number, length: number): number;
  /** Moves what was read to where it is wanted. */
  unstage(offset: number, length: number): void;
  /** What the kernel is to tell of a descriptor. */
  watch(fd: Fd, readable: boolean, writable: boolean): void;
  /** Closes a descriptor for good. */
  release(fd: Fd): void;
}

export class OpensslSocket implements Handler {
  readonly fd: Fd;
  /** When the handshake, or the last record, must be done. */
  deadlineMs: number;

  readonly #transport: SocketTransport;
  readonly #c: Openssl;
  readonly #context: OpensslContext;
  readonly #target: TlsTarget | null;
  readonly #ssl: Pointer;
  #handler: Handler;
  #phase: Phase;
  /** What the handler wants to be told. */
  #wantsRead = true;
  #wantsWrite: boolean;
  /** Reading goes on once something can be written. */
  #readNeedsOut = false;
  /** Decrypted, or at least received, and not read: the kernel knows nothing of it. */
  #hasPending = false;
  isQueued = false;
  /** Reads in a row that brought no data, and how many bytes had been received when they were too many to be usual. */
  #quietReads = 0;
  #quietFrom = 0;
  /** Bytes of the record that the kernel has not taken all of. */
  #held = 0;
  #recordBytes = RECORD_BYTES;
  /** The end of what is sent: not said, to be said after what is held, said. */
  #closing: "no" | "due" | "told" = "no";
  #wantsSession: boolean;

  constructor(
    transport: SocketTransport,
    fd: Fd,
    handler: Handler,
    context: OpensslContext,
    target: TlsTarget | null,
    deadlineMs: number,
  ) {
    this.#transport = transport;
    this.#c = transport.openssl;
    this.fd = fd;
    this.#handler = handler;
    this.#context = context;
    this.#target = target;
    this.deadlineMs = deadlineMs;
    this.#ssl = context.open(target);
    this.#c.SSL_set_fd(this.#ssl, fd);
    const isClient = context.role === "client";
    // A socket that connects is told first that it can write.
    this.#wantsWrite = isClient;
    this.#wantsSession = isClient;
    this.#phase = isClient ? "connecting" : "handshake";
    transport.watch(fd, !isClient, isClient);
  }

  // The loop's events.

  onReadable(): void {
    if (this.#phase === "open") this.#handler.onReadable();
    else if (this.#phase === "handshake") this.#handshake();
  }

  onWritable(): void {
    switch (this.#phase) {
      case "connecting":
        this.#phase = "handshake";
        return this.#handshake();
      case "handshake":
        return this.#handshake();
      case "open":
        return this.#writable();
      case "closing":
        if (this.#finishWriting()) this.#release();
        return;
      case "broken":
        return;
    }
  }

  onHangup(): void {
    switch (this.#phase) {
      case "connecting":
        this.#phase = "broken";
        this.#transport.handshakeEnded(this);
        return this.#handler.onHangup();
      case "handshake":
        return this.#fail({ code: "tls-closed", detail: "Connection ended in the handshake" });
      case "open":
        this.#phase = "broken";
        return this.#handler.onHangup();
      case "closing":
        return this.#release();
      case "broken":
        return;
    }
  }

  onFault(error: unknown): void {
    this.#handler.onFault(error);
  }

  /** `deadlineMs` has come. */
  onDeadline(): void {
    if (this.#phase === "closing") return this.#release();
    this.#fail({ code: "tls-timeout", detail: "Handshake took too long" });
  }

  /** There are newer handshakes than may be under way. */
  onCrowdedOut(): void {
    this.#fail({ code: "tls-crowded", detail: "Too many handshakes at once" });
  }

  /** Its turn among those that the kernel does not know to have bytes. */
  deliverPending(): void {
    this.isQueued = false;
    if (!this.#hasPending || this.#phase !== "open" || !this.#wantsRead) return;
    this.#handler.onReadable();
    // As the kernel does, again and again for what is left.
    if (this.#hasPending) this.#transport.enqueue(this);
  }

  // What the handler asks for.

  wantRead(wanted: boolean): void {
    if (this.#wantsRead === wanted) return;
    this.#wantsRead = wanted;
    if (this.#phase !== "open") return;
    this.#watch();
    if (wanted && this.#hasPending) this.#transport.enqueue(this);
  }

  wantWrite(wanted: boolean): void {
    if (this.#wantsWrite === wanted) return;
    this.#wantsWrite = wanted;
    if (this.#phase === "open") this.#watch();
  }

  handOver(handler: Handler): void {
    this.#handler = handler;
    this.wantWrite(false);
    this.wantRead(true);
  }

  read(offset: number, length: number): number {
    if (this.#phase !== "open") return this.#phase === "broken" ? BROKEN : AGAIN;
    const { staging } = this.#transport;
    const count = this.#c.SSL_read(this.#ssl, staging, Math.min(length, RECORD_BYTES));
    if (count <= 0) return this.#readNothing(count);
    this.#quietReads = 0;
    this.#transport.unstage(offset, count);
    this.#setPending(this.#c.SSL_has_pending(this.#ssl) === 1);
    // Servers send tickets after the handshake, so the session is worth keeping only now.
    if (this.#wantsSession) this.#keepSession();
    return count;
  }

  peek(offset: number, length: number): number {
    if (this.#phase !== "open") return this.#phase === "broken" ? BROKEN : AGAIN;
    const { staging } = this.#transport;
    const count = this.#c.SSL_peek(this.#ssl, staging, Math.min(length, RECORD_BYTES));
    if (count <= 0) return this.#readNothing(count);
    this.#transport.unstage(offset, count);
    this.#setPending(true);
    return count;
  }

  /** Writes the gathered pieces, a record at a time. */
  write(): number {
    if (this.#phase !== "open") return this.#phase === "broken" ? BROKEN : AGAIN;
    if (this.#closing !== "no") return BROKEN;
    if (this.#held > 0 && !this.#flushHeld()) return this.#phase === "open" ? AGAIN : BROKEN;
    const transport = this.#transport;
    for (let total = 0;;) {
      const length = transport.stage(total, this.#recordBytes);
      if (length === 0) return total;
      const count = this.#c.SSL_write(this.#ssl, transport.staging, length);
      if (count > 0) {
        total += count;
        continue;
      }
      if (!this.#holds(count)) return BROKEN;
      this.#held = length;
      this.#watch();
      return total + length;
    }
  }

  /** Tells the peer that no more will come. The connection itself stays whole: TLS may still have to answer. */
  shutdown(): void {
    if (this.#phase !== "open" || this.#closing !== "no") return;
    this.#closing = "due";
    this.#finishWriting();
  }

  /** Says so, and lets go of the descriptor once all that was written is on its way. */
  close(): void {
    if (this.#phase === "open") {
      if (this.#closing === "no") this.#closing = "due";
      if (!this.#finishWriting() && this.#phase === "open") {
        this.#phase = "closing";
        this.#watch();
        return this.#transport.linger(this);
      }
    }
    this.#release();
  }

  /** Lets go of all that belongs to OpenSSL, without a word to the peer. */
  free(): void {
    this.#phase = "broken";
    this.#hasPending = false;
    this.#transport.handshakeEnded(this);
    this.#c.SSL_free(this.#ssl);
  }

  // The handshake.

  #handshake(): void {
    // Expensive ones take turns with the connections that exist; the event comes again.
    if (!this.#transport.mayHandshake()) return;
    const result = this.#c.SSL_do_handshake(this.#ssl);
    if (result === 1) return this.#onSecured();
    const error = this.#c.SSL_get_error(this.#ssl, result);
    if (error === lib.SSL_ERROR_WANT_READ) this.#transport.watch(this.fd, true, false);
    else if (error === lib.SSL_ERROR_WANT_WRITE) this.#transport.watch(this.fd, false, true);
    else this.#fail(failureOf(this.#c, this.#ssl));
  }

  #onSecured(): void {
    const c = this.#c;
    const info = this.#describe();
    const wanted = this.#target?.uriSans ?? [];
    if (wanted.length > 0 && !wanted.includes(info.peerUriSan)) {
      const is = info.peerUriSan || "without a URI";
      return this.#fail({
        code: "tls-identity",
        detail: `Peer is ${is}, not ${wanted.join(" or ")}`,
      });
    }
    const session = c.SSL_get_session(this.#ssl);
    if (info.isResumed && session !== null && isOfExpired(c, session)) {
      return this.#fail({ code: "tls-certificate", detail: "certificate has expired" });
    }
    this.#transport.handshakeEnded(this);
    this.#phase = "open";
    const fragment = c.SSL_SESSION_get_max_fragment_length(session);
    // A client may ask for records of at most 512, 1024, 2048 or 4096 bytes (RFC 6066 4).
    if (fragment > 0) this.#recordBytes = 256 << fragment;
    this.#watch();
    this.#handler.onSecured?.(info);
    if (this.#isOpen && this.#wantsWrite) this.#handler.onWritable();
    if (this.#isOpen) this.#setPending(c.SSL_has_pending(this.#ssl) === 1);
  }

  #describe(): TlsInfo {
    const c = this.#c;
    const ssl = this.#ssl;
    const uris = peerUris(c, ssl);
    return {
      alpn: lib.selectedAlpn(c, ssl),
      serverName: lib.textAt(c.SSL_get_servername(ssl, 0)),
      peerUriSan: uris.length === 1 ? uris[0] : "",
      peerUriCount: uris.length,
      version: lib.textAt(c.SSL_get_version(ssl)),
      cipher: lib.textAt(c.SSL_CIPHER_get_name(c.SSL_get_current_cipher(ssl))),
      isResumed: c.SSL_session_reused(ssl) === 1,
    };
  }

  #fail(failure: TlsFailure): void {
    if (this.#phase === "broken") return;
    this.#phase = "broken";
    this.#transport.handshakeEnded(this);
    this.#transport.watch(this.fd, false, false);
    this.#handler.onHangup(failure);
  }

  // Bytes.

  /** A method, so that the compiler does not take a phase for constant across a call of the handler. */
  get #isOpen(): boolean {
    return this.#phase === "open";
  }

  #readNothing(count: number): number {
    const error = this.#c.SSL_get_error(this.#ssl, count);
    switch (error) {
      case lib.SSL_ERROR_WANT_READ:
        this.#hasPending = false;
        if (!this.#isTooQuiet()) return AGAIN;
        this.#break();
        return BROKEN;
      case lib.SSL_ERROR_WANT_WRITE:
        this.#hasPending = false;
        this.#readNeedsOut = true;
        this.#watch();
        return AGAIN;
      case lib.SSL_ERROR_ZERO_RETURN:
        // The peer may leave the connection open, and the kernel then has no end to tell of.
        this.#setPending(true);
        return END;
      default:
        this.#break();
        return BROKEN;
    }
  }

  /** The peer sends and sends, and none of it is data. */
  #isTooQuiet(): boolean {
    // Nearly always it is a record that is not whole yet, and asking OpenSSL would be waste.
    if (++this.#quietReads < QUIET_READS) return false;
    const received = Number(this.#c.BIO_number_read(this.#c.SSL_get_rbio(this.#ssl)));
    if (this.#quietReads === QUIET_READS) this.#quietFrom = received;
    return received - this.#quietFrom > TLS_QUIET_BYTES_MAX;
  }

  /** After a write that took nothing: whether OpenSSL keeps the record until the kernel takes it. */
  #holds(count: number): boolean {
    if (this.#c.SSL_get_error(this.#ssl, count) === lib.SSL_ERROR_WANT_WRITE) return true;
    this.#break();
    return false;
  }

  /** True: nothing is held any more. */
  #flushHeld(): boolean {
    // Its length is what counts; its bytes are encrypted and no longer looked at.
    const count = this.#c.SSL_write(this.#ssl, this.#transport.staging, this.#held);
    if (count <= 0) {
      this.#holds(count);
      return false;
    }
    this.#held = 0;
    this.#watch();
    return true;
  }

  /** Sends what is held, and the end where it is due. True: nothing is left to be sent, or can be. */
  #finishWriting(): boolean {
    if (this.#held > 0 && !this.#flushHeld()) return this.#phase === "broken";
    if (this.#closing !== "due") return true;
    const result = this.#c.SSL_shutdown(this.#ssl);
    if (result >= 0) this.#closing = "told";
    else if (this.#holds(result)) {
      this.#watch();
      return false;
    }
    return true;
  }

  #writable(): void {
    if (!this.#finishWriting()) return;
    if (this.#readNeedsOut) {
      this.#readNeedsOut = false;
      if (this.#isOpen && this.#wantsRead) this.#handler.onReadable();
    }
    if (this.#isOpen) this.#watch();
    if (this.#isOpen && this.#wantsWrite) this.#handler.onWritable();
  }

  #setPending(hasPending: boolean): void {
    this.#hasPending = hasPending;
    if (hasPending && this.#wantsRead) this.#transport.enqueue(this);
  }

  #watch(): void {
    const isClosing = this.#phase === "closing";
    const hasPending = this.#held > 0 || this.#closing === "due" || this.#readNeedsOut;
    this.#transport.watch(
      this.fd,
      this.#wantsRead && !isClosing,
      hasPending || (this.#wantsWrite && !isClosing),
    );
  }

  #break(): void {
    this.#c.ERR_clear_error();
    this.#hasPending = false;
    this.#phase = "broken";
  }

  #keepSession(): void {
    this.#wantsSession = false;
    if (this.#target !== null) this.#context.keepSession(this.#target, this.#ssl);
  }

  #release(): void {
    this.free();
    this.#transport.release(this.fd);
  }
}
