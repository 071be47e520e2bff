/** The machine on real sockets, for tests against other implementations: a server and a client that know a few paths. */
import { Http2Connection, NO_STREAM } from "../../../proxy/protocol/http2/connection.ts";
import type { Http2Options } from "../../../proxy/protocol/http2/connection.ts";
import { INTERNAL_ERROR, NO_ERROR } from "../../../proxy/protocol/http2/error_code.ts";
import { Output } from "../../../proxy/protocol/http2/output.ts";
import { Http2Scratch } from "../../../proxy/protocol/http2/scratch.ts";
import type { Role } from "../../../proxy/protocol/http2/settings.ts";
import type { Http2Visitor } from "../../../proxy/protocol/http2/visitor.ts";
import { textOf } from "../../support/bytes_notation.ts";
import { addFields, renderFields } from "./field_text.ts";
import type { Fields } from "./frames.ts";
import { concat } from "./frames.ts";

const AREA = 16_384;
const INPUT = 2 * AREA;
const OUTPUT = 3 * AREA;
const STAGE = 4 * AREA;

/** What is still to be sent on a stream. */
interface Outgoing {
  body: Uint8Array;
  sent: number;
  readonly trailers: Fields;
}

/** One message as it has come so far. */
export class Incoming {
  head: string[] = [];
  readonly interim: string[][] = [];
  readonly body: Uint8Array[] = [];
  trailers: string[] = [];
  /** Error code of a reset, or null. */
  resetCode: number | null = null;
  isEnd = false;

  get text(): string {
    return textOf(concat(this.body));
  }
}

/** One socket with its machine. Subclasses say what requests and answers lead to. */
abstract class Peer implements Http2Visitor {
  readonly connection: Http2Connection;
  readonly incoming = new Map<number, Incoming>();
  error = "";
  readonly #arena = new Uint8Array(5 * AREA);
  protected readonly scratch = new Http2Scratch(this.#arena, 0, AREA, AREA);
  readonly #output = new Output(this.#arena);
  readonly #socket: Deno.Conn;
  readonly #outgoing = new Map<number, Outgoing>();
  #unread = 0;
  #isWriting = false;
  readonly closed: Promise<void>;

  constructor(socket: Deno.Conn, role: Role, options: Partial<Http2Options> = {}) {
    this.#socket = socket;
    this.#output.lend(OUTPUT, OUTPUT + AREA);
    this.connection = new Http2Connection({
      role,
      visitor: this,
      scratch: this.scratch,
      output: this.#output,
      ...options,
    });
    this.connection.start(performance.now());
    this.closed = this.#run();
  }

  async #run(): Promise<void> {
    try {
      await this.flush();
      while (!this.connection.isClosed) {
        const from = INPUT + this.#unread;
        const count = await this.#socket.read(this.#arena.subarray(from, INPUT + AREA));
        if (count === null) break;
        await this.#receive(from + count);
      }
    } catch (error) {
      if (
        !(error instanceof Deno.errors.ConnectionReset ||
          error instanceof Deno.errors.BadResource ||
          error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.Interrupted)
      ) throw error;
    }
    this.close();
  }

