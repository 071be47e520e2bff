/**
 * WindowQueue: the streams whose data waits for the peer's window, and whose turn it is when the window opens. Those that
 * wait for the connection's window are served in the order in which they came to wait.
 */
import type { SendWindow } from "./flow.ts";
import type { Stream, StreamTable } from "./stream.ts";

export class WindowQueue {
  readonly #streams: StreamTable;
  readonly #connectionWindow: SendWindow;
  readonly #onWindow: (streamId: number) => void;
  /** Streams that wait for the connection's window. */
  #line: number[] = [];
  #spare: number[] = [];

  constructor(
    streams: StreamTable,
    connectionWindow: SendWindow,
    onWindow: (streamId: number) => void,
  ) {
    this.#streams = streams;
    this.#connectionWindow = connectionWindow;
    this.#onWindow = onWindow;
  }

  /** The stream has data that its window, or the connection's, has no room for. */
  add(stream: Stream): void {
    stream.isBlocked = true;
    if (this.#connectionWindow.available <= 0) this.#queue(stream);
  }

  /** The stream is no more, or need not wait. */
  drop(stream: Stream): void {
    stream.isBlocked = false;
    stream.isQueued = false;
  }

  /** The stream's window has grown. */
  wake(stream: Stream): void {
    if (!stream.isBlocked || stream.sendWindow.available <= 0) return;
    if (this.#connectionWindow.available <= 0) return this.#queue(stream);
    this.drop(stream);
    this.#onWindow(stream.id);
  }

  /** The connection's window has grown. */
  wakeLine(): void {
    if (this.#line.length === 0) return;
    const line = this.#line;
    const again = this.#spare;
    this.#line = again;
    let served = 0;
    while (served < line.length && this.#connectionWindow.available > 0) {
      const stream = this.#streams.get(line[served++]);
      if (stream === null || !stream.isQueued) continue;
      stream.isQueued = false;
      this.wake(stream);
    }
    // Those whose turn has not come stand before those that came to wait again, or one could starve the rest.
    line.copyWithin(0, served);
    line.length -= served;
    for (let i = 0; i < again.length; i++) line.push(again[i]);
    again.length = 0;
    this.#line = line;
    this.#spare = again;
  }

  #queue(stream: Stream): void {
    if (stream.isQueued) return;
    stream.isQueued = true;
    this.#line.push(stream.id);
  }
}
