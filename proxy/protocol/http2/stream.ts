/** A stream's record, and the table of a connection's streams by id. Which frames may come is in `stream_state.ts`. */
import { ReceiveWindow, SendWindow } from "./flow.ts";
import { IDLE } from "./stream_state.ts";

/** Reused from stream to stream; only the machine holds one, since ids are never used again and records are. */
export class Stream {
  id = 0;
  state = IDLE;
  readonly sendWindow = new SendWindow();
  readonly receiveWindow = new ReceiveWindow();
  /** The owner's own record. */
  owner: unknown = null;
  /** The request, or the final answer, has come. */
  hasReceivedHead = false;
  /** The request, or the final answer, has been sent. */
  hasSentHead = false;
  /** Bytes of the body that are still to come, or -1 where it is not known how many. */
  bodyBytesLeft = -1;
  /** Client: the request was HEAD, so its answer has no body whatever it says. */
  isHead = false;
  /** Client: the request was CONNECT, so an answer with success has no body but a tunnel. */
  isConnect = false;
  /** `sendData` has left data for want of window. */
  isBlocked = false;
  /** It waits for the connection's window, in line. */
  isQueued = false;

  open(id: number, state: number, sendWindow: number, receiveWindow: number): void {
    this.id = id;
    this.state = state;
    this.sendWindow.reset(sendWindow);
    this.receiveWindow.reset(receiveWindow);
    this.owner = null;
    this.hasReceivedHead = false;
    this.hasSentHead = false;
    this.bodyBytesLeft = -1;
    this.isHead = false;
    this.isConnect = false;
    this.isBlocked = false;
    this.isQueued = false;
  }
}

const SLOTS_FIRST = 8;

/** Streams by id, in open addressing: ids go up by two, so neighbours seldom want one slot. */
export class StreamTable {
  count = 0;
  #slots: (Stream | null)[] = new Array(SLOTS_FIRST).fill(null);
  #mask = SLOTS_FIRST - 1;
  /** Records that are free, for all connections of a thread. */
  readonly #free: Stream[];

  constructor(free: Stream[]) {
    this.#free = free;
  }

  get(id: number): Stream | null {
    for (let slot = (id >>> 1) & this.#mask;; slot = (slot + 1) & this.#mask) {
      const stream = this.#slots[slot];
      if (stream === null || stream.id === id) return stream;
    }
  }

  open(id: number, state: number, sendWindow: number, receiveWindow: number): Stream {
    if (2 * (this.count + 1) > this.#slots.length) this.#resize(2 * this.#slots.length);
    const stream = this.#free.pop() ?? new Stream();
    stream.open(id, state, sendWindow, receiveWindow);
    this.#put(stream);
    this.count++;
    return stream;
  }

  remove(stream: Stream): void {
    let hole = (stream.id >>> 1) & this.#mask;
    while (this.#slots[hole] !== stream) hole = (hole + 1) & this.#mask;
    // What stands behind the hole and would no longer be found moves into it.
    for (let slot = (hole + 1) & this.#mask;; slot = (slot + 1) & this.#mask) {
      const next = this.#slots[slot];
      if (next === null) break;
      const distance = (slot - (next.id >>> 1)) & this.#mask;
      if (distance >= ((slot - hole) & this.#mask)) {
        this.#slots[hole] = next;
        hole = slot;
      }
    }
    this.#slots[hole] = null;
    this.count--;
    stream.owner = null;
    this.#free.push(stream);
  }

  /** All streams, as they are now. For what happens rarely: it allocates. */
  all(): Stream[] {
    return this.#slots.filter((stream) => stream !== null);
  }

  clear(): void {
    for (const stream of this.all()) this.remove(stream);
    if (this.#slots.length > SLOTS_FIRST) this.#resize(SLOTS_FIRST);
  }

  #put(stream: Stream): void {
    let slot = (stream.id >>> 1) & this.#mask;
    while (this.#slots[slot] !== null) slot = (slot + 1) & this.#mask;
    this.#slots[slot] = stream;
  }

  #resize(length: number): void {
    const streams = this.all();
    this.#slots = new Array(length).fill(null);
    this.#mask = length - 1;
    for (const stream of streams) this.#put(stream);
  }
}

/** The ids that were added last, oldest forgotten first. Takes no memory until the first. */
export class RecentIds {
  readonly #capacity: number;
  #ids: Int32Array | null = null;
  #next = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  add(id: number): void {
    this.#ids ??= new Int32Array(this.#capacity);
    this.#ids[this.#next] = id;
    this.#next = (this.#next + 1) % this.#capacity;
  }

  has(id: number): boolean {
    return this.#ids !== null && this.#ids.includes(id);
  }
}