  async #receive(end: number): Promise<void> {
    let at = INPUT;
    for (;;) {
      at = this.connection.receive(at, end, performance.now());
      const isFull = this.connection.needsOutput;
      await this.flush();
      if (!isFull) break;
    }
    this.#arena.copyWithin(INPUT, at, end);
    this.#unread = end - at;
  }

  /** Sends what can be sent. */
  async flush(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    do {
      this.#sendBodies();
      while (!this.#output.isEmpty) {
        const piece = this.#arena.subarray(this.#output.start, this.#output.end);
        this.#output.start += await this.#socket.write(piece);
      }
      this.#output.rewind();
      this.connection.pump();
      this.#sendBodies();
    } while (!this.#output.isEmpty);
    this.#isWriting = false;
  }

  #sendBodies(): void {
    for (const [streamId, outgoing] of this.#outgoing) {
      if (this.#sendBody(streamId, outgoing)) this.#outgoing.delete(streamId);
    }
  }

  /** True: it is sent, or never will be. */
  #sendBody(streamId: number, outgoing: Outgoing): boolean {
    const { body, trailers } = outgoing;
    const isEnd = trailers.length === 0;
    for (;;) {
      const piece = body.subarray(outgoing.sent, outgoing.sent + AREA);
      if (piece.length === 0 && !(isEnd && body.length === 0)) break;
      this.#arena.set(piece, STAGE);
      const isLast = isEnd && outgoing.sent + piece.length === body.length;
      const now = performance.now();
      const count = this.connection.sendData(streamId, STAGE, piece.length, isLast, now);
      if (count < 0) return count === NO_STREAM;
      outgoing.sent += count;
      if (body.length === 0) return true;
    }
    return isEnd || this.head(streamId, trailers, true) >= 0;
  }

  head(streamId: number, fields: Fields, isEnd: boolean): number {
    const { composed } = this.scratch;
    composed.clear();
    addFields(composed, fields);
    return this.connection.sendHead(streamId, composed, isEnd);
  }

  protected openRequest(fields: Fields, isEnd: boolean): number {
    const { composed } = this.scratch;
    composed.clear();
    addFields(composed, fields);
    return this.connection.request(composed, isEnd);
  }

  /** Sends a body as the windows let it, and then trailers. */
  body(streamId: number, body: Uint8Array, trailers: Fields = []): void {
    this.#outgoing.set(streamId, { body, sent: 0, trailers });
  }

  close(): void {
    this.connection.close(NO_ERROR, "");
    try {
      this.#socket.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }

  protected of(streamId: number): Incoming {
    const known = this.incoming.get(streamId) ?? new Incoming();
    this.incoming.set(streamId, known);
    return known;
  }

  protected onMessageEnd(_streamId: number): void {}

  onRequest(_streamId: number, _isEnd: boolean): void {}
  onRequestTooLarge(_streamId: number, _isEnd: boolean): void {}
  onResponse(_streamId: number, _isEnd: boolean): void {}

  onData(streamId: number, offset: number, length: number, isEnd: boolean): void {
    this.of(streamId).body.push(this.#arena.slice(offset, offset + length));
    this.connection.consumed(streamId, length);
    if (isEnd) this.#end(streamId);
  }

  onTrailers(streamId: number): void {
    this.of(streamId).trailers = renderFields(this.scratch.received);
    this.#end(streamId);
  }

  #end(streamId: number): void {
    this.of(streamId).isEnd = true;
    this.onMessageEnd(streamId);
  }

  onReset(streamId: number, code: number, _isByPeer: boolean): void {
    this.of(streamId).resetCode = code;
    this.#outgoing.delete(streamId);
  }

  onWindow(_streamId: number): void {}
  onSettings(): void {}
  onPingAcknowledged(_payload: number): void {}
  onGoaway(_lastStreamId: number, _code: number): void {}

  onConnectionError(code: number, debug: string): void {
    this.error = `${code} ${debug}`;
  }
}

/** Answers by path: `/echo`, `/bytes/N`, `/trailers`, `/early`, `/headers/N`, `/reset`; anything else is a greeting. */
class ServerPeer extends Peer {
  override onRequest(streamId: number, isEnd: boolean): void {
    this.of(streamId).head = renderFields(this.scratch.received);
    const path = this.#path(streamId);
    if (path === "/reset") return this.connection.reset(streamId, INTERNAL_ERROR);
    if (path === "/early") {
      this.head(streamId, [[":status", "103"], ["link", "</a>"]], false);
    }
    if (isEnd) this.onMessageEnd(streamId);
  }

  override onRequestTooLarge(streamId: number): void {
    this.head(streamId, [[":status", "431"]], true);
    this.connection.reset(streamId, NO_ERROR);
  }

  #path(streamId: number): string {
    const path = this.of(streamId).head.find((field) => field.startsWith(":path: "));
    return path?.slice(7) ?? "";
  }

  protected override onMessageEnd(streamId: number): void {
    const incoming = this.of(streamId);
    const path = this.#path(streamId);
    const count = Number(/\d+$/.exec(path)?.[0] ?? 0);
    const isHead = incoming.head.includes(":method: HEAD");
    const body = path === "/echo"
      ? concat(incoming.body)
      : path.startsWith("/bytes/")
      ? patternOf(count)
      : new TextEncoder().encode("hello from weft");
    const trailers: Fields = path === "/trailers"
      ? [["x-sum", String(body.length)], ["x-received", incoming.trailers.join()]]
      : [];
    const fields: (readonly [string, string])[] = [
      [":status", "200"],
      ["content-type", "text/plain"],
      ["content-length", String(body.length)],
    ];
    if (path.startsWith("/headers/")) fields.push(["x-long", "v".repeat(count)]);
    if (this.head(streamId, fields, isHead) < 0) this.connection.reset(streamId, INTERNAL_ERROR);
    else if (!isHead) this.body(streamId, body, trailers);
    this.incoming.delete(streamId);
  }
}

