/**
 * LineBuffer: lines for a reader who may be slow, or gone. They are written in the background, many at once; what waits is bounded,
 * and what finds no room is dropped and counted. So a log that is not read delays no request.
 */
import { WAITING_CHARACTERS_MAX } from "./limits.ts";

interface LineBufferOptions {
  /** Writes text; resolves once all of it is written, rejects if it will never be read. */
  readonly send: (text: string) => Promise<void>;
  /** The line that stands for so many that were dropped. */
  readonly lost: (count: number) => string;
  readonly charactersMax?: number;
}

export class LineBuffer {
  readonly #send: (text: string) => Promise<void>;
  readonly #lost: (count: number) => string;
  readonly #charactersMax: number;
  #lines: string[] = [];
  #characters = 0;
  /** Dropped since the reader was last told. */
  #untold = 0;
  #sending: Promise<void> | null = null;
  #isClosed = false;
  /** Lines that were dropped. */
  dropped = 0;

  constructor({ send, lost, charactersMax = WAITING_CHARACTERS_MAX }: LineBufferOptions) {
    this.#send = send;
    this.#lost = lost;
    this.#charactersMax = charactersMax;
  }

  /** @param text without its line end */
  line(text: string): void {
    if (this.#isClosed || this.#characters + text.length >= this.#charactersMax) {
      this.dropped++;
      this.#untold++;
      return;
    }
    this.#lines.push(text);
    this.#characters += text.length + 1;
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

  async #sendAll(): Promise<void> {
    // What is written in the same turn goes out together.
    await Promise.resolve();
    while (this.#lines.length > 0) {
      const lines = this.#lines;
      this.#lines = [];
      const characters = this.#characters;
      try {
        await this.#send(`${lines.join("\n")}\n`);
      } catch {
        // The reader has gone: a proxy lives on without its log.
        this.#isClosed = true;
        this.dropped += lines.length + this.#lines.length;
        this.#lines = [];
        break;
      }
      this.#characters -= characters;
      this.#tellLost();
    }
    this.#sending = null;
  }

  #tellLost(): void {
    if (this.#untold === 0) return;
    const line = this.#lost(this.#untold);
    this.#untold = 0;
    this.#lines.push(line);
    this.#characters += line.length + 1;
  }
}
