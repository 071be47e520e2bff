/** What the actors of one simulated run share. */
import type { Exchange } from "./exchange.ts";
import type { Network, Side } from "./network.ts";
import { SimulationError } from "./world.ts";
import type { World } from "./world.ts";

/** The address that every simulated client has. */
export const CLIENT_ADDRESS = "192.0.2.7";

export interface RunState {
  readonly world: World;
  readonly network: Network;
  readonly exchanges: ReadonlyMap<number, Exchange>;
  /** Nothing is reset, refused or slow beyond reason: every request must be answered by its endpoint. */
  readonly isCalm: boolean;
  /** When draining began; `Infinity` before. */
  drainingMs: number;
  /** What the endpoint sent of a body before it ended the connection, by token. */
  readonly cuts: Map<number, number>;
  readonly scratch: Uint8Array;
}

export function fail(state: RunState, message: string): never {
  throw new SimulationError(`At ${state.world.nowMs.toFixed(3)} ms: ${message}`);
}

/** How fast a peer reads. */
export interface ReadPace {
  readonly readBytes: number;
  readonly readPauseMs: number;
}

/** Reads what arrives at one end, at a pace, and tells of bytes, of the end and of a reset. */
export class Listening {
  /** Reads no more: a peer that has lost interest. */
  isDeaf = false;
  readonly #state: RunState;
  readonly #side: Side;
  readonly #pace: ReadPace;
  readonly #onBytes: (bytes: Uint8Array) => void;
  readonly #onEnd: () => void;
  readonly #onReset: () => void;
  #isPausing = false;
  #hasEnded = false;
  #wasReset = false;

  constructor(
    state: RunState,
    side: Side,
    pace: ReadPace,
    onBytes: (bytes: Uint8Array) => void,
    onEnd: () => void,
    onReset: () => void,
  ) {
    this.#state = state;
    this.#side = side;
    this.#pace = pace;
    this.#onBytes = onBytes;
    this.#onEnd = onEnd;
    this.#onReset = onReset;
  }

  pump(): void {
    const { world, scratch } = this.#state;
    const side = this.#side;
    while (!this.#isPausing && !this.isDeaf && !side.isClosed && side.unread > 0) {
      const count = side.read(scratch, 0, world.between(1, this.#pace.readBytes));
      this.#onBytes(scratch.subarray(0, count));
      if (this.#pace.readPauseMs > 0) this.#pause();
    }
    if (side.isClosed || this.#isPausing || (side.unread > 0 && !side.isReset)) return;
    if (side.isReset && !this.#wasReset) {
      this.#wasReset = true;
      this.#onReset();
    } else if (side.hasEnded && !this.#hasEnded && !this.#wasReset) {
      this.#hasEnded = true;
      this.#onEnd();
    }
  }

  #pause(): void {
    this.#isPausing = true;
    this.#state.world.after(this.#state.world.between(0, this.#pace.readPauseMs), () => {
      this.#isPausing = false;
      this.pump();
    });
  }
}
