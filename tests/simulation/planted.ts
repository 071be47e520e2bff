/**
 * Bugs on purpose: drivers and parts of the data plane that break a promise. A simulation that lets one of them
 * pass would let a real one pass, too.
 */
import { BufferPool } from "../../proxy/connection/buffers.ts";
import { Connection } from "../../proxy/connection/connection.ts";
import { Context } from "../../proxy/connection/context.ts";
import type { Fd } from "../../proxy/io/io.ts";
import type { Side } from "./network.ts";
import { simulate } from "./simulation.ts";
import { SimulatedIo } from "./simulated_io.ts";

export interface PlantedBug {
  readonly name: string;
  /** How the simulation must put it. */
  readonly complaint: RegExp;
  /** Runs one seed with the bug in place. */
  run(seed: number): void;
}

/** Now and then the bytes of one connection are read from another. */
class SwappingIo extends SimulatedIo {
  readonly #seen = new Map<Fd, Side>();

  protected override receive(fd: Fd, side: Side, offset: number, max: number): number {
    this.#seen.set(fd, side);
    const others = Array.from(this.#seen.values()).filter((other) =>
      other !== side && other.unread > 0 && !other.isClosed
    );
    const from = others.length > 0 && this.world.chance(0.05) ? this.world.pick(others) : side;
    return super.receive(fd, from, offset, max);
  }
}

/** Now and then the last byte of a write is said to be sent and is not. */
class LosingIo extends SimulatedIo {
  protected override transmit(fd: Fd, side: Side, bytes: Uint8Array): void {
    const count = bytes.length > 1 && this.world.chance(0.05) ? bytes.length - 1 : bytes.length;
    super.transmit(fd, side, bytes.subarray(0, count));
  }
}

/** Now and then a write goes out twice. */
class RepeatingIo extends SimulatedIo {
  protected override transmit(fd: Fd, side: Side, bytes: Uint8Array): void {
    super.transmit(fd, side, bytes);
    if (side.room >= bytes.length && this.world.chance(0.05)) super.transmit(fd, side, bytes);
  }
}

/** Never says that a socket has room again. */
class ForgetfulIo extends SimulatedIo {
  override wantWrite(fd: Fd, _wanted: boolean): void {
    super.wantWrite(fd, false);
  }
}

/** Ends connections in order where it should reset them. */
class PoliteIo extends SimulatedIo {
  override reset(fd: Fd): void {
    this.close(fd);
  }
}

function driver(name: string, complaint: RegExp, Driver: typeof SimulatedIo): PlantedBug {
  return {
    name,
    complaint,
    run: (seed) =>
      void simulate(seed, {
        makeIo: (world, network, arena) => new Driver(world, network, arena),
      }),
  };
}

/** A method of the data plane, replaced for as long as a run takes. */
function method<Key extends string>(
  name: string,
  complaint: RegExp,
  prototype: Record<Key, unknown>,
  key: Key,
  replacement: (original: (...args: never[]) => unknown) => unknown,
): PlantedBug {
  return {
    name,
    complaint,
    run(seed) {
      const original = prototype[key];
      prototype[key] = replacement(original as (...args: never[]) => unknown);
      try {
        simulate(seed);
      } finally {
        prototype[key] = original;
      }
    },
  };
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  driver("two reads are swapped", /./, SwappingIo),
  driver("a byte of a write is lost", /./, LosingIo),
  driver("a write is sent twice", /./, RepeatingIo),
  driver("onWritable never comes", /was not answered|was refused|was cut|It hangs/, ForgetfulIo),
  driver("a cut answer ends in order", /ended in order after|Tunnel .* ended after/, PoliteIo),
  method(
    "a buffer is kept",
    /buffers were not given back|buffers for/,
    BufferPool.prototype,
    "give",
    () => () => {},
  ),
  method(
    "compacting moves bytes one too few",
    /./,
    Connection.prototype,
    "compact",
    (original) =>
      function (this: Connection): void {
        original.call(this as never);
        if (this.end > this.start) this.end--;
      },
  ),
  method(
    "a connection stays registered",
    /still registered|It hangs|Nothing will ever happen/,
    Context.prototype,
    "unregister",
    () => () => {},
  ),
  method(
    "starved connections are woken for nothing",
    /It spins/,
    Context.prototype,
    "endBatch",
    (original) =>
      function (this: Context): void {
        this.buffers.givenCount++;
        original.call(this as never);
      },
  ),
];
