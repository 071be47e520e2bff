/** Lines come out the same, however the bytes are cut. */
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { chunksOf, readLines, SilenceWatch, writeLine } from "./lines.ts";

const LINES = ["", "one", "zwölf ⛵", "x".repeat(300), ""];

async function linesOf(chunks: readonly Uint8Array[], bytesMax = 1_000): Promise<string[]> {
  // Each chunk is written over once the next is asked for, as a reused buffer is.
  async function* reused() {
    const buffer = new Uint8Array(4_096);
    for (const chunk of chunks) {
      buffer.fill(0);
      buffer.set(chunk);
      yield buffer.subarray(0, chunk.length);
    }
  }
  return await Array.fromAsync(readLines(reused(), () => bytesMax));
}

Deno.test("lines: cut at every byte", async () => {
  const bytes = new TextEncoder().encode(LINES.map((line) => `${line}\n`).join("") + "no end");
  for (let at = 0; at <= bytes.length; at++) {
    deepEqual(await linesOf([bytes.slice(0, at), bytes.slice(at)]), LINES);
  }
  deepEqual(await linesOf([...bytes].map((byte) => Uint8Array.of(byte))), LINES);
});

Deno.test("lines: one that is too long ends it, also before its end has come", async () => {
  const text = (length: number) => new TextEncoder().encode("x".repeat(length));
  await rejects(linesOf([text(11)], 10), /longer than 10 bytes/);
  await rejects(linesOf([text(6), text(6)], 10), /longer than 10 bytes/);
  const withEnd = Uint8Array.of(...text(10), 10);
  deepEqual(await linesOf([withEnd], 10), ["x".repeat(10)]);
});

Deno.test("lines: what is written is read, where the connection takes a little at a time", async () => {
  const written: number[] = [];
  await writeLine({
    write(bytes) {
      const part = bytes.subarray(0, 3);
      written.push(...part);
      return Promise.resolve(part.length);
    },
  }, "zwölf");
  equal(new TextDecoder().decode(Uint8Array.from(written)), "zwölf\n");
  let at = 0;
  const connection = {
    read(buffer: Uint8Array) {
      if (at === written.length) return Promise.resolve(null);
      buffer[0] = written[at++];
      return Promise.resolve(1);
    },
  };
  deepEqual(await Array.fromAsync(readLines(chunksOf(connection), () => 100)), ["zwölf"]);
});

Deno.test("silence: it is told once nothing has been heard for so long", async () => {
  const limitMs = 20;
  let heardMs = performance.now();
  const { promise, resolve } = Promise.withResolvers<number>();
  const watch = new SilenceWatch(limitMs, () => resolve(performance.now()));
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, limitMs / 4));
    watch.heard();
    heardMs = performance.now();
  }
  ok(await promise - heardMs >= limitMs - 1);
});

Deno.test("silence: none is told after the end", async () => {
  const stopped = new SilenceWatch(1, () => {
    throw new Error("It was told");
  });
  stopped.stop();
  const { promise, resolve } = Promise.withResolvers<void>();
  new SilenceWatch(2, resolve);
  await promise;
});
