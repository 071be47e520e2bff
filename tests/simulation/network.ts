/**
 * Network: simulated connections with what TCP promises (order, back-pressure, half-close) and what it does not
 * (delays, resets, pieces of any size). It knows nothing of the proxy; one end of a connection may be a
 * `SimulatedIo`'s, the other is a scripted peer's.
 */
import { assert } from "../../base/assert.ts";
import type { World } from "./world.ts";

/** How the network misbehaves in one run: shares are probabilities. */
export interface Weather {
  /** The longest that a segment takes. */
  readonly delayMaxMs: number;
  /** Bytes that may be on the way and unread in one direction. */
  readonly capacityMin: number;
  readonly capacityMax: number;
  /** Of segments: the whole connection is reset. */
  readonly resets: number;
  /** Of connections to an endpoint. */
  readonly connectFailures: number;
  readonly connectTimeouts: number;
  /** Of reads and of writes: less is moved than could be. */
  readonly partial: number;
  /** Of reads, writes and events: put off for no reason. */
  readonly late: number;
}

/** One end of a connection. */
export class Side {
  readonly #network: Network;
  /** The other end. */
  other: Side = this;
  isEstablished = false;
  /** This end was closed by its owner. */
  isClosed = false;
  /** The other end has said that it sends no more, and everything before that has arrived. */
  hasEnded = false;
  hasSentEnd = false;
  /** Reset, refused or cut: nothing more can be sent, or arrives. */
  isReset = false;
  unread = 0;
  /** Called when there may be more to read, more room to write, an end or a reset. */
  onChange: () => void = () => {};

  /** Bytes that were sent from here, and those of them that the other end has got. */
  #sent = 0;
  #delivered = 0;
  /** What the other end had delivered here when this one said that it sends no more. */
  #gotBeforeEnd = 0;
  readonly #capacity: number;
  #chunks: Uint8Array[] = [];
  #chunkStart = 0;
  #onTheWay = 0;
  /** What is sent later does not arrive earlier. */
  #arrivesMs = 0;

  constructor(network: Network) {
    this.#network = network;
    const { world, weather } = network;
    this.#capacity = world.between(weather.capacityMin, weather.capacityMax);
  }

