/** Lines of a stream of bytes, and a watch over its silence. For protocols of one JSON text a line. */

import { joinBytes } from "./bytes.ts";

const DECODER = new TextDecoder();

/** Lines out of chunks as they come, without their ends. A chunk may be used again once its lines have been taken. */
export class LineSplitter {
  readonly #bytesMax: () => number;
  #pieces: Uint8Array[] = [];
  #length = 0;

  /** @param bytesMax asked for each line */
  constructor(bytesMax: () => number) {
    this.#bytesMax = bytesMax;
  }

  /**
   * The lines that end in this chunk.
   * @throws {Error} a line is longer
   */
  *linesOf(chunk: Uint8Array): Generator<string> {
    let start = 0;
    for (let end; (end = chunk.indexOf(NEWLINE, start)) >= 0; start = end + 1) {
      this.#add(chunk.subarray(start, end));
      const pieces = this.#pieces;
      this.#pieces = [];
      this.#length = 0;
      yield DECODER.decode(pieces.length === 1 ? pieces[0] : joinBytes(pieces));
    }
    if (start < chunk.length) this.#add(chunk.slice(start));
  }

  #add(piece: Uint8Array): void {
    this.#length += piece.length;
    const bytesMax = this.#bytesMax();
    if (this.#length > bytesMax) throw new Error(`A line is longer than ${bytesMax} bytes`);
    this.#pieces.push(piece);
  }
}

/**
 * The lines of a stream, without their ends; what follows the last end is none. A chunk may be used again once the next is asked for.
 * @param bytesMax asked for each line
 * @throws {Error} a line is longer
 */
export async function* readLines(
  stream: AsyncIterable<Uint8Array>,
  bytesMax: () => number,
): AsyncGenerator<string> {
  const splitter = new LineSplitter(bytesMax);
  for await (const chunk of stream) yield* splitter.linesOf(chunk);
}

/** What a connection says, until its end. */
export async function* chunksOf(connection: Pick<Deno.Conn, "read">): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (let size; (size = await connection.read(buffer)) !== null;) yield buffer.subarray(0, size);
}

/** All of the text and a line end. */
export async function writeLine(connection: Pick<Deno.Conn, "write">, text: string): Promise<void> {
  await writeBytes(connection, new TextEncoder().encode(text + "\n"));
}

export async function writeBytes(
  connection: Pick<Deno.Conn, "write">,
  bytes: Uint8Array,
): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

const NEWLINE = 10;
const CHUNK_BYTES = 16 * 1024;

/** Calls `onSilence` once nothing has been heard for so long. To hear costs no timer: the one that there is looks when that was. */
export class SilenceWatch {
  readonly #limitMs: number;
  readonly #onSilence: () => void;
  #heardMs = performance.now();
  #timer: ReturnType<typeof setTimeout>;

  constructor(limitMs: number, onSilence: () => void) {
    this.#limitMs = limitMs;
    this.#onSilence = onSilence;
    this.#timer = setTimeout(() => this.#look(), limitMs);
  }

  heard(): void {
    this.#heardMs = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #look(): void {
    const leftMs = this.#heardMs + this.#limitMs - performance.now();
    if (leftMs <= 0) this.#onSilence();
    else this.#timer = setTimeout(() => this.#look(), leftMs);
  }
}
