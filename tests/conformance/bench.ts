/**
 * What the cases of `io_cases.ts` work with: a driver that is given its turns, peers at the other end of real
 * sockets, and handlers that note what they are told. Peers share the thread of the driver.
 */
import { AF_INET, openLibc, SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET } from "../../proxy/io/libc.ts";
import { AGAIN, BROKEN, END } from "../../proxy/io/io.ts";
import type { Fd, Handler, Io } from "../../proxy/io/io.ts";
import { Patience } from "../support/patience.ts";

/** A driver of which the test says when it may go on. */
export interface IoDriver {
  readonly name: string;
  readonly io: Io;
  /** Delivers what there is to deliver now. */
  turn(): void;
  /** Stops the driver and waits until it holds nothing any more. */
  end(): Promise<void>;
}

/** Room in the arena for reading and for writing. */
export const READ_AT = 0;
export const READ_BYTES = 64 * 1024;
export const WRITE_AT = READ_BYTES;
export const WRITE_BYTES = 512 * 1024;
export const BENCH_ARENA_BYTES = READ_BYTES + WRITE_BYTES;

type Event = "readable" | "writable" | "hangup" | "fault";

/** Notes what it is told, and then does what the case wants done. */
export class BenchHandler implements Handler {
  readonly events: Event[] = [];
  readonly faults: unknown[] = [];
  react: (event: Event) => void = () => {};

  onReadable(): void {
    this.#note("readable");
  }

  onWritable(): void {
    this.#note("writable");
  }

  onHangup(): void {
    this.#note("hangup");
  }

  onFault(error: unknown): void {
    this.faults.push(error);
    this.events.push("fault");
  }

  count(event: Event): number {
    return this.events.filter((noted) => noted === event).length;
  }

  #note(event: Event): void {
    this.events.push(event);
    this.react(event);
  }
}

/** Reads what comes, `step` bytes an event, and remembers all of it. */
export class Reader extends BenchHandler {
  fd: Fd = -1;
  text = "";
  bytes = 0;
  hasEnded = false;
  isBroken = false;
  /** Checks bytes in place of remembering them, where there are many. */
  onBytes: ((bytes: Uint8Array) => void) | null = null;
  readonly #io: Io;
  readonly #step: number;

  constructor(io: Io, step = READ_BYTES) {
    super();
    this.#io = io;
    this.#step = step;
    this.react = (event) => {
      if (event === "readable") this.read();
      if (event === "hangup") this.#break();
    };
  }

  read(): void {
    const count = this.#io.read(this.fd, READ_AT, this.#step);
    if (count === AGAIN) return;
    if (count === BROKEN) return this.#break();
    if (count === END) {
      this.hasEnded = true;
      this.#io.wantRead(this.fd, false);
      return;
    }
    const bytes = this.#io.arena.subarray(READ_AT, READ_AT + count);
    this.bytes += count;
    if (this.onBytes !== null) this.onBytes(bytes);
    else this.text += new TextDecoder().decode(bytes);
  }

  #break(): void {
    if (this.isBroken) return;
    this.isBroken = true;
    this.#io.close(this.fd);
  }
}

const SO_LINGER = 13;

/** The other end of a connection to the driver that ends with a reset, which Deno's own sockets do not do. Linux. */
class ResettingPeer {
  readonly #c = openLibc();
  readonly #fd: number;

  constructor(port: number) {
    this.#fd = this.#c.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const address = Uint8Array.of(AF_INET, 0, port >> 8, port & 255, 127, 0, 0, 1, ...new Array(8));
    if (this.#c.connect(this.#fd, address, address.length) < 0) throw new Error("Cannot connect");
  }

  reset(): void {
    const onAndNow = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0);
    this.#c.setsockopt(this.#fd, SOL_SOCKET, SO_LINGER, onAndNow, onAndNow.length);
    this.#c.close(this.#fd);
  }
}

/** A connection that the driver accepted, and its other end. */
interface Pair {
  readonly fd: Fd;
  readonly address: string;
  readonly peer: Deno.TcpConn;
}

export class Bench {
  readonly driver: IoDriver;
  readonly io: Io;
  readonly #peers: Deno.TcpConn[] = [];

  constructor(driver: IoDriver) {
    this.driver = driver;
    this.io = driver.io;
  }