  /** How many bytes can be sent now. */
  get room(): number {
    return Math.max(0, this.other.#capacity - this.other.#onTheWay - this.other.unread);
  }

  /** Whether what is sent next in one piece can also arrive in one piece. */
  get isClear(): boolean {
    return this.other.#onTheWay === 0 && this.other.unread === 0;
  }

  /** Nothing is on its way to this end, and nothing is unread. */
  get isQuiet(): boolean {
    return this.#onTheWay === 0 && this.unread === 0;
  }

  /** Sent bytes that the other end is not known to have got: after its end, no later word of it is waited for. */
  get unacknowledged(): number {
    return this.#sent - (this.hasEnded ? this.other.#gotBeforeEnd : this.#delivered);
  }

  /** Sends bytes, at most `room`; they are not copied. */
  send(bytes: Uint8Array): void {
    const { world, weather } = this.#network;
    assert(bytes.length <= this.room && !this.hasSentEnd && !this.isClosed, "Sends what it may");
    const other = this.other;
    other.#onTheWay += bytes.length;
    this.#sent += bytes.length;
    if (world.chance(weather.resets)) this.#network.cut(this);
    this.#arrive(() => {
      other.#onTheWay -= bytes.length;
      if (other.isReset) return;
      // The other end is gone: that is what a reset is for. It comes after what that end has sent.
      if (other.isClosed) return other.#arrive(() => this.fail());
      this.#delivered += bytes.length;
      other.#chunks.push(bytes);
      other.unread += bytes.length;
      other.onChange();
    });
  }

  /** Says that nothing more is sent. */
  sendEnd(): void {
    if (this.hasSentEnd || this.isReset) return;
    this.hasSentEnd = true;
    const other = this.other;
    this.#gotBeforeEnd = other.#delivered;
    this.#arrive(() => {
      if (other.isReset || other.isClosed) return;
      other.hasEnded = true;
      other.onChange();
    });
  }

  /** Copies at most `max` bytes to `target`, where they stay to be read; returns how many. */
  peek(target: Uint8Array, offset: number, max: number): number {
    let count = 0;
    let start = this.#chunkStart;
    for (const chunk of this.#chunks) {
      if (count === max) break;
      const part = Math.min(max - count, chunk.length - start);
      target.set(chunk.subarray(start, start + part), offset + count);
      count += part;
      start = 0;
    }
    return count;
  }

  /** Moves at most `max` bytes to `target`; returns how many. */
  read(target: Uint8Array, offset: number, max: number): number {
    let count = 0;
    while (count < max && this.unread > 0) {
      const chunk = this.#chunks[0];
      const part = Math.min(max - count, chunk.length - this.#chunkStart);
      target.set(chunk.subarray(this.#chunkStart, this.#chunkStart + part), offset + count);
      count += part;
      this.unread -= part;
      this.#chunkStart += part;
      if (this.#chunkStart === chunk.length) {
        this.#chunks.shift();
        this.#chunkStart = 0;
      }
    }
    if (count > 0) this.#network.soon(() => this.other.onChange());
    return count;
  }

  /** Closes this end: an orderly end, or a reset where bytes are unread. */
  close(): void {
    if (this.isClosed) return;
    if (this.unread > 0) return this.reset();
    this.sendEnd();
    this.isClosed = true;
  }

  reset(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#chunks = [];
    this.unread = 0;
    const other = this.other;
    this.#arrive(() => other.fail());
  }

  /** The connection is of no more use to this end. What arrived before may or may not still be read. */
  fail(): void {
    if (this.isReset || this.isClosed) return;
    this.isReset = true;
    if (this.#network.world.chance(0.5)) {
      this.#chunks = [];
      this.#chunkStart = 0;
      this.unread = 0;
    }
    this.onChange();
  }

  #arrive(happen: () => void): void {
    const { world, weather } = this.#network;
    const atMs = world.nowMs + world.between(0, weather.delayMaxMs * 1000) / 1000;
    this.#arrivesMs = Math.max(this.#arrivesMs, atMs);
    world.at(this.#arrivesMs, happen);
  }
}

/** Takes the far end of a connection that was just established. */
type Acceptor = (side: Side) => void;

export class Network {
  readonly world: World;
  weather: Weather;
  readonly #acceptors = new Map<string, Acceptor>();
  /** Addresses that neither accept nor refuse. */
  readonly #silent = new Set<string>();
  /** Addresses that refuse so many connections more, though something listens there. */
  readonly #refusals = new Map<string, number>();

  constructor(world: World, weather: Weather) {
    this.world = world;
    this.weather = weather;
  }

  listen(address: string, accept: Acceptor): void {
    this.#acceptors.set(address, accept);
  }

  /** From now on nothing is reset, refused or swallowed. */
  calm(): void {
    this.weather = { ...this.weather, resets: 0, connectFailures: 0, connectTimeouts: 0 };
    this.#silent.clear();
  }

  unlisten(address: string): void {
    this.#acceptors.delete(address);
  }

  /** The next so many connections are refused, as those that a Service's address takes to pods that are gone. */
  refuse(address: string, times: number): void {
    this.#refusals.set(address, times);
  }

  silence(address: string): void {
    this.#silent.add(address);
  }

  /** Starts to connect; the end that is returned hears what becomes of it. */
  connect(address: string, isFaulty: boolean): Side {
    const near = new Side(this);
    const far = new Side(this);
    near.other = far;
    far.other = near;
    const { world, weather } = this;
    if (this.#silent.has(address) || (isFaulty && world.chance(weather.connectTimeouts))) {
      return near;
    }
    const refusals = this.#refusals.get(address) ?? 0;
    if (refusals > 0) this.#refusals.set(address, refusals - 1);
    const isRefused = refusals > 0 || (isFaulty && world.chance(weather.connectFailures));
    this.soon(() => {
      if (near.isClosed) return;
      const accept = this.#acceptors.get(address);
      if (accept === undefined || isRefused) return near.fail();
      near.isEstablished = true;
      far.isEstablished = true;
      accept(far);
      near.onChange();
    });
    return near;
  }

  /** Both ends lose the connection, each in its own time. */
  cut(side: Side): void {
    this.soon(() => side.fail());
    this.soon(() => side.other.fail());
  }

  soon(happen: () => void): void {
    this.world.after(this.world.between(0, this.weather.delayMaxMs * 1000) / 1000, happen);
  }
}
