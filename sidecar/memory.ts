/** What the process has used and does not need any more goes back to the system. */
import { openMemoryTrim } from "../proxy/io/libc.ts";
import { collectStartGarbage } from "../base/start_garbage.ts";
import { IdleCollection } from "./idle_collection.ts";
import { MEMORY_TRIM_MS, START_HEAP_BYTES_MAX, START_MEMORY_MS } from "./limits.ts";

interface ReturnedMemory {
  /** The event loop on this thread has nothing to do for now. */
  onIdle(): void;
  end(): void;
}

/**
 * Gives back what starting used, once, what the first requests left, while nothing waits, and what the allocator keeps, from time to time:
 * V8 compiles on threads of its own, whose memory the C library keeps for them, some 12 MB after the first requests.
 *
 * @param usesLibc there is a C library that may be asked
 */
export function giveBackMemory(usesLibc: boolean): ReturnedMemory {
  const trim = usesLibc ? openMemoryTrim() : null;
  const collect = () => {
    collectStartGarbage(START_HEAP_BYTES_MAX);
    trim?.();
  };
  const idle = new IdleCollection(collect);
  const start = setTimeout(() => idle.collect(), START_MEMORY_MS);
  const interval = trim === null ? undefined : setInterval(trim, MEMORY_TRIM_MS);
  return {
    onIdle: () => idle.offer(performance.now()),
    end() {
      clearTimeout(start);
      clearInterval(interval);
    },
  };
}