  /** Lets things happen until `condition` holds. */
  async until(condition: () => boolean, what: string): Promise<void> {
    const patience = new Patience();
    for (;;) {
      this.driver.turn();
      if (condition()) return;
      if (patience.isOver) throw new Error(`Waited in vain: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  /** As `until` for what a peer does. */
  async done<Value>(promise: Promise<Value>, what: string): Promise<Value> {
    let isDone = false;
    const finish = () => {
      isDone = true;
    };
    promise.then(finish, finish);
    await this.until(() => isDone, what);
    return await promise;
  }

  async dial(port: number, hostname = "127.0.0.1"): Promise<Deno.TcpConn> {
    const peer = await this.done(Deno.connect({ hostname, port }), "a peer connects");
    this.#peers.push(peer);
    return peer;
  }

  /** A connection between the driver and a peer; `handler` is told of its events. */
  pair(handler: Handler | null): Promise<Pair> {
    return this.#accept(handler, (port) => this.dial(port));
  }

  /** As `pair`, with a peer that can reset. */
  async resettable(handler: Handler): Promise<{ fd: Fd; peer: ResettingPeer }> {
    return await this.#accept(handler, (port) => Promise.resolve(new ResettingPeer(port)));
  }

  async #accept<Peer>(
    handler: Handler | null,
    dial: (port: number) => Promise<Peer>,
  ): Promise<{ fd: Fd; address: string; peer: Peer }> {
    const accepted: { fd: Fd; address: string }[] = [];
    const listener = this.io.listen("127.0.0.1", 0, {
      onAccept: (fd, address) => {
        accepted.push({ fd, address });
        if (handler instanceof Reader) handler.fd = fd;
        if (handler !== null) this.io.watch(fd, handler);
      },
      onFault(error) {
        throw error;
      },
    });
    const peer = await dial(listener.port);
    await this.until(() => accepted.length > 0, "the driver accepts");
    this.io.close(listener.fd);
    return { ...accepted[0], peer };
  }

  /** A connected outgoing connection and its other end. */
  async outgoing(handler: Handler): Promise<{ fd: Fd; peer: Deno.TcpConn }> {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const fd = this.io.connect(this.io.address("127.0.0.1", listener.addr.port), handler);
    const peer = await this.done(listener.accept(), "a peer accepts");
    this.#peers.push(peer);
    listener.close();
    return { fd, peer };
  }

  /** Everything that happened before it has been told when it returns: a byte makes the round through the driver. */
  async barrier(): Promise<void> {
    const reader = new Reader(this.io);
    const { fd, peer } = await this.pair(reader);
    await this.done(peer.write(new Uint8Array(1)), "the barrier's byte is sent");
    await this.until(() => reader.bytes === 1, "the barrier's byte arrives");
    this.io.close(fd);
  }

  /** Writes text in one piece: a count, `AGAIN` or `BROKEN`. */
  write(fd: Fd, text: string): number {
    const { written } = new TextEncoder().encodeInto(text, this.io.arena.subarray(WRITE_AT));
    this.io.gather(WRITE_AT, written);
    return this.io.write(fd);
  }

  /** Everything that the peer is sent until the end of the stream. */
  async drain(peer: Deno.TcpConn): Promise<string> {
    let text = "";
    const buffer = new Uint8Array(64 * 1024);
    for (;;) {
      const count = await this.done(peer.read(buffer), "a peer reads");
      if (count === null) return text;
      text += new TextDecoder().decode(buffer.subarray(0, count));
    }
  }

  /** As many bytes as `text` has. */
  async expect(peer: Deno.TcpConn, text: string): Promise<string> {
    let got = "";
    const buffer = new Uint8Array(64 * 1024);
    while (got.length < text.length) {
      const count = await this.done(peer.read(buffer), `a peer reads "${text}"`);
      if (count === null) break;
      got += new TextDecoder().decode(buffer.subarray(0, count));
    }
    return got;
  }

  async end(): Promise<void> {
    await this.driver.end();
    for (const peer of this.#peers) {
      try {
        peer.close();
      } catch {
        // The case closed it.
      }
    }
  }
}

/** One thing that a driver does. */
export interface IoCase {
  readonly name: string;
  /** Its peer resets, which takes libc. */
  readonly needsLinux?: true;
  readonly needsIpv6?: true;
  run(bench: Bench): Promise<void> | void;
}
