/**
 * LineBuffer: lines for a reader who may be slow, or gone. They are written in the background, many at once; what waits is bounded,
 * and what finds no room is dropped and counted. So a log that is not read delays no request.
 */
import { WAITING_BYTES_KEPT, WAITING_BYTES_MAX } from "./limits.ts";

interface LineBufferOptions {
  /** Writes bytes; resolves once all are written, rejects if they will never be read. They stay as they are until then. */
  readonly send: (bytes: Uint8Array) => Promise<void>;
  /** The line that stands for so many that were dropped. */
  readonly lost: (count: number) => string;
  readonly bytesMax?: number;
}

const NONE = new Uint8Array(0);

export class LineBuffer {
  readonly #send: (bytes: Uint8Array) => Promise<void>;
  readonly #lost: (count: number) => string;
  readonly #bytesMax: number;
  readonly #encoder = new TextEncoder();
  /** What waits, and what is being written with it, in lines. */
  #waiting: Uint8Array = NONE;
  #waitingBytes = 0;
  #waitingLines = 0;
  #sentBytes = 0;
  /** The one that was written last; taken next. */
  #spare: Uint8Array = NONE;
  /** Dropped since the reader was last told. */
  #untold = 0;
  #sending: Promise<void> | null = null;
  #isClosed = false;
  /** Lines that were dropped. */
  dropped = 0;

  constructor({ send, lost, bytesMax = WAITING_BYTES_MAX }: LineBufferOptions) {
    this.#send = send;
    this.#lost = lost;
    this.#bytesMax = bytesMax;
  }

  /** @param text without its line end */
  line(text: string): void {
    this.lines(this.#encoder.encode(`${text}\n`), 1);
  }

  /** @param bytes of so many lines, each with its end; they are copied */
  lines(bytes: Uint8Array, count: number): void {
    if (this.#isClosed || this.#sentBytes + this.#waitingBytes + bytes.length > this.#bytesMax) {
      this.dropped += count;
      this.#untold += count;
      return;
    }
    this.#append(bytes, count);
    this.#sending ??= this.#sendAll();
  }

  /** Resolves once everything is written, or after `limitMs`. */
  async flush(limitMs: number): Promise<void> {
    if (this.#sending === null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, limitMs));
    await Promise.race([this.#sending, late]);
    clearTimeout(timer);
  }

  #append(bytes: Uint8Array, count: number): void {
    const needed = this.#waitingBytes + bytes.length;
    if (needed > this.#waiting.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#waiting.length));
      larger.set(this.#waiting.subarray(0, this.#waitingBytes));
      this.#waiting = larger;
    }
    this.#waiting.set(bytes, this.#waitingBytes);
    this.#waitingBytes = needed;
    this.#waitingLines += count;
  }

  async #sendAll(): Promise<void> {
    // What is written in the same turn goes out together.
    await Promise.resolve();
    while (this.#waitingBytes > 0) {
      const sent = this.#waiting;
      const lines = this.#waitingLines;
      this.#sentBytes = this.#waitingBytes;
      this.#waiting = this.#spare;
      this.#waitingBytes = this.#waitingLines = 0;
      try {
        await this.#send(sent.subarray(0, this.#sentBytes));
      } catch {
        // The reader has gone: a proxy lives on without its log.
        this.#isClosed = true;
        this.dropped += lines + this.#waitingLines;
        this.#waitingBytes = 0;
      }
      this.#sentBytes = 0;
      this.#spare = sent;
      this.#tellLost();
    }
    // A burst is over.
    if (this.#spare.length > WAITING_BYTES_KEPT) this.#spare = NONE;
    if (this.#waiting.length > WAITING_BYTES_KEPT) this.#waiting = NONE;
    this.#sending = null;
  }

  #tellLost(): void {
    if (this.#untold === 0 || this.#isClosed) return;
    const line = this.#lost(this.#untold);
    this.#untold = 0;
    this.#append(this.#encoder.encode(`${line}\n`), 1);
  }
}
