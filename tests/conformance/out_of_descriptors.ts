/**
 * Run by `io_test.ts` with few descriptors: a driver that cannot accept must neither spin nor give up. Its port is
 * the first line that it prints; it begins when it is told that more clients wait than there are descriptors.
 */
import { EpollIo } from "../../proxy/io/epoll.ts";
import type { Fd, Io } from "../../proxy/io/io.ts";
import { PortableIo } from "../../proxy/io/portable.ts";
import { BENCH_ARENA_BYTES, BenchHandler } from "./bench.ts";

const SWEEP_MS = 20;
const [driver, clients] = [Deno.args[0], Number(Deno.args[1])];

// Deno opens what it needs for signals at some later time, and panics where it cannot: it does so now.
const ignore = () => {};
Deno.addSignalListener("SIGWINCH", ignore);
Deno.removeSignalListener("SIGWINCH", ignore);

const native = driver === "native"
  ? new EpollIo({ arenaBytes: BENCH_ARENA_BYTES, reusePort: false })
  : null;
const io: Io = native ?? new PortableIo({ arenaBytes: BENCH_ARENA_BYTES });

let batches = 0;
io.onBatchEnd(() => batches++);
io.onSweep(SWEEP_MS, () => {});

/** Lets things happen until `condition` holds; without a limit, because the test that started this has one. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    native?.turn(SWEEP_MS);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

const accepted = new Set<Fd>();
let total = 0;
const { port } = io.listen("127.0.0.1", 0, {
  onAccept(fd) {
    total++;
    accepted.add(fd);
    io.watch(fd, new BenchHandler());
  },
  onFault(error) {
    throw error;
  },
});
const out = new TextEncoder();
await Deno.stdout.write(out.encode(`${port}\n`));
await Deno.stdin.read(new Uint8Array(8));

// As many as there are descriptors for; then ten sweeps, in which a driver that spins has thousands of batches.
for (let before = -1; before !== total;) {
  before = total;
  batches = 0;
  const fromMs = performance.now();
  await until(() => performance.now() - fromMs >= 10 * SWEEP_MS);
}
const refused = clients - total;
const spinning = batches;

// Room again.
await until(() => {
  for (const fd of accepted) io.close(fd);
  accepted.clear();
  return total === clients;
});
await Deno.stdout.write(out.encode(JSON.stringify({ refused, spinning })));
Deno.exit(0);
