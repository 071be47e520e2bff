/** The two drivers, made so that a test says when they may go on. */
import { EpollIo } from "../../proxy/io/epoll.ts";
import { openLibc } from "../../proxy/io/libc.ts";
import { PortableIo } from "../../proxy/io/portable.ts";
import { BENCH_ARENA_BYTES } from "./bench.ts";
import type { IoDriver } from "./bench.ts";

function nativeDriver(): IoDriver {
  const io = new EpollIo({ arenaBytes: BENCH_ARENA_BYTES, reusePort: false });
  let hasEnded = false;
  return {
    name: "native",
    io,
    turn: () => {
      if (!hasEnded) io.turn(0);
    },
    end: () => {
      if (!hasEnded) {
        hasEnded = true;
        io.stop();
        // Stopped: it takes no turn, and closes what is open.
        io.run();
      }
      return Promise.resolve();
    },
  };
}

function portableDriver(): IoDriver {
  const io = new PortableIo({ arenaBytes: BENCH_ARENA_BYTES });
  return {
    name: "portable",
    io,
    turn() {},
    end: () => {
      io.stop();
      return io.flushed();
    },
  };
}

export const isLinux = Deno.build.os === "linux";
// It stays open; opened within a test it would count as a leak of that test.
if (isLinux) openLibc();
/** Both drivers, and whether this system has them. */
export const IO_DRIVERS = [
  { name: "native", make: nativeDriver, ignore: !isLinux },
  { name: "portable", make: portableDriver, ignore: false },
];
