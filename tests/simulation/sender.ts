/** Sender: what a scripted peer wants to say, said in pieces as the network takes them. */
import type { Side } from "./network.ts";
import type { World } from "./world.ts";

export interface Pace {
  /** The most that is sent at once, and the longest pause after it. */
  readonly pieceBytes: number;
  readonly pauseMs: number;
}

export class ScriptedSender {
  readonly #world: World;
  readonly #side: Side;
  pace: Pace;
  /** Bytes sent so far. */
  sent = 0;
  /** Sends no byte after as many, and calls `onStop` there. */
  stopAt = Infinity;
  onStop: () => void = () => {};
  /** Says nothing any more, whatever it is given. */
  isMute = false;
  /** Called when all has been sent, and more can be. */
  onEmpty: () => void = () => {};
  readonly #queue: (Uint8Array | (() => void))[] = [];
  #isPausing = false;

  constructor(world: World, side: Side, pace: Pace) {
    this.#world = world;
    this.#side = side;
    this.pace = pace;
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /** What is pushed now is sent at once. */
  get isIdle(): boolean {
    return this.isEmpty && !this.#isPausing;
  }

  /** Adds bytes, or what is to be done when everything before it has been sent. */
  push(...items: (Uint8Array | (() => void))[]): void {
    this.#queue.push(...items);
    this.pump();
  }

  /** Says nothing more. */
  clear(): void {
    this.#queue.length = 0;
  }

  /** Goes on, where there is room. */
  pump(): void {
    if (!this.#side.isEstablished) return;
    while (this.#queue.length > 0) {
      const side = this.#side;
      if (this.isMute || side.isClosed || side.isReset) return this.clear();
      const item = this.#queue[0];
      if (typeof item === "function") {
        this.#queue.shift();
        item();
      } else if (item.length === 0) this.#queue.shift();
      else if (this.#isPausing || !this.#send(item)) return;
    }
    if (!this.#isPausing && !this.isMute) this.onEmpty();
  }

  /** Sends some of the first item. False: nothing can be sent now. */
  #send(item: Uint8Array): boolean {
    const side = this.#side;
    if (side.hasSentEnd) {
      this.clear();
      return false;
    }
    if (this.sent === this.stopAt) {
      this.clear();
      this.onStop();
      return false;
    }
    const room = Math.min(side.room, this.stopAt - this.sent);
    if (room === 0) return false;
    const { pieceBytes, pauseMs } = this.pace;
    const count = Math.min(item.length, room, this.#world.between(1, pieceBytes));
    this.#queue[0] = item.subarray(count);
    this.sent += count;
    side.send(item.subarray(0, count));
    if (pauseMs > 0) this.#pause(pauseMs);
    return true;
  }

  #pause(pauseMs: number): void {
    this.#isPausing = true;
    this.#world.after(this.#world.between(0, pauseMs * 1000) / 1000, () => {
      this.#isPausing = false;
      this.pump();
    });
  }
}
