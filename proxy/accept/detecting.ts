/**
 * Detecting: a connection of which nobody has said what it speaks, until its first bytes do. It reads nothing: what it has looked at
 * is still there for whoever takes the connection over.
 */
import { AGAIN, BROKEN, END } from "../io/io.ts";
import type { Fd } from "../io/io.ts";
import type { TlsContext, TlsFailure, TlsInfo } from "../io/tls.ts";
import { BUFFER_BYTES, DETECTION_MS, SWEEP_INTERVAL_MS } from "../limits.ts";
import { detectProtocol } from "../protocol/mod.ts";
import type { ProtocolName } from "../protocol/mod.ts";
import { serverNameOf } from "../protocol/tls/server_name.ts";
import { NO_BUFFER } from "../loop/arena.ts";
import { Connection } from "../loop/socket.ts";
import type { Context } from "../loop/context.ts";

/** `opaque`: bytes of no protocol that we know, or too few of them in time; `silent`: none in time. */
export type Detected = ProtocolName | "opaque" | "silent";

/**
 * What became known: the protocol, and the server name where a TLS client gives one. The connection is its to hand over or
 * to close; `Detecting` has let go of it.
 */
export type OnDetected = (detected: Detected, serverName: string) => void;

export class Detecting extends Connection {
  readonly kind = "client";
  readonly #onDetected: OnDetected;
  readonly #peer: string;
  #limitMs = Infinity;
  #hasBytes = false;

  /** @param client `security` is what TLS is put on it with; null: it is plain */
  constructor(
    context: Context,
    client: { readonly fd: Fd; readonly peer: string; readonly security: TlsContext | null },
    onDetected: OnDetected,
  ) {
    super(context);
    this.fd = client.fd;
    this.#peer = client.peer;
    this.#onDetected = onDetected;
    if (client.security === null) this.#startWaiting();
  }

  override onReadable(): void {
    const { buffers } = this.context;
    const offset = buffers.take();
    if (offset === NO_BUFFER) return this.onStarved();
    const first = firstBytes(this.context, this.fd, offset);
    buffers.give(offset);
    if (first === null) return this.close();
    if (first.detected !== "undecided") return this.#finish(first.detected, first.serverName);
    this.#hasBytes ||= first.hasBytes;
    if (!first.hasBytes) return;
    // They stay to be read, and would be told of again and again: look when the next sweep does.
    const { io } = this.context;
    io.wantRead(this.fd, false);
    this.deadlineMs = Math.min(this.#limitMs, io.nowMs + SWEEP_INTERVAL_MS);
  }

  override onWritable(): void {}

  /** It is told once it is known what it would understand. */
  onDraining(): void {}

  override onSecured(info: TlsInfo): void {
    super.onSecured(info);
    // What the handshake took was not the client's silence, and has a limit of its own.
    this.#startWaiting();
  }

  override onHangup(failure?: TlsFailure): void {
    if (failure !== undefined) this.context.telemetry.tlsFailed(failure, this.#peer);
    this.close();
  }

  override onDeadline(): void {
    if (this.context.io.nowMs < this.#limitMs) return this.onReadable();
    this.#finish(this.#hasBytes ? "opaque" : "silent", "");
  }

  override abort(): void {
    this.close();
  }

  #startWaiting(): void {
    this.#limitMs = this.context.io.nowMs + DETECTION_MS;
    this.deadlineMs = this.#limitMs;
  }

  #finish(detected: Detected, serverName: string): void {
    letGo(this);
    this.#onDetected(detected, serverName);
  }
}

/** What the bytes say that a client has sent so far. Null: the connection is broken. */
export function firstBytes(
  { io, arena }: Context,
  fd: Fd,
  offset: number,
):
  | { detected: ProtocolName | "opaque" | "undecided"; serverName: string; hasBytes: boolean }
  | null {
  const count = io.peek(fd, offset, BUFFER_BYTES);
  if (count === BROKEN) return null;
  // A client that ends without a word may still want to hear the server.
  if (count === END) return { detected: "opaque", serverName: "", hasBytes: false };
  if (count === AGAIN) return { detected: "undecided", serverName: "", hasBytes: false };
  const detected = detectProtocol(arena, offset, offset + count);
  const serverName = detected === "tls" ? serverNameOf(arena, offset, offset + count) : "";
  return { detected, serverName, hasBytes: true };
}

/** Ends a connection's part without ending its socket, which another handler takes over. It must hold no bytes. */
export function letGo(connection: Connection): void {
  connection.isOpen = false;
  connection.deadlineMs = Infinity;
  connection.releaseBuffer();
  connection.context.unregister(connection);
}
