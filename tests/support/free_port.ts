/**
 * freePort and closedPort: TCP ports of loopback that stay what they are said to be. Both lie below the ports that the system gives to
 * outgoing connections and to listeners on port 0 (from 32768 on Linux, from 49152 elsewhere): one of those may be taken a moment later.
 */

const FREE = { from: 20_000, count: 10_000 };
/** Nothing of the tests ever listens here. */
const CLOSED = { from: 30_000, count: 2_000 };

/** A port that is free, for programs that take no port 0. */
export function freePort(): number {
  return free(FREE);
}

/** An endpoint that refuses connections for the whole of a test. */
export function closedPort(): { readonly port: number } {
  return { port: free(CLOSED) };
}

function free({ from, count }: typeof FREE): number {
  let at = Math.floor(Math.random() * count);
  for (let tries = 0; tries < count; tries++) {
    at = (at + 1) % count;
    try {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: from + at });
      return listener.addr.port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error(`No port from ${from} to ${from + count - 1} is free`);
}
