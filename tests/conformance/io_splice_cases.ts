/** The contract of `Splicer`, where a driver has one. */
import { equal, ok } from "node:assert/strict";
import { AGAIN, BROKEN, END, type Fd, type SplicePipe, type Splicer } from "../../proxy/io/io.ts";
import { SPLICE_PIPE_BYTES, SPLICE_PIPES_MAX } from "../../proxy/limits.ts";
import { type Bench, BenchHandler, type IoCase } from "./bench.ts";

const TOTAL = 8 * 1024 * 1024;

/** Byte `index` of a long stream; the period fits no page. */
function patternAt(index: number): number {
  return index % 251;
}

function splicerOf({ io }: Bench): Splicer {
  const { splicer } = io;
  ok(splicer !== null, "This driver has a splicer");
  return splicer;
}

/** Moves everything from one connection to another through pipes, as far as either lets it. */
class Mover extends BenchHandler {
  moved = 0;
  blocks = 0;
  hasEnded = false;

  constructor(bench: Bench, ends: { from: Fd; to: Fd }) {
    super();
    const splicer = splicerOf(bench);
    const { io } = bench;
    let pipe: SplicePipe | null = null;
    this.react = (event) => {
      if (event === "readable" && pipe === null) {
        pipe = splicer.take();
        ok(pipe !== null);
        const count = splicer.read(ends.from, pipe, SPLICE_PIPE_BYTES);
        equal(Math.max(0, count), pipe.held);
        if (count === END) {
          this.hasEnded = true;
          io.wantRead(ends.from, false);
          io.shutdown(ends.to);
        }
      }
      if (pipe !== null && pipe.held > 0) {
        const count = splicer.write(ends.to, pipe);
        if (count > 0) this.moved += count;
      }
      const isBlocked = pipe !== null && pipe.held > 0;
      if (isBlocked) this.blocks++;
      else if (pipe !== null) splicer.give(pipe);
      if (!isBlocked) pipe = null;
      io.wantWrite(ends.to, isBlocked);
      if (!this.hasEnded) io.wantRead(ends.from, !isBlocked);
    };
  }
}

async function send(peer: Deno.TcpConn): Promise<void> {
  const bytes = Uint8Array.from({ length: TOTAL }, (_, i) => patternAt(i));
  for (let at = 0; at < TOTAL;) at += await peer.write(bytes.subarray(at));
  await peer.closeWrite();
}

async function receive(peer: Deno.TcpConn): Promise<number> {
  const bytes = new Uint8Array(65_536);
  let at = 0;
  for (;;) {
    const count = await peer.read(bytes);
    if (count === null) return at;
    for (let i = 0; i < count; i++) {
      if (bytes[i] !== patternAt(at + i)) throw new Error(`Wrong byte at ${at + i}`);
    }
    at += count;
  }
}

export const SPLICE_CASES: readonly IoCase[] = [
  {
    name: "splice: 8 MiB through pipes and back-pressure, every byte in its place, and the end",
    needsLinux: true,
    async run(bench) {
      const ends = { from: -1, to: -1 };
      const mover = new Mover(bench, ends);
      const from = await bench.pair(null);
      const to = await bench.pair(null);
      ends.from = from.fd;
      ends.to = to.fd;
      bench.io.watch(from.fd, mover);
      bench.io.watch(to.fd, mover);
      const sending = send(from.peer);
      await bench.until(() => mover.blocks > 0, "the sink is full");
      equal(await bench.done(receive(to.peer), "everything arrives"), TOTAL);
      await sending;
      equal(mover.moved, TOTAL);
      equal(mover.faults.length, 0);
    },
  },
  {
    name: "splice: AGAIN where nothing has come, and END after the last byte",
    needsLinux: true,
    async run(bench) {
      const splicer = splicerOf(bench);
      const probe = new BenchHandler();
      const { fd, peer } = await bench.pair(probe);
      const pipe = splicer.take();
      ok(pipe !== null && splicer.canMove(fd));
      equal(splicer.read(fd, pipe, 100), AGAIN);
      await bench.done(peer.write(new Uint8Array(10)), "sent");
      await bench.done(peer.closeWrite(), "ended");
      await bench.until(() => probe.count("readable") > 0, "readable");
      equal(splicer.read(fd, pipe, 7), 7);
      equal(splicer.write(fd, pipe), 7);
      equal(pipe.held, 0);
      equal(splicer.read(fd, pipe, 100), 3);
      equal(splicer.write(fd, pipe), 3);
      let result = AGAIN;
      await bench.until(() => (result = splicer.read(fd, pipe, 100)) !== AGAIN, "the end");
      equal(result, END);
      splicer.give(pipe);
    },
  },
  {
    name: "splice: a sink that has reset is told of, and the process outlives SIGPIPE",
    needsLinux: true,
    async run(bench) {
      const splicer = splicerOf(bench);
      const source = await bench.pair(new BenchHandler());
      const pipe = splicer.take();
      ok(pipe !== null);
      const probe = new BenchHandler();
      let result = AGAIN;
      probe.react = () => result = splicer.write(sink.fd, pipe);
      const sink = await bench.resettable(probe);
      await bench.done(source.peer.write(new Uint8Array(50_000)), "sent");
      await bench.until(() => splicer.read(source.fd, pipe, 50_000) > 0, "something is held");
      bench.io.wantRead(sink.fd, false);
      sink.peer.reset();
      await bench.until(() => probe.count("hangup") > 0, "the reset");
      equal(result, BROKEN);
      splicer.give(pipe);
    },
  },
  {
    name: "splice: so many pipes at once and no more, and none is left open behind them",
    needsLinux: true,
    run(bench) {
      const splicer = splicerOf(bench);
      const open = () => [...Deno.readDirSync("/proc/self/fd")].length;
      const before = open();
      for (let round = 0; round < 3; round++) {
        const pipes = Array.from({ length: SPLICE_PIPES_MAX }, () => splicer.take());
        ok(pipes.every((pipe) => pipe !== null));
        equal(splicer.take(), null);
        for (const pipe of pipes) if (pipe !== null) splicer.give(pipe);
      }
      const kept = open() - before;
      ok(kept <= 16, `${kept} descriptors are kept`);
    },
  },
];
