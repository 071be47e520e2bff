/** SimulatedSplicer: the `Splicer` contract on simulated connections. Now and then there is no pipe to be had. */
import { AGAIN, type Fd, type SplicePipe, type Splicer } from "../../proxy/io/io.ts";
import { SPLICE_PIPE_BYTES } from "../../proxy/limits.ts";
import type { World } from "./world.ts";

interface SimulatedPipe extends SplicePipe {
  bytes: Uint8Array;
}

/** What connections do that bytes are moved between. */
interface Connections {
  hasTls(fd: Fd): boolean;
  /** As `Io.read`, into `target`. */
  readInto(fd: Fd, target: Uint8Array): number;
  /** As `Io.write`. */
  writeFrom(fd: Fd, bytes: Uint8Array): number;
  violate(what: string): void;
}

export class SimulatedSplicer implements Splicer {
  /** Pipes on loan. */
  lentCount = 0;
  /** Times that bytes went by in one. */
  moves = 0;
  readonly #world: World;
  readonly #connections: Connections;

  constructor(world: World, connections: Connections) {
    this.#world = world;
    this.#connections = connections;
  }

  canMove(fd: Fd): boolean {
    return !this.#connections.hasTls(fd);
  }

  take(): SimulatedPipe | null {
    if (this.#world.chance(0.1)) return null;
    this.lentCount++;
    return new BytePipe();
  }

  give(): void {
    this.lentCount--;
  }

  read(fd: Fd, pipe: SimulatedPipe, length: number): number {
    if (length > SPLICE_PIPE_BYTES) this.#connections.violate("Moves more than a pipe holds");
    if (pipe.held > 0) this.#connections.violate("Fills a pipe that is not empty");
    if (this.#connections.hasTls(fd)) this.#connections.violate("Moves what is encrypted");
    const target = new Uint8Array(length);
    const count = this.#connections.readInto(fd, target);
    if (count > 0) pipe.bytes = target.subarray(0, count);
    return count;
  }

  write(fd: Fd, pipe: SimulatedPipe): number {
    if (this.#connections.hasTls(fd)) this.#connections.violate("Moves into what is encrypted");
    const count = this.#connections.writeFrom(fd, pipe.bytes);
    if (count < 0) return count;
    this.moves++;
    pipe.bytes = pipe.bytes.subarray(count);
    return count === 0 ? AGAIN : count;
  }
}

class BytePipe implements SimulatedPipe {
  bytes = new Uint8Array(0);

  get held(): number {
    return this.bytes.length;
  }
}
