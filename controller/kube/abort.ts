/**
 * Requests that end when a signal is given. `fetch` is told of the signal as well, but it listens through another one, which Deno may collect as
 * garbage; then it hears nothing (seen with 2.9.6 after a few seconds).
 */

/**
 * The answer; what comes after the signal is cancelled.
 * @throws what the signal was given for
 */
export function responseUntil(promise: Promise<Response>, signal: AbortSignal): Promise<Response> {
  const { promise: result, resolve, reject } = Promise.withResolvers<Response>();
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop);
  promise.then((response) => {
    if (signal.aborted) response.body?.cancel().catch(() => {});
    resolve(response);
  }, reject);
  if (signal.aborted) stop();
  return result.finally(() => signal.removeEventListener("abort", stop));
}

/**
 * What the stream gives. It is cancelled at the signal, and where it is not read to its end.
 * @throws what the signal was given for
 */
export async function* chunksUntil(
  stream: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  const stop = () => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", stop);
  try {
    if (signal.aborted) throw signal.reason;
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
    if (signal.aborted) throw signal.reason;
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}
