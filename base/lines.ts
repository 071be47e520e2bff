/** Lines of a stream of bytes, and a watch over its silence. For protocols of one JSON text a line. */

import { joinBytes } from "./bytes.ts";

/**
 * The lines of a stream, without their ends; what follows the last end is none. A chunk may be used again once the next is asked for.
 * @param bytesMax asked for each line
 * @throws {Error} a line is longer
 */
export async function* readLines(
  stream: AsyncIterable<Uint8Array>,
  bytesMax: () => number,
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let pieces: Uint8Array[] = [];
  let length = 0;
  const add = (piece: Uint8Array) => {
    length += piece.length;
    if (length > bytesMax()) throw new Error(`A line is longer than ${bytesMax()} bytes`);
    pieces.push(piece);
  };
  for await (const chunk of stream) {
    let start = 0;
    for (let end; (end = chunk.indexOf(NEWLINE, start)) >= 0; start = end + 1) {
      add(chunk.subarray(start, end));
      yield decoder.decode(pieces.length === 1 ? pieces[0] : joinBytes(pieces));
      pieces = [];
      length = 0;
    }
    if (start < chunk.length) add(chunk.slice(start));
  }
}

/**
 * What a connection says, until its end.
 * @param bytesMax of one chunk, and so of the memory that a connection has for it
 */
export async function* chunksOf(
  connection: Pick<Deno.Conn, "read">,
  bytesMax = CHUNK_BYTES,
): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(bytesMax);
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