/** Bytes that tell where they stand. */
export function patternOf(length: number): Uint8Array {
  return new Uint8Array(length).map((_, i) => 33 + ((i * 7 + (i >> 8)) % 90));
}

/** A server on a free port of the loopback. */
export class LoopbackServer {
  readonly port: number;
  readonly peers = new Set<Peer>();
  readonly #listener: Deno.TcpListener;
  readonly #accepting: Promise<void>;

  constructor(options: Partial<Http2Options> = {}) {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#listener = listener;
    this.port = listener.addr.port;
    this.#accepting = this.#accept(options);
  }

  async #accept(options: Partial<Http2Options>): Promise<void> {
    for await (const socket of this.#listener) {
      socket.setNoDelay();
      const peer = new ServerPeer(socket, "server", options);
      this.peers.add(peer);
      peer.closed.finally(() => this.peers.delete(peer));
    }
  }

  async stop(): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    const peers = [...this.peers];
    for (const peer of peers) peer.close();
    await Promise.all(peers.map((peer) => peer.closed));
  }
}

/** A client of one connection. */
export class LoopbackClient extends Peer {
  readonly #waiting = new Map<number, () => void>();

  static async connect(port: number, options: Partial<Http2Options> = {}): Promise<LoopbackClient> {
    const socket = await Deno.connect({ hostname: "127.0.0.1", port });
    socket.setNoDelay();
    return new LoopbackClient(socket, "client", options);
  }

  /** Sends a request and waits for the end of its answer, or of the stream. */
  async fetch(
    fields: Fields,
    body: Uint8Array = new Uint8Array(0),
    trailers: Fields = [],
  ): Promise<Incoming> {
    const isEnd = body.length === 0 && trailers.length === 0;
    const streamId = this.openRequest(fields, isEnd);
    if (streamId < 0) throw new Error(`No stream: ${streamId}`);
    if (!isEnd) this.body(streamId, body, trailers);
    const answered = new Promise<void>((resolve) => this.#waiting.set(streamId, resolve));
    await this.flush();
    await answered;
    return this.of(streamId);
  }

  override onResponse(streamId: number, isEnd: boolean): void {
    const incoming = this.of(streamId);
    const fields = renderFields(this.scratch.received);
    if (this.scratch.response.isInterim) incoming.interim.push(fields);
    else incoming.head = fields;
    if (isEnd) this.onMessageEnd(streamId);
  }

  protected override onMessageEnd(streamId: number): void {
    this.#waiting.get(streamId)?.();
  }

  override onReset(streamId: number, code: number, isByPeer: boolean): void {
    super.onReset(streamId, code, isByPeer);
    this.#waiting.get(streamId)?.();
  }

  override onConnectionError(code: number, debug: string): void {
    super.onConnectionError(code, debug);
    for (const resolve of this.#waiting.values()) resolve();
  }
}
