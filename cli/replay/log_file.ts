/** A log, line by line, in constant memory: of a file or of standard input, packed by gzip or not. */
import { causeText } from "../../base/text.ts";
import { CommandFailure } from "../../console/exit.ts";
import { LOG_CHUNK_BYTES, LOG_LINE_CHARACTERS_MAX, PACKED_CHUNK_BYTES } from "../limits.ts";

interface LogFile {
  /** Of the file; null: not known. */
  readonly sizeBytes: number | null;
  /** Read of the file so far, packed as it is. */
  readonly readBytes: number;
  /** Lines in batches, without their ends. One that is too long is null. */
  lines(): AsyncIterable<readonly (string | null)[]>;
}

/** @param path `-` is standard input */
export async function openLog(path: string): Promise<LogFile> {
  if (path === "-") return new StreamedLog(Deno.stdin.readable, null);
  try {
    const file = await Deno.open(path);
    const { size, isFile, isDirectory } = await file.stat();
    if (isDirectory) {
      file.close();
      throw new CommandFailure(`"${path}" is a directory, not a log`, {
        hint: "Name a file, or -.",
      });
    }
    return new StreamedLog(chunksOf(file), isFile ? size : null);
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    const reason = error instanceof Deno.errors.NotFound ? "no such file" : causeText(error);
    throw new CommandFailure(`Cannot read log "${path}": ${reason}`);
  }
}

/** In larger pieces than the file's own stream has: a tenth of the turns. */
function chunksOf(file: Deno.FsFile): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    async pull(controller) {
      const chunk = new Uint8Array(LOG_CHUNK_BYTES);
      const count = await file.read(chunk);
      if (count === null) {
        file.close();
        controller.close();
      } else controller.enqueue(chunk.subarray(0, count));
    },
    cancel: () => file.close(),
  }, { highWaterMark: 1 });
}

class StreamedLog implements LogFile {
  readonly sizeBytes: number | null;
  readBytes = 0;
  readonly #stream: ReadableStream<Uint8Array<ArrayBuffer>>;

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>, sizeBytes: number | null) {
    this.#stream = stream;
    this.sizeBytes = sizeBytes;
  }

  async *lines(): AsyncIterable<readonly (string | null)[]> {
    const decoder = new TextDecoder();
    let rest = "";
    let isTooLong = false;
    for await (const bytes of await this.#unpacked()) {
      const text = rest + decoder.decode(bytes, { stream: true });
      const lines: (string | null)[] = text.split("\n");
      rest = lines.pop() ?? "";
      if (isTooLong && lines.length > 0) {
        lines[0] = null;
        isTooLong = false;
      }
      if (rest.length > LOG_LINE_CHARACTERS_MAX) {
        rest = "";
        isTooLong = true;
      }
      if (lines.length > 0) yield lines;
    }
    if (isTooLong) yield [null];
    else if (rest !== "") yield [rest];
  }

  /** What gzip makes begins with two bytes that no log does. */
  async #unpacked(): Promise<AsyncIterable<Uint8Array<ArrayBuffer>>> {
    const counted = this.#stream.pipeThrough(
      new TransformStream({
        transform: (chunk, controller) => {
          this.readBytes += chunk.length;
          controller.enqueue(chunk);
        },
      }),
    );
    const [first, rest] = await peek(counted);
    if (first === null) return rest;
    if (first[0] !== 0x1f || first[1] !== 0x8b) return rest;
    return rest.pipeThrough(inPieces()).pipeThrough(new DecompressionStream("gzip"));
  }
}

/** Packed bytes become hundreds of times as many, so few are unpacked at a time. */
function inPieces(): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  return new TransformStream({
    transform(chunk, controller) {
      for (let at = 0; at < chunk.length; at += PACKED_CHUNK_BYTES) {
        controller.enqueue(chunk.subarray(at, at + PACKED_CHUNK_BYTES));
      }
    },
  });
}

/** The first chunk, and all of them. */
async function peek(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): Promise<[Uint8Array | null, ReadableStream<Uint8Array<ArrayBuffer>>]> {
  const reader = stream.getReader();
  const { value: first, done } = await reader.read();
  const rest = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      if (done) controller.close();
      else controller.enqueue(first);
    },
    async pull(controller) {
      const next = await reader.read();
      if (next.done) controller.close();
      else controller.enqueue(next.value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return [done ? null : first, rest];
}
